"""Planning a segmap: every pixel's windows come back from the plan, and nothing is numbered twice."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import plan_segmap

from .reference import (
    assert_levels_of,
    assert_plan_of,
    faces,
    noise,
    num_distinct,
    sample_numbers,
    true_regions,
    windows,
)


def stripes(*shape: int) -> Tensor:
    return (torch.arange(shape[-1]) % 2).expand(shape).contiguous()


def finest(segmap: Tensor, variants: Tensor | None = None) -> PatchPlan:
    return plan_segmap(segmap, variants, scales=(1,)).levels[0]


MAPS: dict[str, Callable[[], Tensor]] = {
    "noise of two labels": lambda: noise(2, 2, 12, 21),
    "noise of all labels": lambda: noise(19, 1, 9, 8),
    "one label": lambda: torch.full((2, 7, 8), 5),
    "upright stripes": lambda: stripes(1, 8, 9),
    "level stripes": lambda: stripes(1, 9, 8).mT,
    "a batch of ADE20K's 150": lambda: noise(150, 4, 6, 11),
    "label ids up to 1000": lambda: noise(1001, 1, 6, 7),
    "more pixels than are never dense": lambda: noise(2, 4, 24, 32),
    "one row": lambda: noise(2, 2, 1, 30),
    "one column": lambda: noise(2, 1, 30, 1),
    "two rows": lambda: noise(2, 1, 2, 30),
    "two columns": lambda: noise(2, 1, 30, 2),
    "one pixel": lambda: noise(3, 3, 1, 1),
}


@pytest.mark.parametrize("own_variants", [False, True])
@pytest.mark.parametrize("name", MAPS)
def test_a_plan_says_of_every_pixel_what_is_around_it(name: str, own_variants: bool) -> None:
    segmap = MAPS[name]()
    variants = noise(3, *segmap.shape) if own_variants else None
    plan = finest(segmap, variants)
    assert not plan.is_dense
    assert_plan_of(plan, segmap, variants)

    wide, narrow = windows(segmap, 2).flatten(0, 2), windows(segmap, 1).flatten(0, 2)
    regions = true_regions(segmap, sample_numbers(segmap) if variants is None else variants).flatten(0, 2)
    assert len(plan.label_patches) == num_distinct(narrow)
    assert plan.mask_patches is not None
    assert len(plan.mask_patches) == num_distinct(wide)
    assert len(plan.region_patches) == num_distinct(regions)
    assert plan.num_rows == num_distinct(wide, regions)


@given(
    seed=st.integers(0, 2**31),
    num_labels=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
)
def test_a_plan_of_any_small_map(seed: int, num_labels: int, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(seed)
    segmap, variants = noise(num_labels, *shape), noise(2, *shape)
    assert_plan_of(finest(segmap), segmap)
    assert_plan_of(finest(segmap, variants), segmap, variants)


def test_by_hand() -> None:
    plan = finest(torch.tensor([[[4, 4, 4, 4, 4, 4, 7]]]))
    outside = [0, 0, 0]
    middles = [[0, 5, 5], [5, 5, 5], [5, 5, 8], [5, 8, 0]]
    assert plan.label_patches.tolist() == [[*outside, *middle, *outside] for middle in middles]
    assert plan.mask_patches is not None
    rows = [[0, 1, 2], [1, 2, 2], [2, 2, 2], [2, 2, 3], [2, 3, 4], [3, 4, 0]]
    assert plan.mask_patches.tolist() == [[*outside, *row, *outside] for row in rows]
    assert plan.regions.tolist() == [[0, 4], [0, 7]]
    assert plan.region_patches.tolist() == [
        [*outside, *row, *outside] for row in ([0, 1, 1], [1, 1, 1], [1, 1, 2], [1, 2, 0])
    ]
    assert plan.mask_rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert plan.region_rows.tolist() == [0, 1, 1, 1, 2, 3]
    assert plan.pixels.tolist() == [[[0, 1, 2, 2, 3, 4, 5]]]


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 32, 96), (1, 96, 32), (3, 32, 32)])
def test_the_levels_are_of_the_resized_segmap(shape: tuple[int, int, int]) -> None:
    segmap, variants = noise(3, *shape), noise(3, *shape)
    assert_levels_of(plan_segmap(segmap), segmap)
    assert_levels_of(plan_segmap(segmap, variants), segmap, variants)


def test_equal_samples_share_patches_but_not_regions() -> None:
    single = noise(3, 1, 8, 12)
    alone, twice = finest(single), finest(single.expand(2, -1, -1))
    assert torch.equal(twice.label_patches, alone.label_patches)
    assert alone.mask_patches is not None and twice.mask_patches is not None
    assert torch.equal(twice.mask_patches, alone.mask_patches)
    masks, regions = twice.mask_rows[twice.pixels], twice.region_rows[twice.pixels]
    assert torch.equal(masks[0], masks[1])
    assert not set(regions[0].flatten().tolist()) & set(regions[1].flatten().tolist())
    assert len(twice.region_patches) == 2 * len(alone.region_patches)
    shared = finest(single.expand(2, -1, -1), torch.zeros(2, 8, 12, dtype=torch.long))
    assert shared.num_rows == alone.num_rows


def test_noise_is_planned_densely() -> None:
    segmap = noise(19, 2, 64, 64)
    plan = plan_segmap(segmap)
    assert [level.is_dense for level in plan.levels] == [False, False, False, False, True, True]
    assert_levels_of(plan, segmap)
    assert plan.levels[-1].num_rows == segmap.numel()


def test_up_to_1024_pixels_are_never_dense() -> None:
    assert not finest(noise(19, 2, 16, 32)).is_dense
    assert finest(noise(19, 1, 25, 41)).is_dense


def test_a_plan_is_dense_where_most_patches_are_distinct() -> None:
    segmap = torch.zeros(1, 64, 64, dtype=torch.long)
    segmap[:, :24] = noise(19, 1, 24, 64)
    assert not finest(segmap).is_dense
    segmap[:, 24:40] = noise(19, 1, 16, 64)
    assert finest(segmap).is_dense


def test_faces_have_few_patches() -> None:
    segmap = faces(128)
    plan = plan_segmap(segmap)
    assert not any(level.is_dense for level in plan.levels)
    assert plan.levels[-1].num_rows < segmap.numel() / 5
    assert_levels_of(plan, segmap)
