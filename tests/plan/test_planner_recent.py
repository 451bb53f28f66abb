"""Plans of recent segmaps: found again, derived where similar, made anew where not, and never of another segmap."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import RecentPlans

from .reference import assert_levels_of, faces, noise, sample_numbers


def flat(label: int = 0, height: int = 32) -> Tensor:
    return torch.full((1, height, 32), label)


def changed(segmap: Tensor, count: int, label: int = 7) -> Tensor:
    """The first `count` pixels have another label."""
    other = segmap.clone()
    other.view(-1)[:count] = label
    return other


def is_derived(new: SegmapPlan, old: SegmapPlan) -> bool:
    """Whether the plans share numbers, at one resolution at least."""
    return any(a.numbering is b.numbering for a, b in zip(new.levels, old.levels, strict=True))


def test_the_same_content_has_the_same_plan() -> None:
    plans, segmap = RecentPlans(), faces(64)
    first = plans.plan(segmap)
    assert_levels_of(first, segmap)
    plans.plan(flat())
    assert plans.plan(segmap.clone()) is first
    assert plans.plan(segmap, sample_numbers(segmap)) is first


def test_a_similar_segmap_goes_on_with_the_numbers() -> None:
    plans, segmap = RecentPlans(), faces(64)
    first, painted = plans.plan(segmap), segmap.clone()
    painted[:, 20:40, 24:40] = 7
    second = plans.plan(painted)
    assert all(new.numbering is old.numbering for new, old in zip(second.levels, first.levels, strict=True))
    assert_levels_of(second, painted)
    assert_levels_of(first, segmap)
    # an undone stroke: the plan of the segmap before it has its numbers, too
    assert is_derived(plans.plan(segmap), first)


@pytest.mark.parametrize(("count", "derived"), [(255, True), (256, False), (1024, False)])
def test_similar_is_less_than_a_quarter_of_the_pixels(count: int, derived: bool) -> None:
    plans = RecentPlans()
    first = plans.plan(flat())
    assert is_derived(plans.plan(changed(flat(), count)), first) == derived


def test_the_most_similar_of_several_is_taken() -> None:
    plans, base = RecentPlans(), flat()
    near, far = changed(base, 300, label=1), changed(base, 10, label=2)
    known = [plans.plan(base), plans.plan(near)]
    assert not is_derived(*known)
    assert is_derived(plans.plan(changed(near, 100, label=0)), known[1])
    assert is_derived(plans.plan(far), known[0])
    assert is_derived(plans.plan(changed(near, 90, label=0)), known[1])


def test_the_least_recent_is_forgotten() -> None:
    plans = RecentPlans(capacity=2)
    first, second = plans.plan(flat(1)), plans.plan(flat(2))
    for _ in range(2):
        assert plans.plan(flat(1)) is first
    assert plans.plan(flat(2)) is second
    assert plans.plan(flat(1)) is first
    third = plans.plan(flat(3))
    assert plans.plan(flat(1)) is first
    assert plans.plan(flat(3)) is third
    again = plans.plan(flat(2))
    assert again is not second
    assert not is_derived(again, second)


def test_another_size_or_batch_is_another_segmap() -> None:
    plans = RecentPlans()
    first = plans.plan(flat())
    for segmap in (flat(height=64), flat().mT.repeat(1, 1, 2), flat().repeat(2, 1, 1)):
        other = plans.plan(segmap)
        assert not is_derived(other, first)
        assert_levels_of(other, segmap)
    assert plans.plan(flat()) is first


def test_variants_belong_to_the_content() -> None:
    plans, segmap = RecentPlans(), flat()
    first = plans.plan(segmap)
    few, many = changed(flat(), 20, label=1), changed(flat(), 500, label=1)
    derived = plans.plan(segmap, few)
    assert is_derived(derived, first)
    assert_levels_of(derived, segmap, few)
    apart = plans.plan(segmap, many)
    assert not is_derived(apart, first)
    assert_levels_of(apart, segmap, many)
    assert plans.plan(segmap, few) is derived
    assert plans.plan(segmap, many) is apart
    assert_levels_of(plans.plan(segmap), segmap)


EDITS = st.tuples(st.sampled_from(["paint", "noise", "variant", "new", "other size", "back"]), st.integers(0, 99))


@given(capacity=st.integers(1, 3), edits=st.lists(EDITS, min_size=1, max_size=8))
def test_never_a_plan_of_another_segmap(capacity: int, edits: list[tuple[str, int]]) -> None:
    """The painter's map and variants are two tensors that are changed in place."""
    plans, shown = RecentPlans(capacity), []
    segmap, variants = noise(3, 1, 2, 4).repeat_interleave(16, 1).repeat_interleave(8, 2), flat() * 0
    for kind, number in edits:
        y, x = number % 30, number // 4
        if kind == "paint":
            segmap[:, y : y + number % 16 + 1, x : x + 8] = number % 4
        elif kind == "noise":
            segmap[:, y:] = noise(19, *segmap[:, y:].shape)
        elif kind == "variant":
            variants[:, y : y + 6, x:] = number % 3
        elif kind == "back" and shown:
            _, old, old_variants = shown[number % len(shown)]
            segmap, variants = old.clone(), old_variants.clone()
        else:
            height = 64 if kind == "other size" else 32
            segmap, variants = (
                noise(2, 1, height // 8, 4).repeat_interleave(8, 1).repeat_interleave(8, 2),
                flat(0, height),
            )
        plan = plans.plan(segmap, variants)
        assert_levels_of(plan, segmap, variants)
        shown.append((plan, segmap.clone(), variants.clone()))
    for plan, old, old_variants in shown:
        assert_levels_of(plan, old, old_variants)
