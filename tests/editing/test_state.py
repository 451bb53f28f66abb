"""What edits make of maps, instances and styles, by hand."""

import re

import numpy as np
import pytest
import torch

from sean.editing.edits import (
    Edit,
    Erase,
    Fill,
    Paint,
    Polygon,
    ReplaceLabel,
    ResetSegmap,
    SetStyle,
    SplitRegion,
)
from sean.editing.sources import Sources
from sean.editing.state import Base, EditorState, Region, applied, new_state
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.labels import LabelSet

LABELS = LabelSet(name="three", names=("sky", "tree", "road"))
# two trees, a road, and a pixel of no region
SEGMAP = np.array([[0, 0, 0, 0], [1, 1, 0, 1], [1, 1, 0, 1], [2, 2, 2, 3]])
NONE = (None,) * 6
MEAN = ("mean", 1.0)
PHOTO = ("photo:a", 0.5)


def codes(value: float, present: tuple[bool, bool, bool] = (True, True, True)) -> StyleCodes:
    return StyleCodes(torch.full((3, 2), value), torch.tensor(present), LABELS)


@pytest.fixture
def base() -> Base:
    sources = Sources(LABELS, 2, [codes(0.5)])
    sources.own = codes(0.25, (True, True, False))
    sources.add("a", codes(0.75, (True, False, True)))
    return Base(state=new_state(SEGMAP), sources=sources, num_blocks=6)


def after(base: Base, *edits: Edit) -> EditorState:
    state = base.state
    for edit in edits:
        state = applied(state, edit, base)
    assert np.array_equal(base.state.segmap, SEGMAP) and not base.state.instances.any()
    return state


def middle(row: int, column: int) -> tuple[float, float]:
    return (column + 0.5) / 4, (row + 0.5) / 4


def test_paint_covers_its_pixels_only(base: Base) -> None:
    state = after(base, Paint(points=(middle(0, 0), middle(0, 2)), radius=0.01, label="road"))
    assert state.segmap.tolist() == [[2, 2, 2, 0], *SEGMAP[1:].tolist()]
    assert state.instances is base.state.instances
    for array in (state.segmap, state.instances):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_polygon(base: Base) -> None:
    state = after(base, Polygon(points=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), label=2))
    assert state.segmap.tolist() == [[2, 2, 0, 0], [2, 2, 0, 1], [2, 2, 0, 1], [2, 2, 2, 3]]


def test_fill_takes_one_of_two_trees(base: Base) -> None:
    state = after(base, Fill(point=middle(2, 0), label="sky"))
    assert state.segmap.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [2, 2, 2, 3]]


def test_fill_stops_at_an_instance(base: Base) -> None:
    split = SplitRegion(point=middle(1, 0))
    joined = Fill(point=middle(1, 2), label="tree")  # the sky becomes tree: one area with the trees, but for the split
    state = after(base, split, joined, Fill(point=middle(0, 0), label="road"))
    assert state.segmap.tolist() == [[2, 2, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2], [2, 2, 2, 3]]
    assert state.instances.tolist() == [[0] * 4, [1, 1, 0, 0], [1, 1, 0, 0], [0] * 4]


def test_replace_takes_all_of_a_label(base: Base) -> None:
    state = after(base, SplitRegion(point=middle(1, 0)), ReplaceLabel(old="tree", new="road"))
    assert state.segmap.tolist() == [[0, 0, 0, 0], [2, 2, 0, 2], [2, 2, 0, 2], [2, 2, 2, 3]]
    assert not state.instances.any()


def test_erase_and_reset_bring_back_classes_and_instances(base: Base) -> None:
    changed = (SplitRegion(point=middle(1, 0)), Polygon(points=((0.5, 0.0), (1.0, 0.0), (1.0, 1.0)), label=2))
    state = after(base, *changed, Erase(points=(middle(1, 0), middle(1, 3)), radius=0.01))
    assert state.segmap[1].tolist() == SEGMAP[1].tolist()
    assert state.segmap[2].tolist() == after(base, *changed).segmap[2].tolist() != SEGMAP[2].tolist()
    assert state.instances.tolist() == [[0] * 4, [0] * 4, [1, 1, 0, 0], [0] * 4]
    styled = SetStyle(source="mean", regions=("tree",))
    reset = after(base, *changed, styled, ResetSegmap())
    assert np.array_equal(reset.segmap, SEGMAP) and not reset.instances.any()
    assert reset.styles == {(1, 0): (MEAN,) * 6}


def test_splits_get_numbers_of_their_own(base: Base) -> None:
    state = after(base, SplitRegion(point=middle(1, 3)), SplitRegion(point=middle(1, 0)))
    assert state.instances.tolist() == [[0] * 4, [2, 2, 0, 1], [2, 2, 0, 1], [0] * 4]
    assert state.segmap is base.state.segmap
    # a cut through the first half makes two areas of one number; splitting takes the one around the point
    cut = Paint(points=(middle(1, 0), middle(1, 1)), radius=0.01, label="sky")
    state = applied(applied(state, cut, base), SplitRegion(point=middle(2, 1)), base)
    assert state.instances.tolist() == [[0] * 4, [0, 0, 0, 1], [3, 3, 0, 1], [0] * 4]


def test_a_split_keeps_the_style_that_the_area_had(base: Base) -> None:
    split = SplitRegion(point=middle(1, 0))
    state = after(base, split, SetStyle(source="mean", regions=("tree",), instance=1), split)
    assert state.instances[1].tolist() == [2, 2, 0, 0]
    assert state.styles == {(1, 2): (MEAN,) * 6}


