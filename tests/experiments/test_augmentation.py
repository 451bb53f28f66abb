"""Does restyling help: equal terms for all ways, shifts as meant, the table."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sean.data.splits import open_split
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.experiments import augmentation
from sean.experiments.augmentation import SHIFTS, WAYS, AugmentationTerms, run_augmentation, shifted_image

from .test_runner import run

WIDTHS = (4, 4, 4, 4, 4, 4)


@pytest.fixture(scope="module")
def pipeline(model: Path) -> SEANPipeline:
    """A tiny model, whose labels the drawn data has."""
    return SEANPipeline.from_pretrained(model, "cpu")


@pytest.mark.integration
def test_the_command_writes_a_table_of_all_ways(
    tmp_path: Path, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AugmentationTerms, "__init__", _tiny(AugmentationTerms.__init__))
    assert run("augmentation", tmp_path, "--data", str(data), "--model", str(model), "--seed", "0", "--seed", "1") == 0
    text = (tmp_path / "out" / "augmentation.md").read_text()
    assert "sean experiment augmentation --data celebamask_drawn --model" in text and "--budget 2" in text
    values = json.loads((tmp_path / "out" / "augmentation" / "augmentation.json").read_text())["augmentation"]
    found = values["celebamask_drawn"]
    assert found["training"] == {"0.2": 4, "0.4": 7} and found["held_out"] == 2
    for shift in SHIFTS:
        assert f"Held-out pictures: {shift}" in text
        for way, title in WAYS.items():
            scores = found["miou"][way]["0.4"][shift]
            assert len(scores) == 2 and all(0 <= score <= 1 for score in scores)
            mean, half = sum(scores) / 2, abs(scores[0] - scores[1]) / 2
            assert any(title in line and f"{mean:.3f} ± {half:.3f}" in line for line in text.splitlines())


def _tiny(make: Callable[..., None]) -> Callable[..., None]:
    def init(self: AugmentationTerms, **values: object) -> None:
        make(self, **{"widths": WIDTHS, "copies": 1, "fractions": (0.2, 0.4), **values})

    return init


@pytest.mark.integration
def test_ways_differ_in_their_pictures_alone(
    pipeline: SEANPipeline, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[torch.Tensor]] = {}
    original = augmentation._batch

    def spied(way: str, *arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        images, segmaps = original(way, *arguments)  # type: ignore[arg-type]
        seen.setdefault(way, []).append(segmaps)
        seen.setdefault(f"{way} images", []).append(images)
        return images, segmaps

    monkeypatch.setattr(augmentation, "_batch", spied)
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    terms = AugmentationTerms(size=(32, 32), steps=3, fractions=(0.5,), seeds=(0,), copies=2, widths=WIDTHS)
    first = run_augmentation(pipeline, split.training, split.validation, terms)
    for way in WAYS:
        assert len(seen[way]) == 3
        assert all(torch.equal(one, other) for one, other in zip(seen["none"], seen[way], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(seen["none images"], seen["jitter images"], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(seen["none images"], seen["sean images"], strict=True))
    assert run_augmentation(pipeline, split.training, split.validation, terms) == first


def test_a_part_of_a_single_picture_is_refused(pipeline: SEANPipeline, data: Path) -> None:
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    terms = AugmentationTerms(size=(32, 32), steps=1, fractions=(0.05,))
    with pytest.raises(InputError, match="at least 2 pictures in the smallest part of 18, got 1"):
        run_augmentation(pipeline, split.training, split.validation, terms)


def test_shifts_change_the_light() -> None:
    grey = np.full((2, 2, 3), 128, dtype=np.uint8)
    assert np.array_equal(shifted_image(grey, "as they are"), grey)
    red, green, blue = shifted_image(grey, "white balance")[0, 0].tolist()
    assert red > green == 128 > blue
    night = shifted_image(grey, "night")[0, 0].tolist()
    assert max(night) < 80 and night[2] > night[0]
