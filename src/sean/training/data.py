"""The data of a training: a paired folder, local or remote shards of one, or synthetic scenes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from sean.data.paired import PairedDataset
from sean.data.shards.remote import is_url
from sean.data.splits import open_parts
from sean.data.synthetic.scenes import SyntheticScenes
from sean.data.transforms import PairedTransform, Recolor
from sean.errors import InputError
from sean.labels import LabelSet
from sean.training.config import TrainConfig

SYNTHETIC_SCENES = 2000
SYNTHETIC_VALIDATION = 64


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Data sets whose samples are dicts of image [3, h, w] in [-1, 1], segmap [h, w] and name.

    Attributes:
        training: training set, indexed by (epoch, index).
        validation: held-out set, without random crops and mirroring.
        labels: label set of both.
        location: folder or url of the data; None for synthetic scenes.
        held_out: whether the validation pictures are held out. Otherwise they are training pictures, and their scores
            do not generalize.
    """

    training: Dataset[Any]
    validation: Dataset[Any]
    labels: LabelSet
    location: str | None = None
    held_out: bool = True

    @property
    def groups(self) -> tuple[int, ...] | None:
        """Numbers of training samples stored together, for `BatchSchedule`; None if samples are stored separately."""
        return self.training.source.groups if isinstance(self.training, PairedDataset) else None


def open_data(config: TrainConfig, folder: Path | str | None) -> TrainingData:
    """Open a paired folder, split by the config, or shards, split when they were written.

    Args:
        config: sizes, seed, geometry and split.
        folder: paired folder, folder of shards, or url of shards; None gives synthetic scenes of the config's seed.

    Raises:
        InputError: the folder is neither a well-formed paired folder nor a folder of shards, it lacks the instance maps
            that the networks take, or no pair has the prefix of the held-out pairs.
    """
    size = config.model.image_size
    if folder is None:
        training = SyntheticScenes(size=size, length=SYNTHETIC_SCENES, seed=config.seed)
        validation = SyntheticScenes(size=size, length=SYNTHETIC_VALIDATION, seed=config.seed + 1)
        return TrainingData(training=training, validation=validation, labels=training.labels)
    parts = open_parts(folder, validation=config.validation, training_prefix=config.training_prefix)
    assert parts.training is not None, "a split for a training has training pairs"
    if config.model.instance_edges and not parts.training.has_instances:
        raise InputError(
            f"expected instance maps (instances/*.png) in {folder} for networks that take the edges of instances; add "
            "them, or set instance_edges of the model to False"
        )
    transform = PairedTransform(size=size, resize=config.resize, shrink=config.shrink, flip=config.flip)
    recolor = Recolor(probability=config.recolor) if config.recolor else None
    return TrainingData(
        training=PairedDataset(parts.training, transform, config.seed, recolor=recolor),
        validation=PairedDataset(parts.validation or parts.training, transform.evaluation()),
        labels=parts.labels,
        location=absolute(folder),
        held_out=parts.validation is not None,
    )


def absolute(folder: Path | str) -> str:
    """The absolute path of a folder; urls are returned unchanged."""
    return str(folder) if is_url(str(folder)) else str(Path(folder).resolve())
