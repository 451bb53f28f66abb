"""Endless batches in an order that is a pure function of the step.

`BatchSchedule.keys(step)` gives the samples of a step; there is no other state. A run that resumes at a step, or runs
with other workers or processes, therefore sees the same batches.

Every epoch is a permutation that follows from (seed, epoch). A group is a run of samples that are stored together, as
those of a shard. Data in groups is not shuffled as a whole, which would need all groups at once: the groups are
permuted, and the samples are shuffled inside windows of a few groups.
"""

import itertools
import signal
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Thread
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info

from sean import segmap
from sean.errors import InputError
from sean.plan.planner import plan_segmap


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochOrder:
    """One epoch.

    Attributes:
        samples: int64 [length], the sample at each place.
        windows: the groups of each window; empty without groups.
        window_ends: the place after the last one of each window.
    """

    samples: np.ndarray
    windows: tuple[tuple[int, ...], ...] = ()
    window_ends: tuple[int, ...] = ()


@lru_cache(maxsize=4)
def epoch_order(
    seed: int, epoch: int, length: int, groups: tuple[int, ...] | None, window: int, shuffle: bool
) -> EpochOrder:
    """The order of an epoch.

    Args:
        seed: not negative.
        epoch: 0, 1, ...
        length: number of samples.
        groups: sizes of the groups, which add up to `length`; None: samples are not grouped.
        window: number of groups in a window.
        shuffle: False keeps the order of the data set.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, epoch), spawn_key=(_SHUFFLE_STREAM,)))
    if groups is None:
        return EpochOrder(samples=rng.permutation(length) if shuffle else np.arange(length))
    sequence = rng.permutation(len(groups)) if shuffle else np.arange(len(groups))
    starts = np.cumsum((0, *groups))
    parts, windows = [], []
    for first in range(0, len(groups), window):
        chosen = sequence[first : first + window]
        part = np.concatenate([np.arange(starts[group], starts[group + 1]) for group in chosen])
        parts.append(rng.permutation(part) if shuffle else part)
        windows.append(tuple(chosen.tolist()))
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return EpochOrder(samples=np.concatenate(parts), windows=tuple(windows), window_ends=tuple(ends))


Key = tuple[int, int]

STOPPING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that stop a training: Ctrl-C, a scheduler, a closed terminal. Windows has no SIGHUP."""

# Separates the shuffling from the random choices inside the samples, which are seeded by (seed, epoch, index).
_SHUFFLE_STREAM = 1

# seconds without a batch after which a worker counts as stuck (for instance in a file system that hangs)
_TIMEOUT = 900


@runtime_checkable
class Fetching(Protocol):
    """A data set whose groups may have to be fetched."""

    def fetch(self, group: int) -> None:
        """Fetch a group."""
        ...


@dataclass(frozen=True, kw_only=True)
class BatchSchedule:
    """The samples of each step, on each of several processes.

    The epochs, one after the other, are cut into global batches; a batch may span two epochs, so that no sample is
    dropped.

    Attributes:
        length: number of samples of the data set.
        batch_size: samples of a step over all processes together.
        seed: of the shuffling; not negative.
        rank: this process.
        world_size: number of processes; divides the batch size.
        shuffle: False keeps the order of the data set.
        groups: sizes of the groups, see the module; None: samples are not grouped.
        window: number of groups in a window.

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

    def keys(self, step: int) -> list[Key]:
        """The (epoch, index) of the samples that this process takes at `step` (0, 1, ...)."""
        start = step * self.batch_size + self.rank * self.local_batch_size
        places = [divmod(place, self.length) for place in range(start, start + self.local_batch_size)]
        return [(epoch, int(self._order(epoch).samples[place])) for epoch, place in places]

    def near_groups(self, step: int) -> tuple[int, ...]:
        """The groups to have fetched at `step`, on all processes: those of its windows and of the next one."""
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
    schedule: BatchSchedule,
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
        dataset: its `__getitem__` takes a key (epoch, index). A `Fetching` one gets calls for the groups that the
            schedule needs soon.
        schedule: gives the keys.
        start_step: the first step; a resumed run gives the next one.
        num_workers: processes that read ahead; 0 reads in this process.
        pin_memory: put the batch into pinned memory, for a GPU.
        plan_segmaps: add under "plan" the `SegmapPlan` of the batch's segmaps, made in the workers.
        instance_edges: add under "edges" where a pixel lies at the edge of an instance, bool [b, h, w], and plan with
            it, for models that take such edges.

    Raises:
        InputError: a sample cannot be made (one line, also from a worker), or lacks instances that edges need.
        RuntimeError: a worker died, or was silent for a quarter of an hour.
    """
    loader = DataLoader(
        _Batches(dataset, schedule),
        batch_size=None,  # the data set makes whole batches
        sampler=_Steps(start_step),
        num_workers=num_workers,
        collate_fn=partial(_collate, plan_segmaps=plan_segmaps, with_edges=instance_edges),
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_main_process,
        timeout=_TIMEOUT if num_workers else 0,
        generator=torch.Generator().manual_seed(schedule.seed),  # else the global one is advanced
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

    A worker that waits for a lock of a killed worker ignores torch's request to end, and SIGTERM: the exit of the
    training would wait for it forever.
    """
    workers = getattr(iterator, "_workers", ())
    if workers:
        with suppress(RuntimeError):  # the death of a worker, which is reported already
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
    """The samples of a step, not yet collated. The data set makes whole batches so that a worker knows the step and can
    look ahead in the schedule.

    Each worker of torch's loader reads two batches ahead. That hides the time of a sample, but not that of the shards
    of a window, which are all needed at once. Therefore a thread of each worker fetches the next window while batches
    are made of the current one. The workers need no coordination: each starts with another group, and the second one at
    a group finds it fetched or waits for the lock of the cache.
    """

    def __init__(self, dataset: Dataset[Any], schedule: BatchSchedule) -> None:
        self.dataset = dataset
        self.schedule = schedule
        self._near: tuple[int, ...] = ()

    def __getitem__(self, step: int) -> list[Any]:
        self._fetch_ahead(step)
        return [self._sample(key) for key in self.schedule.keys(step)]

    def _sample(self, key: Key) -> Any:
        """The sample, or its InputError as a value, as a worker would wrap a raised one into a long traceback."""
        try:
            return self.dataset[key]
        except InputError as error:
            return InputError(str(error))

    def _fetch_ahead(self, step: int) -> None:
        near = self.schedule.near_groups(step)
        if near == self._near or not isinstance(self.dataset, Fetching):
            return
        new = [group for group in near if group not in self._near]
        worker = get_worker_info()
        first = 0 if worker is None else worker.id % max(1, len(new))
        self._near = near
        # A daemon thread ends with the worker, also during a download.
        Thread(target=_fetch, args=(self.dataset, new[first:] + new[:first]), daemon=True).start()


def _fetch(dataset: Fetching, groups: list[int]) -> None:
    for group in groups:
        with suppress(InputError):  # the sample that needs the group will raise the error
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
                "or switch instance_edges off"
            )
        edges = batch["edges"] = segmap.instance_edges(batch["instances"])[:, 0].bool()
    if plan_segmaps:
        batch["plan"] = plan_segmap(batch["segmap"], edges=edges)
    return batch
