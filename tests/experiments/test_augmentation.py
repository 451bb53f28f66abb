"""Does restyling help: equal terms for all ways, shifts as meant, the table."""

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image

from sean.augmentation.recipes import Recipe
from sean.augmentation.restyler import Restyler
from sean.commands.experiments import experiment
from sean.data.paired import Pair
from sean.data.splits import open_split
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.settings import untracked
from sean.evaluation.streaming import digest_of
from sean.experiments import augmentation
from sean.experiments.augmentation import SEGMENTERS, SHIFTS, WAYS, AugmentationTerms, run_augmentation, shifted_image
from sean.experiments.report import RESULTS
from sean.experiments.runner import EXPERIMENTS
from sean.models.efficientnet import EfficientNetLite
from sean.models.weights import network_digest
from sean.training.parser import state

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
    assert text.count("mIoU of the parsers' small U-Net") == 1
    report = tmp_path / "out" / "augmentation" / "augmentation.json"
    found = json.loads(report.read_text())["augmentation"]["celebamask_drawn"]
    assert found["training"] == {"0.2": 4, "0.4": 7} and found["held_out"] == 2
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for shift in SHIFTS:
        for way, title in WAYS.items():
            scores = found["miou"]["unet"][way]["0.4"][shift]
            assert len(scores) == 2 and all(0 <= score <= 1 for score in scores)
            mean, half = sum(scores) / 2, abs(scores[0] - scores[1]) / 2
            assert any(row.startswith(f"| {shift} | {title} |") and f"{mean:.3f} ± {half:.3f}" in row for row in rows)

    # a second run takes every score from the file
    monkeypatch.setattr(augmentation._Part, "train", None)
    first = report.read_text()
    assert run("augmentation", tmp_path, "--data", str(data), "--model", str(model), "--seed", "0", "--seed", "1") == 0
    assert report.read_text() == first


def _tiny(make: Callable[..., None]) -> Callable[..., None]:
    def init(self: AugmentationTerms, **values: object) -> None:
        make(self, **{"widths": WIDTHS, "copies": 1, "fractions": (0.2, 0.4), **values})

    return init


