"""Self-training of a parser: pictures without label maps, labelled by the averaged weights where they are confident."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import Dataset

from sean.data.loader import BatchSchedule, batches
from sean.data.pictures import PictureDataset, find_pictures
from sean.data.transforms import PairedTransform
from sean.models.parsers import Parser
from sean.training.batch import noise_generators
from sean.training.parser.augmentation import augment
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.state import ParserState

# separates the random numbers from those of the labelled pictures
_STREAM = 3


def open_unlabelled(config: ParserTrainConfig, folder: Path) -> PictureDataset:
    """The pictures of a folder as training data; InputError if the folder holds no picture."""
    factor = config.augmentation.oversampling
    height, width = config.model.image_size
    transform = PairedTransform(size=(height * factor, width * factor), flip=config.flip)
    return PictureDataset(find_pictures(folder), transform, config.seed)


def with_pseudo_labels(
    labelled: Iterator[tuple[Tensor, Tensor]],
    pictures: Dataset[Any],
    state: ParserState,
    config: ParserTrainConfig,
    fabric: Fabric,
) -> Generator[tuple[Tensor, Tensor]]:
    """The batches of `parser_batches` from the state's step on, each with augmented pictures and their pseudo-labels.

    The teacher is the present average, which a resumed training has as well.
    """
    settings = config.self_training
    while state.step < settings.start_step:
        yield next(labelled)
    first = state.step - settings.start_step
    schedule = BatchSchedule(
        length=len(pictures),  # type: ignore[arg-type]
        batch_size=settings.batch_size,
        seed=config.seed,
    )
    loaded = batches(pictures, schedule, first, num_workers=config.num_workers, pin_memory=fabric.device.type == "cuda")
    for step, batch in enumerate(loaded, start=first):
        image, segmap = next(labelled)
        found = fabric.to_device(batch["image"])
        with fabric.autocast():
            guessed = pseudo_labels(state.average, found, settings.confidence)
        places = range(step * schedule.batch_size, (step + 1) * schedule.batch_size)
        found, guessed = augment(
            found,
            guessed,
            config.model.image_size,
            config.model.num_regions,
            noise_generators(config.seed, _STREAM, places),
            config.augmentation,
        )
        yield torch.cat([image, found]), torch.cat([segmap, guessed])


@torch.no_grad()
def pseudo_labels(teacher: Parser, image: Float[Tensor, "b 3 h w"], confidence: float) -> Int[Tensor, "b h w"]:
    """The teacher's label of every pixel, or k ("unlabelled") if its probability is below `confidence`.

    Args:
        teacher: parser in evaluation mode.
        image: pictures in [-1, 1].
        confidence: least probability; 0 keeps all labels.
    """
    logits = teacher(image).float()
    probability, ids = logits.softmax(dim=1).max(dim=1)
    return torch.where(probability >= confidence, ids, logits.shape[1])
