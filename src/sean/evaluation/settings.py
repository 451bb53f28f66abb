"""The settings of an evaluation, which determine its results, and the way it runs, which does not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from sean.errors import InputError

Item = TypeVar("Item")

Sums = dict[str, Tensor]
"""Partial results: tensors on the CPU that are summed over pictures and processes."""


@runtime_checkable
class Progress(Protocol):
    """Passes items on and shows progress."""

    def __call__(self, items: Iterable[Item], description: str, total: int) -> Iterable[Item]: ...


def untracked(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Silent progress."""
    return items


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """The settings of an evaluation.

    Attributes:
        seed: seed of the subsets of KID, of its pictures, and of the noise.
        batch_size: pictures per batch.
        noise: whether models add their learned noise; without it, pictures are those of the pipeline.
        kept_features: largest number of pictures of a set for KID, so that memory does not grow with the set.
        num_subsets: number of subsets over which KID is averaged.
        subset_size: pictures in a subset.
    """

    seed: int = 0
    batch_size: int = 8
    noise: bool = False
    kept_features: int = 2000
    num_subsets: int = 100
    subset_size: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise InputError(f"expected a seed in 0..2^31 - 1, got {self.seed}")
        if min(self.batch_size, self.num_subsets) < 1 or min(self.kept_features, self.subset_size) < 2:
            raise InputError(f"expected positive sizes, and at least 2 features to keep and in a subset, got {self}")


@dataclass(frozen=True, kw_only=True)
class EvaluationRun:
    """The way an evaluation runs.

    Attributes:
        device: device of networks and pictures.
        rank: number of this process, which takes every `world_size`-th batch.
        world_size: number of processes.
        add_up: sums values over all processes, on each of them; required for several processes.
        partial: path of the report. Partial results are kept in files beside it, so that an interrupted evaluation can
            continue. None keeps nothing.
        write_every: number of batches between two writes of these files.
        progress: shows progress.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    world_size: int = 1
    add_up: Callable[[Sums], Sums] | None = None
    partial: Path | None = None
    write_every: int = 50
    progress: Progress = untracked

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size or self.write_every < 1:
            raise InputError(f"expected a rank in 0..world_size - 1 and write_every of at least 1, got {self}")
        if self.world_size > 1 and self.add_up is None:
            raise InputError(f"expected add_up for {self.world_size} processes, got none")