@pytest.mark.integration
def test_ways_differ_in_their_pictures_alone(
    pipeline: SEANPipeline, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[torch.Tensor]] = {}
    original = augmentation._Part._batch

    def spied(part: augmentation._Part, way: str, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        images, segmaps = original(part, way, step)
        seen.setdefault(way, []).append(segmaps)
        seen.setdefault(f"{way} images", []).append(images)
        return images, segmaps

    monkeypatch.setattr(augmentation._Part, "_batch", spied)
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


def test_only_copies_that_are_shown_are_made(
    pipeline: SEANPipeline, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    original = Restyler.copy

    def counted(restyler: Restyler, pair: Pair, recipe: Recipe) -> Pair:
        made.append(recipe.name)
        return original(restyler, pair, recipe)

    monkeypatch.setattr(Restyler, "copy", counted)
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    terms = AugmentationTerms(size=(32, 32), steps=1, fractions=(0.5,), seeds=(0,), copies=9, widths=WIDTHS)
    run_augmentation(pipeline, split.training, split.validation, terms)
    assert 0 < len(made) == len(set(made)) <= 8, "one step of 8 pictures, of 81 possible copies"


def test_the_command_offers_what_there_is() -> None:
    offered = get_type_hints(experiment)
    assert set(get_args(get_args(offered["network"])[0])) == set(SEGMENTERS)
    assert set(get_args(offered["name"])) == {*EXPERIMENTS, RESULTS}


class Cut(Exception):
    """An interruption."""


@pytest.mark.integration
def test_an_interrupted_experiment_continues(
    tmp_path: Path, pipeline: SEANPipeline, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    terms = AugmentationTerms(size=(32, 32), steps=2, fractions=(0.5,), seeds=(0,), copies=1, widths=WIDTHS)
    memory = tmp_path / "models" / "augmentation.json"
    expected = run_augmentation(pipeline, split.training, split.validation, terms)
    original = augmentation._Part.train
    begun: list[str] = []

    def cut(part: augmentation._Part, network: str, way: str, title: str) -> torch.nn.Module:
        begun.append(way)
        if len(begun) == 3:
            raise Cut
        return original(part, network, way, title)

    monkeypatch.setattr(augmentation._Part, "train", cut)
    with pytest.raises(Cut):
        run_augmentation(pipeline, split.training, split.validation, terms, memory=memory)
    found = run_augmentation(pipeline, split.training, split.validation, terms, memory=memory)
    assert begun == ["none", "jitter", "sean", "sean", "both"]
    assert found == expected

    # other terms train anew, and leave the scores of these
    run_augmentation(pipeline, split.training, split.validation, replace(terms, steps=1), memory=memory)
    assert begun[5:] == list(WAYS)
    assert run_augmentation(pipeline, split.training, split.validation, terms, memory=memory) == expected
    assert len(begun) == 9


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of the trainings; they end before their first step."""
    titles: list[str] = []

    def begun(part: augmentation._Part, network: str, way: str, title: str) -> torch.nn.Module:
        titles.append(title)
        return augmentation._new_segmenter(network, part._pipeline.labels, part._terms, part._seed).eval()

    monkeypatch.setattr(augmentation._Part, "train", begun)
    return titles


def few(fractions: tuple[float, ...] = (0.5,)) -> AugmentationTerms:
    return AugmentationTerms(size=(32, 32), steps=1, fractions=fractions, seeds=(0,), copies=1, widths=WIDTHS)


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_scores_of_other_training_pictures_are_not_taken(
    kind: str, tmp_path: Path, pipeline: SEANPipeline, data: Path, trained: list[str]
) -> None:
    """Names, model and held-out pairs stay as they are; one training picture, or its map, changes."""
    folder, memory = tmp_path / data.name, tmp_path / "augmentation.json"
    shutil.copytree(data, folder)

    def trainings() -> int:
        split = open_split(folder, pipeline.labels)
        assert split.training is not None and split.validation is not None
        run_augmentation(pipeline, split.training, split.validation, few(), memory=memory)
        return len(trained)

    assert trainings() == trainings() == len(WAYS)
    path = sorted((folder / kind).glob("*.png"))[3]
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    other.save(path)
    assert trainings() == trainings() == 2 * len(WAYS)


def test_parts_of_one_rounded_percentage_are_two(
    tmp_path: Path, pipeline: SEANPipeline, data: Path, trained: list[str]
) -> None:
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    terms, memory = few((0.470, 0.474)), tmp_path / "augmentation.json"  # 8.46 and 8.53 of 18 pictures
    found = run_augmentation(pipeline, split.training, split.validation, terms, memory=memory)
    assert found["training"] == {"0.47": 8, "0.474": 9}
    assert len(trained) == len(set(trained)) == 2 * len(WAYS)
    assert {"8 pictures" in title or "9 pictures" in title for title in trained} == {True}


def test_a_memory_of_an_earlier_version_is_not_misread(
    tmp_path: Path, pipeline: SEANPipeline, data: Path, trained: list[str]
) -> None:
    """It knew the training pictures by their names; its scores stay in the file."""
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    terms, memory = few(), tmp_path / "augmentation.json"
    held_out = split.validation
    key = digest_of(
        {
            "model": network_digest(pipeline.model),
            "training": [split.training.name(index) for index in range(len(split.training))],
            "held_out": {shift: augmentation._shifted(held_out, shift, terms.size).digest() for shift in SHIFTS},
            "terms": {"size": (32, 32), "steps": 1, "copies": 1, "widths": WIDTHS},
            "recipe": {"batch": 8, "rates": augmentation._RATES, "pretrained_rate": 0.15, "restyled": 0.5},
        }
    )
    older = {f"unet, {title}, 50%, seed 0": {shift: 0.99 for shift in SHIFTS} for title in WAYS.values()}
    memory.write_text(json.dumps({"scores": {key: older}}))
    found = run_augmentation(pipeline, split.training, split.validation, terms, memory=memory)
    assert len(trained) == len(WAYS) and 0.99 not in found["miou"]["unet"]["none"]["0.5"][SHIFTS[0]]
    assert json.loads(memory.read_text())["scores"][key] == older


def test_a_damaged_memory_is_named(tmp_path: Path, pipeline: SEANPipeline, data: Path) -> None:
    split = open_split(data, pipeline.labels)
    assert split.training is not None and split.validation is not None
    memory = tmp_path / "augmentation.json"
    memory.write_text('{"a": 3}')
    terms = AugmentationTerms(size=(32, 32), steps=1, fractions=(0.5,), seeds=(0,), widths=WIDTHS)
    with pytest.raises(InputError, match=r"augmentation\.json") as caught:
        run_augmentation(pipeline, split.training, split.validation, terms, memory=memory)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="at least 1 copy of a picture, got 0"):
        AugmentationTerms(size=(32, 32), steps=1, copies=0)
    with pytest.raises(InputError, match="expected networks of unet, pyramid, segformer, got deeplab"):
        AugmentationTerms(size=(32, 32), steps=1, segmenters=("deeplab",))


@pytest.mark.parametrize("network", ["pyramid", "segformer"])
def test_larger_networks_learn(
    network: str, pipeline: SEANPipeline, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if network == "segformer":
        pytest.importorskip("transformers")
    trunk = EfficientNetLite("lite1")
    monkeypatch.setattr(state, "load_efficientnet", lambda variant: copy.deepcopy(trunk))
    split = open_split(data, pipeline.labels)
    assert split.training is not None
    terms = AugmentationTerms(size=(64, 64), steps=2, copies=1, segmenters=(network,))
    part = augmentation._Part(pipeline, split.training, range(4), terms, 0, untracked)
    start = augmentation._new_segmenter(network, pipeline.labels, terms, 0)
    trained = part.train(network, "none", "two steps")
    changed = {
        name.split(".")[0]
        for (name, before), after in zip(start.named_parameters(), trained.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed >= ({"network"} if network == "segformer" else {"encoder", "head"})
    if network == "pyramid":
        kept = {name.removeprefix("encoder."): value for name, value in start.named_parameters()}
        assert all(torch.equal(kept[name], value) for name, value in trunk.named_parameters())
    assert trained(torch.zeros(1, 3, 64, 64)).shape == (1, pipeline.labels.num_regions, 64, 64)


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
