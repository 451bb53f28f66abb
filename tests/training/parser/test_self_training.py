"""Self-training: labels of the teacher where it is sure, joined to the labelled pictures, the same after a resume."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from sean.errors import InputError, Interrupted
from sean.images import write_image
from sean.models.parsers import Parser
from sean.training.data import TrainingData
from sean.training.parser import loop
from sean.training.parser.config import ParserTrainConfig, SelfTraining
from sean.training.parser.data import parser_batches
from sean.training.parser.loop import parser_step, train_parser
from sean.training.parser.self_training import open_unlabelled, pseudo_labels, with_pseudo_labels
from sean.training.parser.state import new_parser_state

from ..conftest import assert_same, last_checkpoint
from .conftest import CONFIG, STILL, assert_one_line

STARTED = replace(CONFIG, augmentation=STILL, self_training=SelfTraining(start_step=2, batch_size=3, confidence=0.0))


class Brightness(Parser):
    """Logits 0 and twice the red channel: the probability of label 1 is its sigmoid."""

    def _encode(self, image: Tensor) -> list[Tensor]:
        return [image]

    def _decode(self, levels: list[Tensor]) -> Tensor:
        red = levels[0][:, 0]
        return torch.stack([torch.zeros_like(red), 2 * red], dim=1)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
        write_image(tmp_path / "pictures" / f"{number}.png", picture)
    return tmp_path / "pictures"


def test_the_teacher_labels_what_it_is_sure_of() -> None:
    row = torch.tensor([1.0, 0.2, 0.0, -0.3, -1.0, *[0.0] * 27])
    image, teacher = row.expand(1, 3, 32, 32), Brightness()

    def labels(confidence: float) -> list[int]:
        return pseudo_labels(teacher, image, confidence)[0, 7, :5].tolist()

    assert labels(0.0) == [1, 1, 0, 0, 0]
    # sigmoid(2) = 0.88, sigmoid(0.6) = 0.65, sigmoid(0.4) = 0.60
    assert labels(0.62) == [1, 2, 2, 0, 0]
    assert labels(0.9) == [2, 2, 2, 2, 2]


def joined(
    config: ParserTrainConfig, scenes: TrainingData, pictures: Path
) -> tuple[Any, Iterator[tuple[Tensor, Tensor]]]:
    fabric = Fabric(accelerator="cpu", devices=1)
    state = new_parser_state(config, fabric)
    stream = parser_batches(scenes, config, 0, fabric)
    return state, with_pseudo_labels(stream, open_unlabelled(config, pictures), state, config, fabric)


def test_unlabelled_pictures_join_from_their_step_on(scenes: TrainingData, pictures: Path) -> None:
    config = replace(STARTED, augmentation=replace(STILL, oversampling=2))  # as large as the scenes
    state, stream = joined(config, scenes, pictures)
    fabric = Fabric(accelerator="cpu", devices=1)
    sizes, seen = [], []
    for _ in range(4):
        image, segmap = next(stream)
        sizes.append(len(image))
        assert segmap.shape == (len(image), 32, 32) and image.shape == (len(image), 3, 32, 32)
        seen.append((image[2:], segmap[2:], state.average.predict(image[2:]) if len(image) > 2 else None))
        parser_step(state, (image, segmap), torch.ones(3), config, fabric)
    assert sizes == [2, 2, 5, 5]
    assert not torch.equal(seen[2][0], seen[3][0])
    image, segmap, own = seen[2]
    # the teacher saw the larger picture: nearly the same labels as it finds in the smaller one
    assert (own == segmap).float().mean() > 0.6


def test_nothing_is_learnt_where_the_teacher_is_not_sure(scenes: TrainingData, pictures: Path) -> None:
    config = replace(
        STARTED,
        augmentation=replace(STILL, oversampling=2),
        self_training=SelfTraining(start_step=0, batch_size=2, confidence=1.0),
    )
    _, stream = joined(config, scenes, pictures)
    _, segmap = next(stream)
    assert (segmap[2:] == 3).all() and (segmap[:2] < 3).all()


def test_an_interrupted_run_ends_as_the_straight_one(
    scenes: TrainingData, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(STARTED, augmentation=replace(CONFIG.augmentation, oversampling=2))
    unlabelled = open_unlabelled(config, pictures)
    train_parser(config, scenes, tmp_path / "straight", unlabelled=unlabelled)
    train_parser(config, scenes, tmp_path / "without")
    step = loop.parser_step

    def signalled(state: Any, *args: Any) -> dict[str, float]:
        values = step(state, *args)
        if state.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return values

    monkeypatch.setattr(loop, "parser_step", signalled)
    with pytest.raises(Interrupted):
        train_parser(config, scenes, tmp_path / "stopped", unlabelled=unlabelled)
    monkeypatch.setattr(loop, "parser_step", step)
    train_parser(config, scenes, tmp_path / "stopped", unlabelled=unlabelled, resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(tmp_path / "stopped"))
    weights = [last_checkpoint(tmp_path / name)["parser"]["head.weight"] for name in ("straight", "without")]
    assert not torch.equal(*weights), "the pictures count"


@pytest.mark.parametrize("setting", [{"start_step": -1}, {"batch_size": 0}, {"confidence": 1.1}])
def test_bad_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        SelfTraining(**setting)
    assert_one_line(error, "expected self-training with", next(iter(setting)))
