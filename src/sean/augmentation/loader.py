"""Restyling on the fly: a data set of labelled pictures, some of them restyled, and a function for any sample."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sean.augmentation.recipes import RecipeBook, parts_of
from sean.augmentation.restyler import Restyler
from sean.augmentation.settings import AugmentSettings
from sean.data.paired import Pair, PairSource
from sean.data.splits import open_split
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError

Sample = dict[str, Any]


class Restyle(Dataset[Sample]):
    """A data set of labelled pictures; a part of them is restyled, differently in every epoch.

    A sample is a dict: image uint8 [h, w, 3], mask int64 [h, w] with ids 0..k (k: unlabelled), name, and instances
    int64 [h, w] where the data has them. All random choices follow from the seed, the epoch and the name, so the
    number of workers and restarts do not change a sample.

    Args:
        data: a paired folder, or a folder or url of shards, whose training part is taken; or pairs.
        model: a pipeline, or a name for `SEANPipeline.from_pretrained`, with the labels of the data.
        settings: of the augmentation; `copies` is not used here.
        probability: that a sample is restyled.
        transform: called as transform(image=..., mask=...), as those of albumentations are, after the restyling; what
            it returns takes the place of both.
        validation, training_prefix: the split, see `sean.data.splits.open_split`.

    Raises:
        InputError: other labels, nothing to restyle, or a probability outside of 0..1.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | PairSource,
        model: SEANPipeline | str | os.PathLike[str],
        settings: AugmentSettings | None = None,
        *,
        probability: float = 0.5,
        transform: Callable[..., Mapping[str, Any]] | None = None,
        validation: float | str | None = None,
        training_prefix: str = "",
    ) -> None:
        if not 0.0 <= probability <= 1.0:
            raise InputError(f"expected a probability in 0..1, got {probability}")
        self.settings = settings or AugmentSettings()
        self.epoch = 0
        self._pipeline = model if isinstance(model, SEANPipeline) else SEANPipeline.from_pretrained(model)
        if isinstance(data, str | os.PathLike):
            split = open_split(data, self._pipeline.labels, validation=validation, training_prefix=training_prefix)
            if split.training is None:
                raise InputError(f"{data} has no training pairs; hold out fewer")
            self._source: PairSource = split.training
        else:
            self._source = data
        self._probability = probability
        self._transform = transform
        self._indices = {self._source.name(index): index for index in range(len(self._source))}
        num_regions = self._pipeline.labels.num_regions
        parts = {name: parts_of(self._read(name), num_regions, self.settings) for name in self._indices}
        bank = [torch.nonzero(style.present).flatten().tolist() for style in self._pipeline.style_bank]
        self._book = RecipeBook(parts, self._pipeline.labels, self.settings, bank)
        self._restyler = Restyler(self._pipeline, self._read, self.settings)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which the styles depend on; call it before each epoch, as with torch's DistributedSampler."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """The sample at an index of the current epoch, or at (epoch, index)."""
        epoch, index = key if isinstance(key, tuple) else (self.epoch, key)
        pair, name = self._source.read(index), self._source.name(index)
        sample: Sample = {"image": pair.image, "mask": pair.segmap, "name": name}
        if pair.instances is not None:
            sample["instances"] = pair.instances
        return self(sample, epoch=epoch)

    def __call__(self, sample: Mapping[str, Any], *, epoch: int | None = None) -> Sample:
        """Restyle a sample of any source, such as a webdataset, with styles of the data.

        Args:
            sample: image uint8 [h, w, 3], mask of integers [h, w], name, perhaps instances; other entries stay.
            epoch: None takes the current one.
        """
        epoch = self.epoch if epoch is None else epoch
        result = dict(sample)
        name = str(sample["name"])
        instances = sample.get("instances")
        pair = Pair(
            image=np.asarray(sample["image"]),
            segmap=np.asarray(sample["mask"]).astype(np.int64),
            instances=None if instances is None else np.asarray(instances).astype(np.int64),
        )
        parts = None if name in self._indices else parts_of(pair, self._pipeline.labels.num_regions, self.settings)
        recipe = self._book.recipe(name, epoch + 1, parts)
        if recipe.chance < self._probability and (recipe.changes or recipe.mirror or recipe.warp_seed is not None):
            pair = self._restyler.copy(pair, recipe)
            result |= {"image": pair.image, "mask": pair.segmap}
            if pair.instances is not None:
                result["instances"] = pair.instances
        if self._transform is not None:
            result |= self._transform(image=result["image"], mask=result["mask"])
        return result

    def _read(self, name: str) -> Pair:
        return self._source.read(self._indices[name])
