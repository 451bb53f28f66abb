"""A fair queue of work on the model: one thread, round-robin turns of sessions, never two turns of a session at once.

In its turn a session runs all its small work, then one large piece of work, such as a render. Only the newest requested
render of a session waits: `newest` replaces one that has not begun. Spare work, such as the looks of a region, comes
after it: a stroke does not wait until all looks are drawn. Long work without the model, such as packing a
project, runs in another thread while its session waits and other sessions continue.
"""

import enum
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


class Kind(enum.Enum):
    """The cost of a piece of work."""

    SMALL = enum.auto()
    """Milliseconds: done in one turn with all other small work of its session."""
    LARGE = enum.auto()
    """A turn of its own."""
    SPARE = enum.auto()
    """A turn of its own when the session has no other work, the newest render included."""
    OUTSIDE = enum.auto()
    """Long work without the model: done in another thread."""


class Busy(Exception):
    """Too much work is waiting; the message is for the user."""


@dataclass(eq=False)
class _Job:
    work: Callable[[], Any]
    kind: Kind
    future: "Future[Any]" = field(default_factory=Future)

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


@dataclass(eq=False)
class _Lane:
    """The work of one session."""

    jobs: deque[_Job] = field(default_factory=deque)
    newest: _Job | None = None
    spare: deque[_Job] = field(default_factory=deque)
    running: bool = False

    def __len__(self) -> int:
        return len(self.jobs) + (self.newest is not None) + len(self.spare)

    def turn(self) -> list[_Job]:
        """Remove and return the work of the next turn."""
        turn = []
        while self.jobs and self.jobs[0].kind is Kind.SMALL:
            turn.append(self.jobs.popleft())
        if self.jobs:
            if not turn or self.jobs[0].kind is Kind.LARGE:
                turn.append(self.jobs.popleft())
        elif self.newest is not None:
            turn.append(self.newest)
            self.newest = None
        elif self.spare and not turn:
            turn.append(self.spare.popleft())
        return turn


class FairQueue:
    """See the module.

    Args:
        max_waiting: largest number of waiting pieces of work of a session.
        num_threads: number of torch's threads; None keeps it.
    """

    def __init__(self, *, max_waiting: int, num_threads: int | None = None) -> None:
        self._max_waiting = max_waiting
        self._num_threads = num_threads
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()  # sessions with work, in the order of their turns
        self._changed = threading.Condition()
        self._closed = False
        self._outside = ThreadPoolExecutor(2, thread_name_prefix="sean-outside")
        self._thread = threading.Thread(target=self._work, name="sean-model", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Number of waiting pieces of work."""
        with self._changed:
            return sum(map(len, self._lanes.values()))

    def submit(self, key: str, work: Callable[[], Result], kind: Kind) -> "Future[Result]":
        """Run `work` in a turn of the session `key`, after its earlier work; spare work after its later work, too.

        Raises:
            Busy: too much work of this session is waiting, or the server is stopping.
        """
        job = _Job(work, kind)
        with self._changed:
            lane = self._lane(key)
            if len(lane.jobs) + len(lane.spare) >= self._max_waiting:
                raise Busy("too many requests at once for this session; wait for the answers")
            (lane.spare if kind is Kind.SPARE else lane.jobs).append(job)
            self._changed.notify()
        return job.future

    def newest(self, key: str, work: Callable[[], Result]) -> "Future[Result]":
        """Run `work` in a turn of the session `key` when its other work is done; cancels the waiting predecessor.

        Raises:
            Busy: the server is stopping.
        """
        job = _Job(work, Kind.LARGE)
        with self._changed:
            lane = self._lane(key)
            if lane.newest is not None:
                lane.newest.future.cancel()
            lane.newest = job
            self._changed.notify()
        return job.future

    def forget(self, key: str) -> None:
        """Cancel the waiting work of a session; running work is finished."""
        with self._changed:
            lane = self._lanes.get(key)
            if lane is not None:
                self._cancel(lane)
                if not lane.running:
                    del self._lanes[key]

    def close(self) -> None:
        """Cancel all waiting work, and return when running work has finished."""
        with self._changed:
            self._closed = True
            for lane in self._lanes.values():
                self._cancel(lane)
            self._changed.notify()
        self._thread.join()
        self._outside.shutdown()

    def _lane(self, key: str) -> _Lane:
        if self._closed:
            raise Busy("the server is stopping")
        return self._lanes.setdefault(key, _Lane())

    @staticmethod
    def _cancel(lane: _Lane) -> None:
        for jobs in (lane.jobs, lane.spare):
            for job in jobs:
                job.future.cancel()
            jobs.clear()
        if lane.newest is not None:
            lane.newest.future.cancel()
            lane.newest = None

    def _work(self) -> None:
        if self._num_threads is not None:
            torch.set_num_threads(self._num_threads)
        while (turn := self._next_turn()) is not None:
            key, jobs = turn
            if jobs and jobs[0].kind is Kind.OUTSIDE:
                self._outside.submit(jobs[0].run).add_done_callback(partial(self._end_outside, key))
            else:
                for job in jobs:
                    job.run()
                self._end_turn(key)

    def _next_turn(self) -> tuple[str, list[_Job]] | None:
        """The next session and the work of its turn; None when the server stops."""
        with self._changed:
            while True:
                if self._closed:
                    return None
                for key, lane in self._lanes.items():
                    if not lane.running:
                        lane.running = True
                        self._lanes.move_to_end(key)
                        return key, lane.turn()
                self._changed.wait()

    def _end_outside(self, key: str, _: "Future[None]") -> None:
        self._end_turn(key)

    def _end_turn(self, key: str) -> None:
        with self._changed:
            lane = self._lanes[key]
            lane.running = False
            if not lane:
                del self._lanes[key]
            self._changed.notify()
