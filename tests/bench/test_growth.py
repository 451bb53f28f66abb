"""The series: their rows, and that the number of labels alone changes between the models."""

from dataclasses import replace
from pathlib import Path

import pytest

from sean.bench import growth
from sean.bench.growth import by_labels, by_size
from sean.bench.rendering import BOTH, FLOOR, REPEAT
from sean.bench.segmaps import face_segmaps
from sean.bench.suite import BenchSettings, phases
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.labels import ADE20K
from sean.models.build import build_model
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap

from .conftest import TINY


def num_patches(side: int) -> int:
    masks = plan_segmap(face_segmaps((side, side), 1)[0]).levels[-1].mask_patches
    return len(masks)


def test_by_size(model: SEANModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SIZES", (32, 96))
    points = by_size(model, None, rounds=1)
    assert [(point.name, point.pixels, point.patches) for point in points] == [
        ("32 px", 1024, num_patches(32)),
        ("96 px", 9216, num_patches(96)),
    ]
    for point in points:
        assert set(point.seconds) == {FLOOR, REPEAT, BOTH}
        assert min(point.seconds.values()) > 0


def test_by_labels() -> None:
    points = by_labels(replace(TINY, image_size=(32, 32)), rounds=1)
    names = [f"{k} labels, {what}" for k in (19, 35, 150) for what in ("the same segmap", "all in 150 cells")]
    assert [point.name for point in points] == names
    assert [point.patches for point in points[::2]] == [num_patches(32)] * 3
    assert points[1].patches <= points[3].patches <= points[5].patches
    assert {point.pixels for point in points} == {32 * 32}


def test_a_folder_of_more_labels_than_faces_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sean bench --model OF_150_LABELS --data FOLDER` must not fail at its very last part."""
    monkeypatch.setattr(growth, "LABELS", (19, 35))
    write_paired(tmp_path, SyntheticScenes(size=(32, 32), length=2, labels=ADE20K))
    model = build_model(replace(TINY, num_regions=ADE20K.num_regions, image_size=(32, 32)))
    parts = dict(phases(model, BenchSettings(data=tmp_path, rounds=1)))
    assert len(parts["labels"]()) == 4
