"""Small random generators in float64, faces that are not square, and a count of what a renderer makes anew."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.data.faces.drawing import draw_face, random_face
from sean.inference import packing
from sean.inference.packing import PackedNorm
from sean.inference.renderer import Renderer
from sean.models.sean.generator import Generator
from sean.plan.patch_plan import SegmapPlan

from ..models.reference import randomize

STYLE_DIM = 16


def make_generator(num_regions: int = 19, **sizes: Any) -> Generator:
    """Nothing hides behind a 0: weights, noise scales, blends and running statistics are random."""
    return randomize(Generator(num_regions, STYLE_DIM, **{"base_channels": 4, "mask_dim": 8, **sizes}))


def make_codes(num_regions: int = 19, variants: int = 1) -> Tensor:
    return torch.randn(variants, num_regions, STYLE_DIM, dtype=torch.float64)


def faces(*seeds: int, size: tuple[int, int] = (64, 96)) -> Tensor:
    drawn = [draw_face(random_face(np.random.default_rng(seed)), size) for seed in seeds]
    return torch.from_numpy(np.stack(drawn))


@torch.no_grad()
def assert_renders(
    renderer: Renderer, generator: Generator, plan: SegmapPlan, codes: Tensor | Sequence[Tensor]
) -> None:
    """The renderer's picture is the generator's."""
    expected = generator(plan.segmap, codes, plan=plan)
    torch.testing.assert_close(renderer(plan, codes), expected, atol=1e-10, rtol=0)


class Made:
    """What has been made since the last look: the rows of every call, and the vectors that tables were filled with."""

    def __init__(self) -> None:
        self.mask: list[int] = []
        self.style: list[int] = []
        self.table: list[int] = []

    def look(self) -> tuple[int, int, int]:
        """Sums of mask rows, style rows and table entries; and forget them."""
        sums = (sum(self.mask), sum(self.style), sum(self.table))
        for numbers in (self.mask, self.style, self.table):
            numbers.clear()
        return sums


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    count = Made()

    def counting(numbers: list[int], size: Callable[..., int], original: Callable[..., Any]) -> Callable[..., Any]:
        def replacement(*arguments: Any) -> Any:
            numbers.append(size(*arguments))
            return original(*arguments)

        return replacement

    for name, numbers in (("mask_part", count.mask), ("style_part", count.style)):
        rows = counting(numbers, lambda _norm, plan, *_: plan.num_rows, getattr(PackedNorm, name))
        monkeypatch.setattr(PackedNorm, name, rows)
    # the mask branch has a reference of its own to this function
    vectors = counting(count.table, lambda vectors, _weight: len(vectors), packing.tap_products)
    monkeypatch.setattr(packing, "tap_products", vectors)
    return count
