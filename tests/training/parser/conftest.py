"""What the tests of a parser's training share: tiny settings, scenes, folders of pairs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.data.synthetic.scenes import SyntheticScenes
from sean.errors import InputError
from sean.images import write_image
from sean.labels import LabelSet
from sean.models.configs import UNetParserConfig
from sean.training.data import TrainingData
from sean.training.parser import loop
from sean.training.parser.config import Augmentation, ParserTrainConfig

LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
STILL = Augmentation(
    oversampling=1,
    zoom=0.0,
    shift=0.0,
    rotation=0.0,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    hue=0.0,
    grey=0.0,
    blur=0.0,
)
CONFIG = ParserTrainConfig(
    model=UNetParserConfig(num_regions=3, image_size=(32, 32), widths=(4, 4, 4, 4, 4, 4)),
    batch_size=2,
    rate=2e-3,
    steps=6,
    warmup_steps=2,
    log_every=1,
    validate_every=3,
    checkpoint_every=2,
)


@pytest.fixture
def scenes() -> TrainingData:
    """Five scenes at twice the size, so that epochs end inside batches, and three held out."""
    return TrainingData(
        training=SyntheticScenes(size=(64, 64), length=5, seed=0, labels=LABELS),
        validation=SyntheticScenes(size=(32, 32), length=3, seed=1, labels=LABELS),
        labels=LABELS,
    )


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ACCELERATOR", "cpu")


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def assert_one_line(error: pytest.ExceptionInfo[InputError], *parts: object) -> None:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert str(part) in message


def write_pairs(root: Path, ids: np.ndarray, count: int) -> Path:
    (root / "labels").mkdir(parents=True)
    (root / "classes.txt").write_text("0 back\n1 l_eye\n2 r_eye\n")
    for number in range(count):
        write_image(root / "images" / f"{number}.png", np.repeat(ids[..., None], 3, axis=2).astype(np.uint8) * 100)
        Image.fromarray(ids.astype(np.uint8)).save(root / "labels" / f"{number}.png")
    return root


def halves() -> np.ndarray:
    """Label 1 on the left of the picture and 2 on the right, below label 0."""
    ids = np.zeros((64, 64), dtype=np.int64)
    ids[32:, :32], ids[32:, 32:] = 1, 2
    return ids
