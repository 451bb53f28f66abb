"""Several styles in one picture, and forks of a pipeline for several pictures at once."""

import re

import numpy as np
import pytest
import torch

from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.images import tensor_to_image
from sean.inference.packing import PackedNorm
from sean.plan.planner import plan_segmap

from ..support.pipelines import random_styles

FACE = draw_face(FaceShape(), (64, 64))


def _halves() -> np.ndarray:
    """0 on the left, 1 on the right."""
    return np.repeat(np.arange(64)[None] // 32, 64, axis=0)


def test_variants_with_equal_styles_are_one_style_bit_for_bit(pipeline: SEANPipeline) -> None:
    style = random_styles(0)
    whole = np.asarray(pipeline(FACE, style))
    assert np.array_equal(whole, np.asarray(pipeline(FACE, [style, style], variants=_halves())))
    per_block = [[style] * 6, style]
    assert np.array_equal(whole, np.asarray(pipeline(FACE, per_block, variants=_halves())))
    assert np.array_equal(whole, np.asarray(pipeline(FACE, [style], variants=0 * _halves())))


def test_two_regions_of_one_label_take_two_styles(pipeline: SEANPipeline) -> None:
    """As the network renders a plan with variants; which is what is shown to be right in tests/models."""
    left, right = random_styles(0), random_styles(1)
    picture = pipeline(FACE, [left, right], variants=_halves())
    ids, numbers = torch.from_numpy(FACE)[None], torch.from_numpy(_halves())[None]
    codes = torch.stack([left.codes, right.codes])
    with torch.inference_mode():
        expected = pipeline.model.render(ids, codes, plan=plan_segmap(ids, numbers))
    assert np.abs(np.asarray(picture).astype(int) - tensor_to_image(expected[0])).max() <= 1
    for style in (left, right):
        assert not np.array_equal(np.asarray(picture), np.asarray(pipeline(FACE, style)))


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        (np.full((64, 64), 2), "expected variants in 0..1, numbers of styles, got 2..2"),
        (np.full((64, 64), -1), "expected variants in 0..1, numbers of styles, got -1..-1"),
        (np.zeros((32, 64), int), "expected variants as integers of the segmap's size [64, 64], got int64 [32, 64]"),
        (np.zeros((64, 64)), "expected variants as integers of the segmap's size [64, 64], got float64 [64, 64]"),
    ],
)
def test_variants_that_are_none_are_refused(pipeline: SEANPipeline, variants: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        pipeline(np.zeros((64, 64), int), [random_styles(0)] * 2, variants=variants)


def test_a_fork_renders_the_same_and_remembers_by_itself(
    pipeline: SEANPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    style, other = random_styles(0), random_styles(1)
    fork = pipeline.fork()
    expected = np.asarray(pipeline(FACE, style))
    assert np.array_equal(expected, np.asarray(fork(FACE, style)))
    assert fork.model is pipeline.model
    fork(FACE, style)
    # the other one's pictures do not push this one's rows out
    for seed in range(8):
        pipeline(np.roll(FACE, seed, axis=1), other)
    made: list[int] = []
    style_part = PackedNorm.style_part
    monkeypatch.setattr(PackedNorm, "style_part", lambda *args: (made.append(1), style_part(*args))[1])
    assert np.array_equal(expected, np.asarray(fork(FACE, style)))
    assert not made
    assert np.array_equal(expected, np.asarray(pipeline(FACE, style)))
    assert made
