"""Pairs of a picture and its label map, their sources, and the data set of transformed pairs.

A `PairSource` reads pairs: from a folder (`sean.data.folder`) or from shards (`sean.data.shards.source`). A sample
of `PairedDataset` depends on the source, the transform and (seed, epoch, index) alone, so the number of workers and a
resume do not change it.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import Dataset

from sean.data.transforms import PairedTransform, Recolor
from sean.errors import InputError
from sean.images import PictureSource, image_to_tensor, read_photo
from sean.labels import LabelSet
from sean.segmap import read_instances, read_segmap, turned_with

Sample = dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A picture and its maps, all of one size.

    Attributes:
        image: uint8 [h, w, 3].
        segmap: int64 [h, w], ids 0..k.
        instances: int64 [h, w], one number per object; None if the data has none.
    """

    image: np.ndarray
    segmap: np.ndarray
    instances: np.ndarray | None = None


@runtime_checkable
class PairSource(Protocol):
    """Numbered pairs, read one by one in any order, in any process."""

    @property
    def labels(self) -> LabelSet:
        """The label set of the maps."""
        ...

    @property
    def has_instances(self) -> bool:
        """Whether the pairs have instance maps."""
        ...

    @property
    def groups(self) -> tuple[int, ...] | None:
        """Sizes of the runs of pairs that are stored together; None if reading any pair costs the same."""
        ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """The name of a pair, a file name without suffix."""
        ...

    def read(self, index: int) -> Pair:
        """Read a pair.

        Raises:
            InputError: it cannot be read, has illegal ids, or maps of another size than the picture's.
        """
        ...

    def fetch(self, group: int) -> None:
        """Fetch a group, so that its pairs can be read without waiting.

        Raises:
            InputError: it cannot be fetched.
        """
        ...


class PairedDataset(Dataset[Sample]):
    """Transformed pairs as tensors.

    A sample is a dict: image float32 [3, h, w] in [-1, 1]; segmap int64 [h, w] with ids 0..k; name, that of the
    pair; and, if the source has them, instances int64 [h, w].

    Args:
        source: the pairs.
        transform: the geometry.
        seed: all chance follows from (seed, epoch, index).
        recolor: changes the colours of regions; None leaves them.
    """

    def __init__(
        self, source: PairSource, transform: PairedTransform, seed: int = 0, *, recolor: Recolor | None = None
    ) -> None:
        self.source = source
        self.recolor = recolor
        self.transform = transform
        self.seed = seed

    @property
    def labels(self) -> LabelSet:
        """The label set of the maps."""
        return self.source.labels

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """The sample of key = (epoch, index), or of an index in epoch 0.

        Raises:
            InputError: see `PairSource.read`.
        """
        epoch, index = key if isinstance(key, tuple) else (0, key)
        pair = self.source.read(index)
        rng = np.random.default_rng((self.seed, epoch, index))
        height, width = pair.segmap.shape
        geometry = self.transform.draw((height, width), rng)
        image, segmap = geometry.image(pair.image), geometry.segmap(pair.segmap, self.labels)
        if self.recolor is not None:
            image = self.recolor(image, segmap, self.labels, rng)
        sample: Sample = {
            "image": image_to_tensor(image),
            "segmap": torch.from_numpy(segmap),
            "name": self.source.name(index),
        }
        if pair.instances is not None:
            sample["instances"] = torch.from_numpy(geometry.instances(pair.instances))
        return sample

    def fetch(self, group: int) -> None:
        """Fetch a group of the source (see `PairSource.fetch`)."""
        self.source.fetch(group)


def read_pair(image: PictureSource, segmap: PictureSource, instances: PictureSource | None, labels: LabelSet) -> Pair:
    """Read the files of a pair; maps in the photo's stored orientation are turned upright with it.

    Raises:
        InputError: a file cannot be read, has illegal ids, or differs in size from its partner.
    """
    photo = read_photo(image)
    ids = turned_with(photo, read_segmap(segmap, labels))
    check_sizes(photo.image, ids, image, segmap)
    if instances is None:
        return Pair(image=photo.image, segmap=ids)
    numbers = turned_with(photo, read_instances(instances))
    check_sizes(photo.image, numbers, image, instances)
    return Pair(image=photo.image, segmap=ids, instances=numbers)


def check_sizes(
    image: np.ndarray, segmap: np.ndarray, image_source: PictureSource, segmap_source: PictureSource
) -> None:
    """Raise InputError, naming files and sizes, unless image [h, w, 3] and segmap [h, w] have one size."""
    if image.shape[:2] != segmap.shape:
        raise InputError(
            f"expected one size (h x w), got {image.shape[0]} x {image.shape[1]} in {image_source} and "
            f"{segmap.shape[0]} x {segmap.shape[1]} in {segmap_source}; resize one of them"
        )
