"""Updating a plan: it says what a fresh plan would, keeps its numbers, and looks at the touched window only."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sean.plan import level as level_module
from sean.plan.patch_plan import SCALES, PatchPlan, SegmapPlan
from sean.plan.planner import Planner, plan_segmap

from .reference import TENSORS, assert_levels_of, faces, noise, sample_numbers

TABLES = tuple(name for name in TENSORS if name != "pixels")

Stroke = tuple[tuple[slice, slice, slice], str, int]


class Follower:
    """A planner whose every plan is checked against the truth and against the plans before it."""

    def __init__(self, segmap: Tensor, variants: Tensor, scales: Sequence[int]) -> None:
        self.scales = scales
        self.planner = Planner(segmap, variants, scales)
        self.check(segmap, variants)

    def step(self, segmap: Tensor, variants: Tensor) -> None:
        earlier, kept = self.planner.plan, snapshot(self.planner.plan)
        plan = self.planner.update(segmap, variants)
        self.check(segmap, variants)
        for old, new in zip(earlier.levels, plan.levels, strict=True):
            if new.numbering is old.numbering:
                assert_continues(old, new)
        for before, after in zip(kept, snapshot(earlier), strict=True):
            assert torch.equal(before, after)

    def check(self, segmap: Tensor, variants: Tensor) -> None:
        plan = self.planner.plan
        assert_levels_of(plan, segmap, variants, self.scales)
        for level, fresh in zip(plan.levels, plan_segmap(segmap, variants, self.scales).levels, strict=True):
            assert level.is_dense == fresh.is_dense
            assert len(level.pixels.unique()) == fresh.num_rows


def snapshot(plan: SegmapPlan) -> list[Tensor]:
    tensors = [getattr(level, name) for level in plan.levels for name in TENSORS]
    return [plan.segmap.clone(), *(tensor.clone() for tensor in tensors if tensor is not None)]


def assert_continues(old: PatchPlan, new: PatchPlan) -> None:
    for name in TABLES:
        before, after = getattr(old, name), getattr(new, name)
        if before is not None:
            assert torch.equal(after[: len(before)], before), name


@st.composite
def slices(draw: st.DrawFn, size: int) -> slice:
    """A piece of 0 .. size-1, often a single one, often at the border."""
    start = draw(st.sampled_from([0, size - 1]) | st.integers(0, size - 1))
    return slice(start, start + draw(st.just(1) | st.integers(1, size)))


@st.composite
def strokes(draw: st.DrawFn, shape: tuple[int, int, int]) -> Stroke:
    """Where, what of, and a seed or label."""
    window = draw(st.just((slice(None),) * 3) | st.tuples(*(slices(size) for size in shape)))
    kind = draw(st.sampled_from(["label", "label", "noise", "variant", "undo", "both"]))
    return window, kind, draw(st.integers(0, 40))


SHAPE = (2, 24, 48)


@given(seed=st.integers(0, 99), many=st.lists(st.lists(strokes(SHAPE), min_size=1, max_size=3), min_size=1, max_size=8))
def test_updates_say_what_a_fresh_plan_says(seed: int, many: list[list[Stroke]]) -> None:
    torch.manual_seed(seed)
    coarse = noise(3, 2, 4, 8).repeat_interleave(6, 1).repeat_interleave(6, 2)
    states = [(coarse, sample_numbers(coarse).clone())]
    follower = Follower(*states[0], scales=(24, 8, 3, 1))
    for batch in many:
        segmap, variants = (tensor.clone() for tensor in states[-1])
        for window, kind, number in batch:
            if kind == "undo":
                segmap, variants = (tensor.clone() for tensor in states[max(-2, -len(states))])
            if kind == "noise":
                segmap[window] = noise(number + 1, *segmap[window].shape)
            if kind in ("label", "both"):
                segmap[window] = number
            if kind in ("variant", "both"):
                variants[window] = number % 5
        states.append((segmap, variants))
        follower.step(segmap, variants)


def test_changes_in_several_places_at_once() -> None:
    segmap = faces(64)
    planner = Planner(segmap)
    for places in ([(0, 5, 40), (1, 50, 10)], [(0, 63, 0), (0, 0, 63)], [(1, 0, 0), (1, 63, 63), (0, 32, 32)]):
        for place in places:
            segmap[place] += 1
        assert_levels_of(planner.update(segmap), segmap)


def test_from_flat_to_noisy_and_back() -> None:
    flat, variants = torch.zeros(1, 40, 64, dtype=torch.long), torch.zeros(1, 40, 64, dtype=torch.long)
    noisy, edited, calm = noise(19, 1, 40, 64), noise(19, 1, 40, 64), flat.clone()
    edited[:, 8:12, 60:] = 3
    calm[:, :8] = noisy[:, :8]
    follower, dense = Follower(flat, variants, scales=(8, 2, 1)), []
    for segmap in (noisy, edited, calm, noisy, flat):
        follower.step(segmap, variants)
        dense.append(follower.planner.plan.levels[-1].is_dense)
    assert dense == [True, True, False, True, False]


def test_an_unchanged_segmap_has_the_same_plan() -> None:
    segmap = faces(64)
    planner = Planner(segmap)
    assert planner.update(segmap.clone()) is planner.plan
    assert planner.update(segmap, sample_numbers(segmap)) is planner.plan
    changed = segmap.clone()
    changed[0, 5, 5] += 1
    first = planner.plan
    assert planner.update(changed) is planner.plan is not first
    assert planner.update(changed.clone()) is planner.plan


def test_numbers_live_on_and_an_undone_stroke_adds_none() -> None:
    segmap = faces(64)
    planner = Planner(segmap)
    before, changed = planner.plan, segmap.clone()
    changed[1, 20:40, 24:50] = 7
    after = planner.update(changed)
    undone = planner.update(segmap)
    for old, new, last in zip(before.levels, after.levels, undone.levels, strict=True):
        assert old.numbering is new.numbering is last.numbering
        assert new.num_rows > old.num_rows
        assert torch.equal(last.pixels, old.pixels)
        assert all(torch.equal(getattr(last, name), getattr(new, name)) for name in TABLES)


def test_numbering_starts_afresh_when_most_rows_are_unused() -> None:
    planner = Planner(noise(19, 1, 32, 32), scales=(1,))
    first = planner.plan.levels[0]
    second = planner.update(noise(19, 1, 32, 32)).levels[0]
    third = planner.update(noise(19, 1, 32, 32)).levels[0]
    assert [level.num_rows for level in (first, second, third)] == [1024, 2048, 1024]
    assert second.numbering is first.numbering
    assert third.numbering is not first.numbering
    assert len(third.label_patches) == len(third.region_patches) == 1024


def test_few_rows_are_kept_though_most_are_unused() -> None:
    planner = Planner(noise(19, 1, 8, 8), scales=(1,))
    first = planner.plan.levels[0]
    for _ in range(9):
        last = planner.update(noise(19, 1, 8, 8)).levels[0]
    assert last.numbering is first.numbering
    assert last.num_rows == 640


def test_only_what_a_stroke_touches_is_renumbered(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    extend = level_module.extend

    def counting(known: np.ndarray, columns: list[np.ndarray], *rest: object) -> tuple[np.ndarray, np.ndarray]:
        found.append(len(columns[0]))
        return extend(known, columns, *rest)

    monkeypatch.setattr(level_module, "extend", counting)
    segmap = faces(128, count=1)
    planner = Planner(segmap)
    assert max(found) == segmap.numel()
    found.clear()
    segmap[0, 33, 65] = 8  # odd, so that the finest level alone has this pixel
    planner.update(segmap)
    assert max(found) == 5 * 5
    assert sum(found) <= 5 * 5 * 5
    found.clear()
    segmap[0, 40:50, 70:80] = 8
    planner.update(segmap)
    assert sum(found) < segmap.numel() / 10


def test_an_edit_between_its_pixels_leaves_a_level_alone() -> None:
    segmap = faces(64)
    planner = Planner(segmap)
    before = planner.plan
    segmap[0, 8:12, 22] = 12
    after = planner.update(segmap)
    assert [new.num_rows > old.num_rows for old, new in zip(before.levels, after.levels, strict=True)] == [
        scale in (1, 2) for scale in SCALES
    ]
    assert_levels_of(after, segmap)


def test_another_size_is_an_error() -> None:
    planner = Planner(noise(3, 2, 8, 8), scales=(1,))
    for shape in ((1, 8, 8), (2, 8, 9)):
        with pytest.raises(ValueError, match=re.escape(f"the planner's size (2, 8, 8), got {shape}")):
            planner.update(noise(3, *shape))


def test_changes_are_counted() -> None:
    segmap = noise(3, 2, 8, 8)
    planner = Planner(segmap, scales=(1,))
    assert planner.count_changes(segmap) == 0
    changed, variants = segmap.clone(), sample_numbers(segmap).clone()
    changed[0, 1, 2:5] += 1
    variants[0, 1, 4:6] = 5
    assert planner.count_changes(changed) == 3
    assert planner.count_changes(segmap, variants) == 2
    assert planner.count_changes(changed, variants) == 4
    assert planner.count_changes(segmap[:1]) is None
    assert planner.count_changes(segmap[:, :, :7]) is None
    assert torch.equal(planner.plan.segmap, segmap)
    planner.update(changed, variants)
    assert planner.count_changes(changed, variants) == 0
    assert planner.count_changes(segmap) == 4


def test_the_callers_tensors_are_not_held() -> None:
    segmap, variants = noise(3, 1, 8, 8), noise(2, 1, 8, 8)
    planner = Planner(segmap, variants, scales=(1,))
    for number in (8, 9):
        kept, plan = (segmap.clone(), variants.clone()), planner.plan
        segmap[0, :2] = number
        variants[0, :2] = number
        assert planner.count_changes(*kept) == 0
        assert planner.update(*kept) is plan
        assert_levels_of(plan, *kept, scales=(1,))
        planner.update(segmap, variants)
