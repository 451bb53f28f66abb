"""Fairness, order, dropping of stale work, and stopping of the queue."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest
import torch

from sean.web.queue import Busy, FairQueue, Kind


@pytest.fixture
def queue() -> Iterator[FairQueue]:
    queue = FairQueue(max_waiting=4)
    yield queue
    queue.close()


class Gate:
    """Keeps the queue's thread busy until it is opened; one that is not `entered` at once, from its turn on."""

    def __init__(self, queue: FairQueue, key: str = "gate", *, entered: bool = True) -> None:
        self._open, has_entered = threading.Event(), threading.Event()

        def wait() -> None:
            has_entered.set()
            assert self._open.wait(600)

        self.future = queue.submit(key, wait, Kind.LARGE)
        assert not entered or has_entered.wait(600)

    def open(self) -> None:
        self._open.set()
        self.future.result(600)


def test_sessions_take_turns_and_small_work_shares_one(queue: FairQueue) -> None:
    gate, order = Gate(queue), []
    note: Callable[[str], Callable[[], None]] = lambda name: lambda: order.append(name)  # noqa: E731
    futures = [queue.submit("a", note(f"a{n}"), Kind.LARGE) for n in range(3)]
    futures += [queue.submit("b", note("b small 0"), Kind.SMALL), queue.submit("b", note("b small 1"), Kind.SMALL)]
    futures += [queue.submit("b", note("b2"), Kind.LARGE), queue.submit("b", note("b3"), Kind.LARGE)]
    futures += [queue.submit("c", note("c0"), Kind.LARGE)]
    assert queue.queued == 8
    gate.open()
    for future in futures:
        future.result(600)
    assert order == ["a0", "b small 0", "b small 1", "b2", "c0", "a1", "b3", "a2"]
    assert queue.queued == 0


def test_only_the_newest_render_of_a_session_is_made_in_one_turn_with_its_edits(queue: FairQueue) -> None:
    gate, order = Gate(queue), []
    stale = queue.newest("a", lambda: order.append("stale"))
    other = queue.newest("b", lambda: order.append("other"))
    fresh = queue.newest("a", lambda: order.append("fresh"))
    edit = queue.submit("a", lambda: order.append("edit"), Kind.SMALL)
    gate.open()
    fresh.result(600), edit.result(600), other.result(600)
    assert order == ["edit", "fresh", "other"]
    with pytest.raises(CancelledError):
        stale.result(600)


def test_spare_work_waits_for_all_other_work_of_its_session(queue: FairQueue) -> None:
    gate, order = Gate(queue), []
    spare = [queue.submit("a", lambda n=n: order.append(f"look {n}"), Kind.SPARE) for n in range(2)]  # type: ignore[misc]
    newest = queue.newest("a", lambda: order.append("render"))
    edit = queue.submit("a", lambda: order.append("edit"), Kind.SMALL)
    large = queue.submit("a", lambda: order.append("large"), Kind.LARGE)
    with pytest.raises(Busy):
        queue.submit("a", lambda: None, Kind.SPARE)
    assert queue.queued == 5
    gate.open()
    for future in (*spare, newest, edit, large):
        future.result(600)
    assert order == ["edit", "large", "render", "look 0", "look 1"]


def test_what_fails_tells_its_own_caller_only(queue: FairQueue) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    first, second = queue.submit("a", fail, Kind.SMALL), queue.submit("a", lambda: 7, Kind.SMALL)
    with pytest.raises(RuntimeError, match="broken"):
        first.result(600)
    assert second.result(600) == 7


def test_outside_work_holds_up_its_own_session_only(queue: FairQueue) -> None:
    release, order = threading.Event(), []

    def pack() -> None:
        assert release.wait(600)
        order.append("packed")

    packed = queue.submit("a", pack, Kind.OUTSIDE)
    after = queue.submit("a", lambda: order.append("after"), Kind.SMALL)
    queue.submit("b", lambda: order.append("other"), Kind.LARGE).result(600)
    release.set()
    packed.result(600), after.result(600)
    assert order == ["other", "packed", "after"]


def test_a_session_may_have_so_much_waiting_and_no_more(queue: FairQueue) -> None:
    gate = Gate(queue)
    futures = [queue.submit("a", lambda: None, Kind.SMALL) for _ in range(4)]
    with pytest.raises(Busy, match="too many requests"):
        queue.submit("a", lambda: None, Kind.SMALL)
    queue.submit("b", lambda: None, Kind.SMALL)
    gate.open()
    futures[-1].result(600)
    queue.submit("a", lambda: None, Kind.SMALL).result(600)


def test_a_forgotten_session_is_not_worked_for(queue: FairQueue) -> None:
    gate, order = Gate(queue), []
    waiting = queue.submit("a", lambda: order.append("a"), Kind.SMALL)
    newest = queue.newest("a", lambda: order.append("a"))
    queue.forget("a"), queue.forget("unknown")
    gate.open()
    queue.submit("b", lambda: None, Kind.LARGE).result(600)
    assert waiting.cancelled() and newest.cancelled() and order == []


def test_closing_lets_the_running_work_finish_and_cancels_the_rest() -> None:
    queue = FairQueue(max_waiting=4)
    gate = Gate(queue)
    waiting = queue.submit("a", lambda: None, Kind.SMALL)
    closing = threading.Thread(target=queue.close)
    closing.start()
    with pytest.raises(CancelledError):
        waiting.result(600)
    assert closing.is_alive() and not gate.future.done()
    gate.open()
    closing.join(600)
    assert not closing.is_alive()
    with pytest.raises(Busy, match="stopping"):
        queue.newest("a", lambda: None)


def test_the_model_thread_has_the_threads_it_was_given() -> None:
    queue = FairQueue(max_waiting=4, num_threads=3)
    assert queue.submit("a", torch.get_num_threads, Kind.LARGE).result(600) == 3
    queue.close()