def test_an_instance_that_is_gone_leaves_no_style_to_the_next(base: Base) -> None:
    split, style = SplitRegion(point=middle(1, 0)), SetStyle(source="mean", regions=("tree",), instance=1)
    gone = after(base, split, style, Fill(point=middle(1, 0), label="road"))
    assert gone.styles == {}
    assert applied(gone, SplitRegion(point=middle(1, 3)), base).settings(1, 1) is None


def test_styles_by_block_and_strength(base: Base) -> None:
    state = after(base, SetStyle(source="photo:a", regions=("road",), strength=0.5, blocks=(0, 4)))
    assert state.styles == {(2, 0): (PHOTO, None, None, None, PHOTO, None)}
    state = applied(state, SetStyle(source="mean", regions=(2, "sky"), blocks=(4, 5)), base)
    sky = (None, None, None, None, MEAN, MEAN)
    assert state.styles == {(2, 0): (PHOTO, None, None, None, MEAN, MEAN), (0, 0): sky}
    assert state.segmap is base.state.segmap
    state = applied(state, SetStyle(source="own", regions=("sky",)), base)
    assert state.styles == {(2, 0): (PHOTO, None, None, None, MEAN, MEAN)}
    assert applied(state, SetStyle(source="own"), base).styles == {}


def test_without_regions_all_that_the_source_has(base: Base) -> None:
    assert set(after(base, SetStyle(source="photo:a")).styles) == {(0, 0), (2, 0)}
    assert set(after(base, SetStyle(source="bank:0")).styles) == {(0, 0), (1, 0), (2, 0)}


def test_an_instance_follows_its_class_until_it_has_a_style(base: Base) -> None:
    of_class = SetStyle(source="mean", regions=("tree",))
    state = after(base, SplitRegion(point=middle(1, 0)), of_class)
    assert state.settings(1, 1) == (MEAN,) * 6
    state = applied(state, SetStyle(source="bank:0", regions=("tree",), blocks=(0,), instance=1), base)
    own = (("bank:0", 1.0), *(MEAN,) * 5)
    assert state.settings(1, 1) == own
    state = applied(state, SetStyle(source="own", regions=("tree",)), base)
    assert (state.settings(1), state.settings(1, 1)) == (None, own)
    # and it can have the picture's own while its class has another
    state = after(base, SplitRegion(point=middle(1, 0)), of_class)
    state = applied(state, SetStyle(source="own", regions=("tree",), instance=1), base)
    assert (state.settings(1), state.settings(1, 1)) == ((MEAN,) * 6, NONE)


def test_regions_of_a_state(base: Base) -> None:
    state = after(base, SplitRegion(point=middle(1, 0)), SetStyle(source="mean", regions=("road",)))
    assert base.regions(state) == [
        Region(label=0, instance=0, area=6 / 16, styles=NONE),
        Region(label=1, instance=0, area=2 / 16, styles=NONE),
        Region(label=1, instance=1, area=4 / 16, styles=NONE),
        Region(label=2, instance=0, area=3 / 16, styles=(MEAN,) * 6),
    ]


TREE = {"regions": ("tree",)}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Fill(point=(0.0, 0.0), label="trea"), "unknown region 'trea' in labels 'three'; close: tree"),
        (Fill(point=(0.0, 0.0), label=3), "region id 3 is not in the 3 labels of 'three'"),
        (SplitRegion(point=(1.0, 1.0)), "split_region: expected a point in a region, but that at [1.0, 1.0] has no"),
        (SetStyle(source="photo:b"), "there is no style 'photo:b'; style photos here: a"),
        (SetStyle(source="bank:1"), "there is no style 'bank:1'; the model's bank has 1 styles, bank:0 on"),
        (SetStyle(source="photo:a", **TREE), "photo:a has no tree; it has sky, road"),
        (SetStyle(source="region:road", **TREE), "the picture has no road; it has sky, tree"),
        (SetStyle(source="region:lake", **TREE), "unknown region 'lake'"),
        (SetStyle(source="mean", instance=1, **TREE), "tree has no instance 1; it has none, split it first"),
    ],
)
def test_what_is_not_there_is_refused(base: Base, edit: Edit, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        applied(base.state, edit, base)


def test_an_instance_of_another_region_is_refused(base: Base) -> None:
    state = after(base, SplitRegion(point=middle(1, 0)))
    with pytest.raises(InputError, match="sky has no instance 1"):
        applied(state, SetStyle(source="mean", regions=("sky",), instance=1), base)
    with pytest.raises(InputError, match="tree has no instance 2; it has 1"):
        applied(state, SetStyle(source="mean", regions=("tree",), instance=2), base)


def test_more_instances_than_have_numbers_are_refused(base: Base) -> None:
    full = new_state(SEGMAP, np.where(SEGMAP == 2, 65535, 0))
    with pytest.raises(InputError, match="expected at most 65535 instances in a map"):
        applied(full, SplitRegion(point=middle(1, 0)), base)


@pytest.mark.parametrize(
    "edit",
    [
        SplitRegion(point=(0.0, 0.0)),
        SetStyle(source="mean", blocks=(0,)),
        SetStyle(source="mean", instance=1, **TREE),
    ],
)
def test_a_model_with_one_style_refuses_blocks_and_instances(base: Base, edit: Edit) -> None:
    one = Base(state=base.state, sources=base.sources, num_blocks=1)
    with pytest.raises(InputError, match="this model has no styles per"):
        applied(one.state, edit, one)
    assert applied(one.state, SetStyle(source="mean", **TREE), one).styles == {(1, 0): (MEAN,)}
