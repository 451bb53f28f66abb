"""The data of a training: a paired folder, or synthetic scenes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from sean.data.paired import PairedDataset, PairedFolder
from sean.data.synthetic import SyntheticScenes
from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.labels import LabelSet
from sean.training.config import TrainConfig

SYNTHETIC_SCENES = 2000
SYNTHETIC_VALIDATION = 64


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Data sets whose samples are dicts of image [3, h, w] in [-1, 1], segmap [h, w] and name.

    Attributes:
        training: takes keys (epoch, index).
        validation: held out, never cropped at random or mirrored.
        labels: of both.
    """

    training: Dataset[Any]
    validation: Dataset[Any]
    labels: LabelSet


def open_data(config: TrainConfig, folder: Path | None) -> TrainingData:
    """Open a paired folder, split by `config.validation`; None gives synthetic scenes of the config's seed.

    Raises:
        InputError: the folder is not a well-formed paired folder, or nothing of it is held out.
    """
    size = config.model.image_size
    if folder is None:
        training = SyntheticScenes(size=size, length=SYNTHETIC_SCENES, seed=config.seed)
        validation = SyntheticScenes(size=size, length=SYNTHETIC_VALIDATION, seed=config.seed + 1)
        return TrainingData(training=training, validation=validation, labels=training.labels)
    pairs = PairedFolder.open(folder)
    transform = PairedTransform(size=size, resize=config.resize, flip=config.flip)
    training_stems, validation_stems = pairs.split(config.validation)
    if not validation_stems:
        raise InputError(f"expected a validation fraction above 0 (some pairs are held out), got {config.validation}")
    return TrainingData(
        training=PairedDataset(pairs, training_stems, transform, config.seed),
        validation=PairedDataset(pairs, validation_stems, transform.evaluation()),
        labels=pairs.labels,
    )
