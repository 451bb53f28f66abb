"""Digests that tell whether two evaluations are of the same networks, data and settings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sean.data.paired import PairedDataset


def digest_of(values: Mapping[str, Any]) -> str:
    """A digest of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def dataset_digest(dataset: Any) -> str:
    """A digest of a data set's size, of its first and last sample, and of all names where it has a source of pairs.

    It tells another folder, split or picture size; not a picture in the middle that was painted over.
    """
    length = len(dataset)
    digest = hashlib.sha256(str(length).encode())
    if isinstance(dataset, PairedDataset):
        for index in range(length):
            digest.update(f"{dataset.source.name(index)}\n".encode())
    for index in sorted({0, length - 1} if length else ()):
        sample = dataset[index]
        for key in ("image", "segmap"):
            digest.update(str(tuple(sample[key].shape)).encode())
            digest.update(_bytes(sample[key]))
    return digest.hexdigest()


def _bytes(value: Tensor) -> memoryview:
    return value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
