"""Curves of a run: what is read from its records, and that a picture of them comes out."""

import json
from pathlib import Path

import numpy as np
import pytest

from sean.errors import InputError
from sean.images import read_image
from sean.training.curves import draw_curves, read_curves


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two steps and a validation."""
    lines = [
        {"kind": "train", "step": 1, "l1": 3.0, "seconds_per_step": 0.5},
        {"kind": "train", "step": 2, "l1": 2.0, "adversarial": -1.0, "seconds_per_step": 0.25},
        {"kind": "validation", "step": 2, "psnr": 12.5, "psnr_of_flat_colors": 11.0},
    ]
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_records_become_curves(run: Path) -> None:
    curves = read_curves(run)
    assert curves["train"]["l1"] == ([1, 2], [3.0, 2.0])
    assert curves["train"]["adversarial"] == ([2], [-1.0])
    assert curves["validation"]["psnr"] == ([2], [12.5])


def test_a_picture_is_drawn_and_shows_the_values(run: Path, tmp_path: Path) -> None:
    draw_curves([run], tmp_path / "one.png")
    first = read_image(tmp_path / "one.png")
    assert min(first.shape[:2]) > 200 and len(np.unique(first.reshape(-1, 3), axis=0)) > 10
    text = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(text.replace("12.5", "30.0"))
    draw_curves([run], tmp_path / "two.png")
    assert not np.array_equal(first, read_image(tmp_path / "two.png"))
    draw_curves([run, run], tmp_path / "both.svg")
    assert (tmp_path / "both.svg").read_text().startswith("<?xml")


def test_bad_runs_are_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a training's folder with metrics\.jsonl"):
        draw_curves([tmp_path / "none"], tmp_path / "x.png")
    with (run / "metrics.jsonl").open("a") as file:
        file.write("{cut\n")
    with pytest.raises(InputError, match=r"metrics\.jsonl line 4 is not a training record"):
        draw_curves([run], tmp_path / "x.png")
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(InputError, match="no step is recorded yet"):
        draw_curves([run], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
