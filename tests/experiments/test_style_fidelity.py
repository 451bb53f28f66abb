"""Style fidelity: a model that paints with known colours and texture has known scores."""

import numpy as np
import pytest
import torch

from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.experiments.style_fidelity import run_style_fidelity
from sean.labels import LabelSet

SIZE = (48, 64)
LABELS = LabelSet(name="halves", names=("left", "right"), palette=((0, 0, 0), (255, 255, 255)))
SEGMAP = np.repeat((np.arange(64) >= 32)[None], 48, axis=0).astype(np.int64)


class Painter(SEANPipeline):
    """Codes are mean colours; a region is painted with its colour moved by `error`, and noise of spread `detail`."""

    def __init__(self, error: float, detail: float, spill: float = 0.0) -> None:
        self.labels = LABELS
        self.error, self.detail, self.spill = error, detail, spill

    image_size = SIZE

    def encode(self, image: np.ndarray, segmap: np.ndarray) -> StyleCodes:  # type: ignore[override]
        codes = [image[segmap == region].mean(axis=0) for region in range(2)]
        return StyleCodes(torch.tensor(np.array(codes), dtype=torch.float32), torch.ones(2, dtype=torch.bool), LABELS)

    def __call__(self, segmap: np.ndarray, styles: StyleCodes) -> np.ndarray:  # type: ignore[override]
        colors = styles.codes.numpy() + self.error
        noise = np.random.default_rng(7).normal(0, self.detail, (*segmap.shape, 1))
        spilt = self.spill * colors[::-1]
        return (colors * (1 - self.spill) + spilt)[segmap].__add__(noise).round().clip(0, 255).astype(np.uint8)


def pictures(spread: float = 8.0) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    colors = rng.uniform(110, 150, (6, 2, 3))
    noise = [np.random.default_rng(7).normal(0, spread, (*SIZE, 1)) for _ in colors]
    return [((c[SEGMAP] + n).round().astype(np.uint8), SEGMAP) for c, n in zip(colors, noise, strict=True)]


def test_a_faithful_painter_is_faithful() -> None:
    found = run_style_fidelity(Painter(error=0.0, detail=8.0), pictures(), exchanges=10)
    assert found["median"]["color_error"] < 1
    assert found["median"]["recolored_error"] < 1
    assert found["median"]["detail"] == pytest.approx(1, abs=0.05)
    assert found["median"]["locality"] > 1000, "the noise is the same, so nothing changes outside"
    assert set(found["regions"]) == {"left", "right"}


def test_wrong_colors_soft_pictures_and_spilt_styles_show() -> None:
    found = run_style_fidelity(Painter(error=20.0, detail=4.0, spill=0.25), pictures(), exchanges=20)
    assert found["median"]["color_error"] == pytest.approx(20, abs=6)
    assert found["median"]["recolored_error"] == pytest.approx(20, abs=12)
    assert found["median"]["detail"] == pytest.approx(0.5, abs=0.05)
    assert found["median"]["locality"] == pytest.approx(3, rel=0.2)


def test_needs_two_pictures() -> None:
    with pytest.raises(InputError, match="at least 2 pictures"):
        run_style_fidelity(Painter(0, 1), pictures()[:1])
