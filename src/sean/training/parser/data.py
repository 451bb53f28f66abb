"""The data of a parser's training, its batches, and the frequencies of its labels."""

import json
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import Dataset

from sean.data.loader import BatchSchedule, batches
from sean.data.paired import PairedDataset
from sean.data.splits import open_parts
from sean.data.synthetic.scenes import SyntheticScenes
from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.files import parse_json, write_text_atomic
from sean.progress import tracked
from sean.training.batch import noise_generators
from sean.training.data import SYNTHETIC_SCENES, SYNTHETIC_VALIDATION, TrainingData, absolute
from sean.training.parser.augmentation import augment
from sean.training.parser.config import ParserTrainConfig

COUNTS_NAME = "label_pixels.json"
# separates the random numbers of the augmentation from the noise of other trainings
_STREAM = 2


def open_parser_data(config: ParserTrainConfig, folder: Path | str | None) -> TrainingData:
    """Open a paired folder, split by the config, or shards, split when they were written.

    Args:
        config: sizes, seed and split.
        folder: paired folder, folder of shards, or url of shards; None gives synthetic scenes of the config's seed.

    Returns:
        Training pairs at `oversampling` times the size, held-out pairs at the size; if the split holds out no pairs,
        training pairs take their place.

    Raises:
        InputError: the data is malformed, or cannot be split this way.
    """
    size = config.model.image_size
    factor = config.augmentation.oversampling
    larger = (size[0] * factor, size[1] * factor)
    if folder is None:
        scenes = SyntheticScenes(size=larger, length=SYNTHETIC_SCENES, seed=config.seed)
        held_out = SyntheticScenes(size=size, length=SYNTHETIC_VALIDATION, seed=config.seed + 1)
        return TrainingData(training=scenes, validation=held_out, labels=scenes.labels)
    parts = open_parts(
        folder,
        validation=config.validation,
        training_prefix=config.training_prefix,
        test_fraction=config.test_fraction,
    )
    assert parts.training is not None, "a split for a training has training pairs"
    return TrainingData(
        training=PairedDataset(parts.training, PairedTransform(size=larger, flip=config.flip), config.seed),
        validation=PairedDataset(parts.validation or parts.training, PairedTransform(size=size).evaluation()),
        labels=parts.labels,
        location=absolute(folder),
        held_out=parts.validation is not None,
    )


def parser_batches(
    data: TrainingData, config: ParserTrainConfig, start_step: int, fabric: Fabric
) -> Generator[tuple[Tensor, Tensor]]:
    """An endless generator of augmented (image [b, 3, h, w] in [-1, 1], segmap [b, h, w]) from a step on.

    Close the generator to stop its workers.
    """
    schedule = BatchSchedule(
        length=len(data.training),  # type: ignore[arg-type]
        batch_size=config.batch_size,
        seed=config.seed,
        groups=data.groups,
    )
    loaded = batches(
        data.training,
        schedule,
        start_step,
        num_workers=config.num_workers,
        pin_memory=fabric.device.type == "cuda",
    )
    with closing(loaded):
        for step, batch in enumerate(loaded, start=start_step):
            places = range(step * schedule.batch_size, (step + 1) * schedule.batch_size)
            yield augment(
                fabric.to_device(batch["image"]),
                fabric.to_device(batch["segmap"]),
                config.model.image_size,
                data.labels.num_regions,
                noise_generators(config.seed, _STREAM, places),
                config.augmentation,
            )


def label_pixels(run: Path, data: TrainingData) -> Tensor:
    """Numbers of training pixels of each label, int64 [k], counted once and cached in the run's folder.

    Raises:
        InputError: a sample cannot be read, or the file in the run's folder is damaged.
    """
    path = run / COUNTS_NAME
    if not path.is_file():
        counts = count_labels(data.training, data.labels.num_regions)
        write_text_atomic(path, json.dumps(dict(zip(data.labels.names, counts.tolist(), strict=True)), indent=1) + "\n")
    try:
        kept = parse_json(path.read_text(encoding="utf-8"))
        return torch.tensor([int(kept[name]) for name in data.labels.names])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it, and the labels are counted again") from error


def count_labels(dataset: Dataset[Any], num_regions: int) -> Tensor:
    """Numbers of pixels of each label in a data set's segmaps, int64 [k], without unlabelled pixels."""
    counts = torch.zeros(num_regions + 1, dtype=torch.int64)
    count = len(dataset)  # type: ignore[arg-type]
    for index in tracked(range(count), "counting labels", count):
        counts += torch.bincount(dataset[index]["segmap"].flatten(), minlength=num_regions + 1)
    return counts[:num_regions]
