"""Endless batches in an order that is a pure function of the step.

`BatchPlan.keys(step)` says which samples a step takes; nothing is counted anywhere else. A run that resumes
at a step, or runs with other workers or processes, sees the batches that it would have seen anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from sean.errors import InputError
from sean.plan.planner import plan_segmap

Key = tuple[int, int]

# Keeps the shuffling apart from the chance inside the samples, which is seeded by (seed, epoch, index).
_SHUFFLE_STREAM = 1


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

    Raises:
        InputError: an empty data set, or a batch size that the processes cannot share evenly.
    """

    length: int
    batch_size: int
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    shuffle: bool = True

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
        if not self.shuffle:
            return places
        return [(epoch, int(_order(self.seed, epoch, self.length)[place])) for epoch, place in places]


def batches(
    dataset: Dataset[Any],
    plan: BatchPlan,
    start_step: int = 0,
    *,
    num_workers: int = 0,
    pin_memory: bool = False,
    plan_segmaps: bool = False,
) -> Iterator[dict[str, Any]]:
    """The collated samples of step start_step, start_step + 1, ... without end.

    Tensors are stacked along a new first dimension, names become a list. The global random state of
    torch is left alone.

    Args:
        dataset: its `__getitem__` takes a key (epoch, index).
        plan: which keys.
        start_step: the first step; a resumed run gives the next one.
        num_workers: processes that read ahead; 0 reads in this process.
        pin_memory: put the batch into pinned memory, for a GPU.
        plan_segmaps: add under "plan" the `SegmapPlan` of the batch's segmaps, made in the workers.

    Raises:
        InputError: a sample cannot be made (as one line, also out of a worker).
        RuntimeError: a worker died.
    """
    loader = DataLoader(
        _Carrying(dataset),
        batch_sampler=_Steps(plan, start_step),
        num_workers=num_workers,
        collate_fn=_collate_with_plan if plan_segmaps else _collate,
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(plan.seed),  # else the global one is advanced
    )
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield batch


class _Steps(Sampler[list[Key]]):
    """The keys of one step after another."""

    def __init__(self, plan: BatchPlan, start_step: int) -> None:
        self.plan = plan
        self.start_step = start_step

    def __iter__(self) -> Iterator[list[Key]]:
        step = self.start_step
        while True:
            yield self.plan.keys(step)
            step += 1


class _Carrying(Dataset[Any]):
    """Hands an InputError over as a value: a worker would wrap it into a page of traceback."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, key: Key) -> Any:
        try:
            return self.dataset[key]
        except InputError as error:
            return InputError(str(error))


def _collate(samples: list[Any]) -> Any:
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
    return default_collate(samples)


def _collate_with_plan(samples: list[Any]) -> Any:
    batch = _collate(samples)
    return batch if isinstance(batch, InputError) else {**batch, "plan": plan_segmap(batch["segmap"])}


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, length: int) -> np.ndarray:
    sequence = np.random.SeedSequence((seed, epoch), spawn_key=(_SHUFFLE_STREAM,))
    return np.random.default_rng(sequence).permutation(length)
