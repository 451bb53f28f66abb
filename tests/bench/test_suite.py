"""The whole measurement on a tiny model: its parts, that they can be written, and the arithmetic by hand."""

import json
from itertools import chain
from typing import Any

import pytest
import torch

from sean.bench import growth, suite
from sean.bench.floor import main_convolutions
from sean.bench.rendering import BOTH, DENSE, ENCODER, ENCODER_LAYERS, ENCODER_NAIVE, FLOOR, REPEAT, STROKE
from sean.bench.report import as_markdown
from sean.bench.segmaps import face_segmaps
from sean.bench.suite import BenchSettings, phases
from sean.bench.training import FAST as FAST_STEP
from sean.errors import InputError
from sean.models.build import build_model
from sean.models.configs import BLOCKS, NUM_STYLED_BLOCKS
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap

from .conftest import TINY

PARTS = ["machine", "rendering", "encoder", "noise", "gmac"]
TRAINING = ["training", "noise training", "memory"]
K, D, E, SIDE = TINY.num_regions, TINY.style_dim, TINY.encoder_channels, TINY.image_size[0]


def measure(model: SEANModel, settings: BenchSettings) -> dict[str, Any]:
    return {name: run() for name, run in phases(model, settings)}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return list(chain.from_iterable(map(leaves, value))) if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """Everything but training and growth, after one round."""
    torch.manual_seed(0)
    return measure(build_model(TINY), BenchSettings(rounds=1, training=False, growth=False))


def test_parts(model: SEANModel) -> None:
    for training in (False, True):
        for growing in (False, True):
            settings = BenchSettings(training=training, growth=growing)
            expected = PARTS + TRAINING * training + ["sizes", "labels"] * growing
            assert [name for name, _ in phases(model, settings)] == expected


def test_times_are_positive_and_everything_can_be_written(result: dict[str, Any]) -> None:
    assert list(result) == PARTS
    for part in ("rendering", "encoder", "noise"):
        assert min(result[part].values()) > 0
    assert {FLOOR, REPEAT, BOTH, STROKE, DENSE} <= set(result["rendering"])
    assert set(result["noise"]) == {BOTH, DENSE}
    assert set(result["encoder"]) == {ENCODER, ENCODER_LAYERS, ENCODER_NAIVE}
    written = json.loads(json.dumps(result))
    assert as_markdown(written) == as_markdown(result)


def test_the_machine_and_the_sizes_are_told(result: dict[str, Any]) -> None:
    machine = result["machine"]
    assert machine["processor"]
    assert machine["threads"] == torch.get_num_threads()
    assert machine["torch"] == torch.__version__
    assert (machine["base_channels"], machine["style_dim"]) == (4, 8)
    assert machine["image_size"] == (64, 64)
    assert (machine["rounds"], machine["segmaps"]) == (1, "drawn")


def norms() -> list[tuple[int, int, bool]]:
    """(channels, number of the level, whether it has styles) of every SEAN norm."""
    found, level = [], 0
    for index, (into, out, double) in enumerate(BLOCKS):
        widths = [into, min(into, out), *([into] if into != out else [])]
        found += [(4 * width, level, index < NUM_STYLED_BLOCKS) for width in widths]
        level += double
    return found


def test_arithmetic_of_rendering_by_hand(result: dict[str, Any], model: SEANModel) -> None:
    floor = sum(conv.weight.numel() * h * w for conv, (h, w) in main_convolutions(model.generator, (SIDE, SIDE)))
    levels = plan_segmap(face_segmaps((SIDE, SIDE), 1)[0]).levels
    dense = fast = style = 0
    for channels, level, styled in norms():
        plan, pixels = levels[level], levels[level].pixels.numel()
        hidden, out = TINY.mask_dim, 2 * channels
        dense += 9 * pixels * (K * hidden + hidden * out)
        # the hidden layer is a sum of rows; of its patches one is "outside the picture"
        fast += 9 * (1 + len(plan.label_patches)) * hidden * out
        if styled:
            dense += K * D * D + 9 * pixels * D * out
            # where most labels are there, all region maps are applied rather than some copied
            regions = len(plan.regions)
            style += (K if 2 * regions > K else regions) * D * D + regions * 9 * D * out
    expected = {FLOOR: floor, REPEAT: floor, "new style": floor + style, "new segmap": floor + fast}
    expected |= {BOTH: floor + fast + style, DENSE: floor + dense, "plan alone": 0}
    found = {name: result["gmac"][name] * 1e9 for name in expected}
    assert found == pytest.approx(expected)
    assert floor < result["gmac"][STROKE] * 1e9 < floor + fast / 4


def test_arithmetic_of_the_encoder_by_hand(result: dict[str, Any]) -> None:
    pixels = SIDE**2
    layers = 9 * (3 * E * pixels + 2 * E * E * pixels / 4 + 8 * E * E * pixels / 16 + 32 * E * E * pixels / 16)
    layers += 9 * 8 * E * D * pixels / 4
    pooling = K * D * pixels / 4
    gmac = {name: result["gmac"][name] * 1e9 for name in (ENCODER, ENCODER_LAYERS, ENCODER_NAIVE)}
    assert gmac == pytest.approx({ENCODER: layers + pooling, ENCODER_LAYERS: layers + pooling, ENCODER_NAIVE: layers})


def test_noise_is_measured_with_noise(model: SEANModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def rendering(_model: SEANModel, segmaps: list[torch.Tensor], *_: Any) -> dict[str, Any]:
        seen.extend(segmaps)
        return dict.fromkeys((BOTH, DENSE), int)

    def training(_model: SEANModel, segmap: torch.Tensor, *_: Any, **__: Any) -> dict[str, Any]:
        seen.append(segmap)
        return {FAST_STEP: int}

    monkeypatch.setattr(suite, "rendering_cases", rendering)
    monkeypatch.setattr(suite, "training_cases", training)
    parts = dict(phases(model, BenchSettings(rounds=1)))
    parts["noise"]()
    parts["noise training"]()
    assert [len(segmap) for segmap in seen] == [1, 2]
    assert all(plan_segmap(segmap).levels[-1].is_dense for segmap in seen)


def test_a_model_that_cannot_show_faces_is_refused_before_anything_is_measured() -> None:
    small = build_model(type(TINY)(num_regions=5, image_size=(32, 32), style_dim=4, base_channels=1, mask_dim=2))
    with pytest.raises(InputError, match="a model of 5 labels cannot render faces"):
        list(phases(small, BenchSettings()))


@pytest.mark.integration
def test_training_memory_and_growth(model: SEANModel, result: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SIZES", (32, 64))
    monkeypatch.setattr(growth, "LABELS", (19, 35))
    kept = {key: value.clone() for key, value in model.named_parameters()}
    rest = {name: run() for name, run in phases(model, BenchSettings(rounds=1)) if name not in PARTS}
    found = {**result, **rest}
    assert list(found) == [*PARTS, *TRAINING, "sizes", "labels"]
    numbers = [value for value in leaves([found[name] for name in TRAINING]) if value is not None]
    assert len(numbers) >= 5
    assert min(numbers) > 0
    if found["memory"]["fast"] is not None:
        assert found["memory"]["fast"] > 100 * 2**20
    assert not model.training
    assert all(torch.equal(value, kept[key]) for key, value in model.named_parameters())
    assert json.loads(json.dumps(found))["sizes"][1]["name"] == "64 px"
    assert len(as_markdown(found).split("### ")) == 7
