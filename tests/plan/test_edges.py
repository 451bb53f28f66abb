"""Plans with instance edges: patches of labels and edges, regions of labels alone, in all that follows a plan."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sean.plan.patch_plan import SCALES, PatchPlan
from sean.plan.planner import Planner, RecentPlans, plan_segmap
from sean.segmap import instance_edges

from .reference import (
    assert_levels_of,
    assert_plan_of,
    faces,
    noise,
    num_distinct,
    row_masks,
    sample_numbers,
    symbols_of,
    true_regions,
    windows,
)


def finest(segmap: Tensor, edges: Tensor | None, variants: Tensor | None = None) -> PatchPlan:
    return plan_segmap(segmap, variants, scales=(1,), edges=edges).levels[0]


def edges_of(segmap: Tensor) -> Tensor:
    return instance_edges(segmap)[:, 0].bool()


@given(
    seed=st.integers(0, 2**31),
    num_labels=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
)
def test_a_plan_of_any_small_map(seed: int, num_labels: int, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(seed)
    segmap, variants, edges = noise(num_labels, *shape), noise(2, *shape), noise(2, *shape)
    for given_edges in (edges, edges.bool()):
        assert_plan_of(finest(segmap, given_edges), segmap, edges=edges)
    plan = finest(segmap, edges, variants)
    assert_plan_of(plan, segmap, variants, edges)
    wide = windows(symbols_of(segmap, edges), 2).flatten(0, 2)
    assert plan.mask_patches is not None
    assert len(plan.mask_patches) == num_distinct(wide)
    assert plan.num_rows == num_distinct(wide, true_regions(segmap, variants).flatten(0, 2))


def test_by_hand() -> None:
    plan = finest(torch.tensor([[[4, 4, 4]]]), torch.tensor([[[0, 1, 1]]]))
    outside = [0, 0, 0]
    assert plan.label_patches.tolist() == [[*outside, *row, *outside] for row in ([0, 9, 10], [9, 10, 10], [10, 10, 0])]
    assert plan.regions.tolist() == [[0, 4]]
    assert plan.region_patches.tolist() == [[*outside, *row, *outside] for row in ([0, 1, 1], [1, 1, 1], [1, 1, 0])]
    assert plan.mask_rows.tolist() == [0, 1, 2]
    assert plan.region_rows.tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(2, 9, 12), (1, 40, 40)])
def test_without_any_edge_only_the_symbols_are_others(shape: tuple[int, int, int]) -> None:
    segmap = noise(19, *shape)
    plain, with_edges = finest(segmap, None), finest(segmap, torch.zeros_like(segmap))
    patches = plain.label_patches
    assert torch.equal(with_edges.label_patches, torch.where(patches > 0, 2 * patches - 1, 0))
    for name in ("mask_patches", "regions", "region_patches", "mask_rows", "region_rows", "pixels"):
        before, after = getattr(plain, name), getattr(with_edges, name)
        assert after is None if before is None else torch.equal(before, after), name


def test_edges_of_faces_cost_few_patches() -> None:
    """Edges of the labels themselves lie where patches differ anyway."""
    segmap = faces(64)
    assert_levels_of(plan_segmap(segmap, edges=edges_of(segmap)), segmap, edges=edges_of(segmap))
    plain, with_edges = finest(segmap, None), finest(segmap, edges_of(segmap))
    assert torch.equal(with_edges.region_patches, plain.region_patches)
    assert plain.num_rows < with_edges.num_rows < 2.5 * plain.num_rows


def test_dense_levels() -> None:
    segmap, edges = noise(19, 2, 64, 64), noise(2, 2, 64, 64)
    plan = plan_segmap(segmap, edges=edges)
    assert plan.levels[-1].is_dense
    assert_levels_of(plan, segmap, edges=edges)


def test_plans_keep_their_edges_on_their_way() -> None:
    segmap = faces(64)
    edges = edges_of(segmap)
    plan = plan_segmap(segmap, edges=edges)
    for other in (plan.to("cpu"), pickle.loads(pickle.dumps(plan))):
        assert_levels_of(other, segmap, edges=edges)
    moved = plan.to("meta")
    assert moved.edges is not None
    assert moved.edges.device.type == "meta"
    tail = plan.levels[-1].tail(7)
    assert tail.has_edges
    assert torch.equal(row_masks(tail), row_masks(plan.levels[-1])[7:])
    assert not plan_segmap(segmap).levels[-1].tail(7).has_edges


SHAPE = (2, 24, 48)
STROKES = st.tuples(st.integers(0, 1), st.integers(0, 23), st.integers(0, 47), st.integers(1, 24), st.integers(0, 3))


@settings(max_examples=30)
@given(seed=st.integers(0, 99), strokes=st.lists(STROKES, min_size=1, max_size=6))
def test_updates_say_what_a_fresh_plan_says(seed: int, strokes: list[tuple[int, int, int, int, int]]) -> None:
    torch.manual_seed(seed)
    segmap = noise(3, 2, 4, 8).repeat_interleave(6, 1).repeat_interleave(6, 2)
    edges, scales = edges_of(segmap), (24, 8, 3, 1)
    planner = Planner(segmap, scales=scales, edges=edges)
    for sample, y, x, size, kind in strokes:
        segmap, edges, earlier = segmap.clone(), edges.clone(), planner.plan
        window = (sample, slice(y, y + size), slice(x, x + size))
        if kind == 0:
            edges[window] ^= True
        elif kind == 1:
            edges[window] = noise(2, *edges[window].shape).bool()
        else:
            segmap[window] = kind
            edges = edges_of(segmap) if kind == 2 else edges
        plan = planner.update(segmap, edges=edges)
        assert_levels_of(plan, segmap, scales=scales, edges=edges)
        fresh = plan_segmap(segmap, scales=scales, edges=edges)
        for level, other, old in zip(plan.levels, fresh.levels, earlier.levels, strict=True):
            assert level.is_dense == other.is_dense
            assert len(level.pixels.unique()) == other.num_rows
            if level.numbering is old.numbering and not level.is_dense:
                assert torch.equal(level.label_patches[: len(old.label_patches)], old.label_patches)


def test_changes_of_edges_are_counted_and_planned() -> None:
    segmap, edges = faces(64), noise(2, 2, 64, 64)
    planner = Planner(segmap, edges=edges)
    first = planner.plan
    assert planner.count_changes(segmap, edges=edges) == 0
    assert planner.update(segmap, edges=edges.bool()) is first
    other = edges.clone()
    other[1, 33, 20:23] ^= 1
    assert planner.count_changes(segmap, edges=other) == 3
    second = planner.update(segmap, edges=other)
    assert_levels_of(second, segmap, edges=other)
    assert_levels_of(first, segmap, edges=edges)
    assert [a is not b for a, b in zip(first.levels, second.levels, strict=True)] == [scale == 1 for scale in SCALES]


def test_a_planner_stays_with_edges_or_without() -> None:
    segmap = noise(3, 1, 8, 8)
    for edges, other, message in (
        (None, segmap > 0, "expected no edges like those of the planner's segmaps, got some"),
        (segmap > 0, None, "expected edges like those of the planner's segmaps, got none"),
    ):
        planner = Planner(segmap, scales=(1,), edges=edges)
        assert planner.count_changes(segmap, edges=other) is None
        with pytest.raises(ValueError, match=message):
            planner.update(segmap, edges=other)


def test_the_callers_edges_are_not_held() -> None:
    segmap, edges = noise(3, 1, 8, 8), noise(2, 1, 8, 8).bool()
    planner, kept = Planner(segmap, scales=(1,), edges=edges), edges.clone()
    plan = planner.plan
    edges ^= True
    assert planner.count_changes(segmap, edges=kept) == 0
    assert plan.edges is not None
    plan.edges[:] = False
    assert planner.count_changes(segmap, edges=kept) == 0


def test_edges_belong_to_the_content_of_recent_plans() -> None:
    plans, segmap = RecentPlans(), faces(64)
    edges, many = edges_of(segmap), edges_of(segmap)
    edges[0, 5, 5] ^= True
    many[:, :32] ^= True
    plain, first = plans.plan(segmap), plans.plan(segmap, edges=edges_of(segmap))
    assert plain.edges is None
    assert_levels_of(first, segmap, edges=edges_of(segmap))
    assert plans.plan(segmap) is plain
    assert plans.plan(segmap, sample_numbers(segmap), edges=edges_of(segmap)) is first
    near, far = plans.plan(segmap, edges=edges), plans.plan(segmap, edges=many)
    assert_levels_of(near, segmap, edges=edges)
    assert_levels_of(far, segmap, edges=many)
    assert near.levels[-1].numbering is first.levels[-1].numbering
    assert far.levels[-1].numbering is not first.levels[-1].numbering
