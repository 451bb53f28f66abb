"""What an evaluation computes (settings, which its results depend on) and how it runs (which they do not)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from sean.errors import InputError

Item = TypeVar("Item")

Sums = dict[str, Tensor]
"""What is known of the pictures seen so far: tensors on the CPU that add up over pictures and processes."""


@runtime_checkable
class Progress(Protocol):
    """Passes items on and shows how far they are."""

    def __call__(self, items: Iterable[Item], description: str, total: int) -> Iterable[Item]: ...


def untracked(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Progress that nobody watches."""
    return items


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is computed.

    Attributes:
        seed: of the subsets of KID, the pictures that it sees, and the noise.
        batch_size: pictures at a time.
        noise: whether models add their learned noise; without, pictures are as the pipeline renders them.
        kept_features: at most so many pictures of a set take part in KID, so that memory does not grow with the set.
        num_subsets: that KID is the mean over.
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
    """How it is computed.

    Attributes:
        device: where networks and pictures are.
        rank: number of this process; it takes every `world_size`-th batch.
        world_size: processes.
        add_up: the sums of all processes, on each of them, from this one's; needed where there are several.
        partial: the report that is being made; what is known so far is kept in files beside it, so that the same
            evaluation goes on where it stopped. None keeps nothing.
        write_every: batches between two writes of these files.
        progress: shows how far it is.
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
