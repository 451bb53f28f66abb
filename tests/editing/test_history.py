"""Undo and redo against a naive history that keeps every state, and what is kept of many edits."""

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sean.editing import history as history_module
from sean.editing.edits import Edit, Fill, Paint, SetStyle, SplitRegion, edit_from_json
from sean.editing.history import History
from sean.editing.sources import Sources
from sean.editing.state import Base, EditorState, applied, new_state
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ

from ..support.pipelines import random_styles

SIZE = 8


def make_base() -> Base:
    sources = Sources(CELEBAMASK_HQ, 8, [random_styles(0)])
    sources.own = random_styles(1)
    segmap = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) // 16
    return Base(state=new_state(segmap), sources=sources, num_blocks=6)


def make_history(base: Base) -> History:
    return History(base.state, lambda state, edit: applied(state, edit, base))


def assert_same(a: EditorState, b: EditorState) -> None:
    assert np.array_equal(a.segmap, b.segmap) and a.segmap.dtype == b.segmap.dtype
    assert np.array_equal(a.instances, b.instances) and a.instances.dtype == b.instances.dtype
    assert a.styles == b.styles


spots = st.tuples(st.floats(0, 1), st.floats(0, 1))
some_label = st.integers(0, 18)
some_edit = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("paint"),
            "points": st.lists(spots, min_size=1, max_size=3),
            "radius": st.floats(0.01, 0.4),
            "label": some_label,
        }
    ),
    st.fixed_dictionaries({"kind": st.just("fill"), "point": spots, "label": some_label}),
    st.fixed_dictionaries({"kind": st.just("split_region"), "point": spots}),
    st.fixed_dictionaries(
        {"kind": st.just("set_style"), "source": st.sampled_from(["own", "mean", "bank:0"])},
        optional={"strength": st.floats(0, 1), "blocks": st.lists(st.integers(0, 5), min_size=1, unique=True)},
    ),
    st.just({"kind": "reset_segmap"}),
)
some_step = st.one_of(some_edit, some_edit, st.sampled_from(["undo", "undo", "redo"]))


class Naive:
    """Keeps all."""

    def __init__(self, base: Base) -> None:
        self.base, self.states, self.edits, self.position = base, [base.state], [], 0  # type: ignore[var-annotated]

    def push(self, edit: Edit) -> None:
        state = applied(self.states[self.position], edit, self.base)
        del self.states[self.position + 1 :], self.edits[self.position :]
        self.states.append(state)
        self.edits.append(edit)
        self.position += 1

    def move(self, by: int) -> bool:
        if not 0 <= self.position + by < len(self.states):
            return False
        self.position += by
        return True


@given(st.lists(some_step, max_size=40))
@settings(max_examples=40)
def test_as_a_history_that_keeps_all(steps: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:  # so small that a few edits use everything
        patch.setattr(history_module, "_SNAPSHOT_EVERY", 4)
        patch.setattr(history_module, "_NUM_KEPT", 3)
        patch.setattr(history_module, "_IN_MEMORY", 100)
        base = make_base()
        history, naive = make_history(base), Naive(base)
        for step in steps:
            if isinstance(step, dict):
                edit = edit_from_json(step)
                history.push(edit)
                naive.push(edit)
            else:
                by = 1 if step == "redo" else -1
                assert (history.redo() if by > 0 else history.undo()) == naive.move(by)
            assert_same(history.state, naive.states[naive.position])
            assert history.position == naive.position
            assert (history.can_undo, history.can_redo) == (
                naive.position > 0,
                naive.position < len(naive.edits),
            )
            assert len(history._recent) <= 3
        assert list(history.done()) == naive.edits[: naive.position]
        assert list(history.undone()) == naive.edits[naive.position :]
        while naive.move(-1):
            assert history.undo()
            assert_same(history.state, naive.states[naive.position])
        assert not history.undo()
        while naive.move(1):
            assert history.redo()
            assert_same(history.state, naive.states[naive.position])
        assert not history.redo()


def test_an_edit_that_fails_changes_nothing() -> None:
    base = make_base()
    history = make_history(base)
    history.push(Fill(point=(0.0, 0.0), label=3))
    history.push(Fill(point=(0.0, 0.0), label=4))
    history.undo()
    before = history.state
    with pytest.raises(InputError, match="unknown region"):
        history.push(Fill(point=(0.0, 0.0), label="beard"))
    assert history.state is before and history.position == 1 and history.can_redo
    assert history.redo() and history.state.segmap[0, 0] == 4


def test_ten_thousand_edits_keep_few_states_and_little_memory() -> None:
    """Each edit is a stroke of 8 points; the states differ everywhere."""
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 19, (50, SIZE, SIZE))

    def apply(state: EditorState, edit: Edit) -> EditorState:
        assert isinstance(edit, Paint)
        return new_state(maps[int(edit.radius * 50) % 50])

    history = History(new_state(maps[0]), apply)
    points = tuple((x, y) for x, y in rng.random((8, 2)).tolist())
    edits = [Paint(points=points, radius=(i + 0.5) / 50, label=0) for i in range(50)]
    others = count_states() - 1
    for i in range(10_000):
        history.push(edits[i % 50])
    assert count_states() - others <= 34
    # 3 MB of edits are on the disk, and for each the memory has a number of 8 bytes
    assert history._edits._file._rolled  # type: ignore[attr-defined]
    assert history._edits._ends.itemsize * len(history._edits) == 80_000
    assert len(history._snapshots) == 10_000 // 64
    for i in range(9_999, 9_800, -1):
        assert history.undo()
        assert np.array_equal(history.state.segmap, maps[(i - 1) % 50])
    assert count_states() - others <= 34
    history.close()


def count_states() -> int:
    gc.collect()
    return sum(type(thing) is EditorState for thing in gc.get_objects())


def test_states_share_what_an_edit_leaves_alone() -> None:
    base = make_base()
    history = make_history(base)
    styled = history.push(SetStyle(source="mean"))
    assert styled.segmap is base.state.segmap and styled.instances is base.state.instances
    split = history.push(SplitRegion(point=(0.5, 0.5)))
    assert split.segmap is base.state.segmap


def test_the_files_go_with_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_IN_MEMORY", 1)
    history = make_history(make_base())
    history.push(Fill(point=(0.0, 0.0), label=3))
    file = history._edits._file
    assert not file.closed
    del history
    gc.collect()
    assert file.closed
