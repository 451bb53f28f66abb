"""Endless batches in an order that is a pure function of the step.

`BatchPlan.keys(step)` says which samples a step takes; nothing is counted anywhere else. A run that resumes
at a step, or runs with other workers or processes, sees the batches that it would have seen anyway.
"""

import itertools
import signal
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, Protocol, runtime_checkable

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info

from sean import segmap
from sean.data.order import EpochOrder, epoch_order
from sean.errors import InputError
from sean.plan.planner import plan_segmap

Key = tuple[int, int]

STOPPING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks a training to stop: Ctrl-C, a scheduler, a closed terminal. Windows knows no SIGHUP."""

# seconds without a batch after which a worker counts as stuck (a file system that hangs, say)
_TIMEOUT = 900


@runtime_checkable
class Fetching(Protocol):
    """A data set whose groups may be far away."""

    def fetch(self, group: int) -> None:
        """Bring a group near."""
        ...


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Which samples make the batch of a step, on each of several processes.

    Every epoch is a permutation that follows from (seed, epoch). The epochs, one after the other, are cut
    into global batches; a batch may span two epochs, so that no sample is ever dropped.

    Attributes:
        length: number of samples of the data set.
        batch_size: samples of a step over all processes together.
        seed: of the shuffling; not negative.
        rank: this process.
        world_size: number of processes; divides the batch size.
        shuffle: False keeps the order of the data set.
        groups: sizes of the runs of samples that lie together, as shards; see `sean.data.order`. None: all are near.
        window: so many groups are mixed.

    Raises:
        InputError: an empty data set, a batch size that the processes cannot share evenly, or groups that are not
            the whole of the data set.
    """

    length: int
    batch_size: int
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    shuffle: bool = True
    groups: tuple[int, ...] | None = None
    window: int = 4

    def __post_init__(self) -> None:
        if self.length < 1:
            raise InputError("expected a data set of at least one sample, got none")
        if self.batch_size < 1 or self.batch_size % self.world_size:
            raise InputError(
                f"expected a batch size that is a multiple of the {self.world_size} processes, got {self.batch_size}"
            )
        if not 0 <= self.rank < self.world_size:
            raise InputError(f"expected a rank in 0..{self.world_size - 1}, got {self.rank}")
        if self.seed < 0:
            raise InputError(f"expected a seed of at least 0, got {self.seed}")
        if self.window < 1:
            raise InputError(f"expected a window of at least 1 group, got {self.window}")
        if self.groups is not None and (min(self.groups, default=0) < 1 or sum(self.groups) != self.length):
            raise InputError(f"expected groups of at least 1 and {self.length} samples in all, got {self.groups}")

    @property
    def local_batch_size(self) -> int:
        """Samples of a step on one process."""
        return self.batch_size // self.world_size

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every sample has been seen once, rounded up."""
        return self.steps_for(1)

    def steps_for(self, epochs: int) -> int:
        """Steps that so many epochs take, rounded up once, at their end."""
        return -(-epochs * self.length // self.batch_size)

    def epoch_of(self, step: int) -> int:
        """The epoch of the first sample of the step."""
        return step * self.batch_size // self.length

    def keys(self, step: int) -> list[Key]:
        """The (epoch, index) of the samples that this process takes at `step` (0, 1, ...)."""
        start = step * self.batch_size + self.rank * self.local_batch_size
        places = [divmod(place, self.length) for place in range(start, start + self.local_batch_size)]
        return [(epoch, int(self._order(epoch).samples[place])) for epoch, place in places]

    def near_groups(self, step: int) -> tuple[int, ...]:
        """The groups that should be near at `step`, on all processes: of its windows, and of the one after these."""
        if self.groups is None:
            return ()
        place, end = step * self.batch_size, (step + 1) * self.batch_size
        found: list[int] = []
        while True:
            epoch, inside = divmod(place, self.length)
            order = self._order(epoch)
            number = bisect_right(order.window_ends, inside)
            found += order.windows[number]
            if place >= end:
                return tuple(dict.fromkeys(found))
            place = epoch * self.length + order.window_ends[number]

    def _order(self, epoch: int) -> EpochOrder:
        return epoch_order(self.seed, epoch, self.length, self.groups, self.window, self.shuffle)


def batches(
    dataset: Dataset[Any],
    plan: BatchPlan,
    start_step: int = 0,
    *,
    num_workers: int = 0,
    pin_memory: bool = False,
    plan_segmaps: bool = False,
    instance_edges: bool = False,
) -> Generator[dict[str, Any]]:
    """The collated samples of step start_step, start_step + 1, ... without end.

    Tensors are stacked along a new first dimension, names become a list. The global random state of
    torch is left alone. Close the generator to end its workers.

    Args:
        dataset: its `__getitem__` takes a key (epoch, index). A `Fetching` one is told which groups of the plan will
            be wanted soon.
        plan: which keys.
        start_step: the first step; a resumed run gives the next one.
        num_workers: processes that read ahead; 0 reads in this process.
        pin_memory: put the batch into pinned memory, for a GPU.
        plan_segmaps: add under "plan" the `SegmapPlan` of the batch's segmaps, made in the workers.
        instance_edges: add under "edges" where a pixel lies at the edge of an instance, bool [b, h, w], and plan with
            it, for models that take such edges.

    Raises:
        InputError: a sample cannot be made (as one line, also out of a worker), or has no instances where edges are
            asked for.
        RuntimeError: a worker died, or gave nothing for a quarter of an hour.
    """
    loader = DataLoader(
        _Batches(dataset, plan),
        batch_size=None,  # the data set makes whole batches
        sampler=_Steps(start_step),
        num_workers=num_workers,
        collate_fn=partial(_collate, plan_segmaps=plan_segmaps, with_edges=instance_edges),
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_main_process,
        timeout=_TIMEOUT if num_workers else 0,
        generator=torch.Generator().manual_seed(plan.seed),  # else the global one is advanced
    )
    iterator = iter(loader)
    try:
        for batch in iterator:
            if isinstance(batch, InputError):
                raise batch
            yield batch
    finally:
        _end_workers(iterator)


def _leave_signals_to_the_main_process(worker: int) -> None:
    """A signal to stop reaches all processes; a training that saves first still needs its workers."""
    for number in STOPPING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end_workers(iterator: Any) -> None:
    """End the worker processes for good.

    One that waits for a lock which a killed worker held does not end when torch asks it to, and takes no SIGTERM: the
    exit of the training would wait for it without end.
    """
    workers = getattr(iterator, "_workers", ())
    if workers:
        with suppress(RuntimeError):  # the death of a worker, which is told already
            iterator._shutdown_workers()
    for worker in workers:
        if worker.is_alive():
            worker.kill()
        worker.join()


class _Steps(Sampler[int]):
    """One step after another."""

    def __init__(self, start_step: int) -> None:
        self.start_step = start_step

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.start_step)


class _Batches(Dataset[list[Any]]):
    """The samples of a step, not yet collated. It makes whole batches because it is told the step so, and not only the
    samples: a worker can look ahead in the plan.

    What the workers read ahead by themselves is two batches each. That hides the time of a sample, not that of the
    shards of a window, which are all wanted at once. So a thread of each worker fetches the next window while batches
    are made of this one. Which worker gets there first does not matter: the others find the group near, or wait for
    the lock of the cache, and each begins with another group.
    """

    def __init__(self, dataset: Dataset[Any], plan: BatchPlan) -> None:
        self.dataset = dataset
        self.plan = plan
        self._near: tuple[int, ...] = ()

    def __getitem__(self, step: int) -> list[Any]:
        self._fetch_ahead(step)
        return [self._sample(key) for key in self.plan.keys(step)]

    def _sample(self, key: Key) -> Any:
        """The sample, or its InputError as a value: a worker would wrap it into a page of traceback."""
        try:
            return self.dataset[key]
        except InputError as error:
            return InputError(str(error))

    def _fetch_ahead(self, step: int) -> None:
        near = self.plan.near_groups(step)
        if near == self._near or not isinstance(self.dataset, Fetching):
            return
        new = [group for group in near if group not in self._near]
        worker = get_worker_info()
        first = 0 if worker is None else worker.id % max(1, len(new))
        self._near = near
        # As a daemon it ends with the worker, also amid a download.
        Thread(target=_fetch, args=(self.dataset, new[first:] + new[:first]), daemon=True).start()


def _fetch(dataset: Fetching, groups: list[int]) -> None:
    for group in groups:
        with suppress(InputError):  # the sample that needs the group will say so
            dataset.fetch(group)


def _collate(samples: list[Any], *, plan_segmaps: bool, with_edges: bool) -> Any:
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
    batch = default_collate(samples)
    edges = None
    if with_edges:
        if "instances" not in batch:
            return InputError(
                "expected instance maps for a model with instance edges, but the data has none; add instances/*.png "
                "or set --config.model.no-instance-edges"
            )
        edges = batch["edges"] = segmap.instance_edges(batch["instances"])[:, 0].bool()
    if plan_segmaps:
        batch["plan"] = plan_segmap(batch["segmap"], edges=edges)
    return batch
