"""Plans as values: their tails, other devices, and the way from a loader's worker."""

import pickle

import pytest
import torch

from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import Planner, plan_segmap

from .reference import TENSORS, assert_distinct, assert_plan_of, noise, row_masks, row_regions


def dense_plan() -> PatchPlan:
    plan = plan_segmap(noise(19, 1, 40, 40), scales=(1,)).levels[0]
    assert plan.is_dense
    return plan


def assert_equal(one: PatchPlan, other: PatchPlan) -> None:
    for name in TENSORS:
        left, right = getattr(one, name), getattr(other, name)
        if left is None:
            assert right is None, name
        else:
            assert left.dtype == right.dtype, name
            assert torch.equal(left, right), name


@pytest.mark.parametrize("shape", [(2, 9, 8), (1, 1, 12), (2, 24, 32)])
def test_a_tail_means_what_the_last_rows_mean(shape: tuple[int, int, int]) -> None:
    plan = plan_segmap(noise(2, *shape), noise(3, *shape), scales=(1,)).levels[0]
    for start in (0, 1, plan.num_rows // 2, plan.num_rows - 1, plan.num_rows):
        tail = plan.tail(start)
        assert tail.num_rows == plan.num_rows - start
        assert torch.equal(row_masks(tail), row_masks(plan)[start:])
        assert torch.equal(row_regions(tail), row_regions(plan)[start:])
        assert tail.pixels.shape == (1, 1, tail.num_rows)
        assert torch.equal(tail.pixels.flatten(), torch.arange(tail.num_rows))
        assert tail.numbering is not plan.numbering


@pytest.mark.parametrize("start", [0, 3, 50, 71])
def test_a_tail_has_no_patch_that_it_does_not_need(start: int) -> None:
    tail = plan_segmap(noise(2, 1, 9, 8), scales=(1,)).levels[0].tail(start)
    assert tail.mask_patches is not None
    entries = tail.mask_patches.unique()
    for used, table in (
        (tail.mask_rows.unique(), tail.mask_patches),
        (tail.region_rows.unique(), tail.region_patches),
        (entries[entries > 0] - 1, tail.label_patches),
    ):
        assert torch.equal(used, torch.arange(len(table)))
        assert_distinct(table)


def test_a_tail_of_new_rows_is_small() -> None:
    segmap = noise(2, 1, 32, 32)
    planner = Planner(segmap, scales=(1,))
    before = planner.plan.levels[0]
    segmap[0, 16, 16] = 2
    after = planner.update(segmap).levels[0]
    tail = after.tail(before.num_rows)
    assert tail.num_rows == 25
    assert tail.mask_patches is not None
    assert len(tail.mask_patches) == 25
    assert len(tail.label_patches) <= 7 * 7
    assert len(tail.region_patches) <= 25
    # far from the border no entry is "outside"
    assert torch.equal(row_masks(tail), row_masks(after)[before.num_rows :])
    assert torch.equal(row_regions(tail), row_regions(after)[before.num_rows :])


def test_a_dense_plan_has_no_tail() -> None:
    with pytest.raises(AssertionError, match="dense"):
        dense_plan().tail(0)


def test_a_plan_moves_to_another_device() -> None:
    segmap = noise(19, 1, 64, 64)
    plan = plan_segmap(segmap, scales=(2, 1))
    assert [level.is_dense for level in plan.levels] == [False, True]
    same, moved = plan.to("cpu"), plan.to("meta", non_blocking=True)
    assert torch.equal(same.segmap, segmap)
    assert moved.segmap.device.type == "meta"
    for level, stayed, gone in zip(plan.levels, same.levels, moved.levels, strict=True):
        assert_equal(level, stayed)
        assert level.numbering is stayed.numbering is gone.numbering
        assert gone.is_dense == level.is_dense
        tensors = [getattr(gone, name) for name in TENSORS]
        assert {tensor.device.type for tensor in tensors if tensor is not None} == {"meta"}


def test_a_plan_comes_back_from_a_worker() -> None:
    segmap, variants = noise(19, 1, 64, 64), noise(2, 1, 64, 64)
    plan = plan_segmap(segmap, variants, scales=(2, 1))
    copy = pickle.loads(pickle.dumps(plan))
    assert torch.equal(copy.segmap, segmap)
    for level, copied in zip(plan.levels, copy.levels, strict=True):
        assert_equal(level, copied)
        assert copied.numbering is not level.numbering
    assert_plan_of(copy.levels[1], segmap, variants)


def test_plans_know_how_many_rows_they_have_and_whether_they_are_dense() -> None:
    sparse = plan_segmap(torch.zeros(1, 9, 9, dtype=torch.long), scales=(1,)).levels[0]
    # corner, edge and middle, each at distance 0, 1 and more from the border: 5 x 5 places
    assert sparse.num_rows == len(sparse.mask_rows) == 25
    assert not sparse.is_dense
    assert dense_plan().num_rows == 1600
