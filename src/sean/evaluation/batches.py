"""Batches of a data set as the scores take them."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sean.segmap import instance_edges

Batch = tuple[Tensor, Tensor, Tensor | None]
"""image [b, 3, h, w] in [-1, 1], segmap [b, h, w], and, for models that take them, instance edges [b, h, w]."""


def collated(dataset: Any, indices: range, device: torch.device, *, with_edges: bool) -> Batch:
    """Some samples of a data set as one batch on a device; the edges are those of its instances."""
    batch = default_collate([dataset[index] for index in indices])
    edges = instance_edges(batch["instances"])[:, 0].bool().to(device) if with_edges else None
    return batch["image"].to(device), batch["segmap"].to(device), edges


def collated_batches(
    dataset: Any, batch_size: int, device: torch.device, *, with_edges: bool, count: int | None = None
) -> Iterator[Batch]:
    """A data set, or the first `count` samples of it, in order, in batches of one size but for the last."""
    total = len(dataset) if count is None else min(count, len(dataset))
    for start in range(0, total, batch_size):
        yield collated(dataset, range(start, min(start + batch_size, total)), device, with_edges=with_edges)
