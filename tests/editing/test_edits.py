"""Edits as values: what is accepted, the form that values take, and one clear line for everything else."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.editing.edits import (
    KINDS,
    Fill,
    Paint,
    ResetSegmap,
    SetStyle,
    SplitRegion,
    edit_from_json,
    edits_from_json,
    new_edit,
)
from sean.errors import InputError

PAINT: dict[str, Any] = {"kind": "paint", "points": [[0.5, 0.25]], "radius": 0.1, "label": "hair"}
STYLE: dict[str, Any] = {"kind": "set_style", "source": "mean"}

fractions = st.floats(0, 1)
beyond = st.tuples(st.floats(-1, 2), st.floats(-1, 2))
strokes = st.lists(beyond, min_size=1, max_size=4)
radii = st.floats(0, 1, exclude_min=True)
labels = st.one_of(st.integers(0, 65535), st.text(min_size=1, max_size=200))
spots = st.tuples(fractions, fractions)
# as JSON: making an edit within a strategy would check its types, which draws random numbers
any_values = st.one_of(
    st.fixed_dictionaries({"kind": st.just("paint"), "points": strokes, "radius": radii, "label": labels}),
    st.fixed_dictionaries({"kind": st.just("erase"), "points": strokes, "radius": radii}),
    st.fixed_dictionaries({"kind": st.just("fill"), "point": spots, "label": labels}),
    st.fixed_dictionaries(
        {"kind": st.just("polygon"), "points": st.lists(beyond, min_size=3, max_size=5), "label": labels}
    ),
    st.fixed_dictionaries({"kind": st.just("replace_label"), "old": labels, "new": labels}),
    st.just({"kind": "reset_segmap"}),
    st.fixed_dictionaries({"kind": st.just("split_region"), "point": spots}),
    st.fixed_dictionaries(
        {
            "kind": st.just("set_style"),
            "source": st.sampled_from(["own", "mean", "bank:12", "region:l_eye", "photo:a b:c"]),
            "regions": st.lists(labels, min_size=1, max_size=1),
        },
        optional={
            "strength": fractions,
            "blocks": st.none() | st.lists(st.integers(0, 5), min_size=1, unique=True),
            "instance": st.none() | st.integers(1, 65535),
        },
    ),
)


@given(any_values)
def test_json_gives_the_same_edit_back(values: dict[str, Any]) -> None:
    edit = edit_from_json(values)
    back = json.loads(json.dumps(edit.to_json()))
    assert edit_from_json(back) == edit
    for key, value in json.loads(json.dumps(values)).items():
        assert back[key] == (sorted(value) if key == "blocks" and value else value)


def test_a_script_gives_the_same_edits_back() -> None:
    edits = [Paint(points=((0.1, 1 / 3),), radius=0.1, label="hair"), ResetSegmap(), SplitRegion(point=(0.5, 1.0))]
    assert edits_from_json(json.dumps([edit.to_json() for edit in edits])) == edits
    assert edits_from_json("[]") == []


def test_an_edit_as_json_by_hand() -> None:
    edit = edit_from_json({"kind": "set_style", "source": "bank:3", "regions": ["hair", 1], "blocks": [5, 3]})
    assert edit == SetStyle(source="bank:3", regions=("hair", 1), strength=1.0, blocks=(3, 5), instance=None)
    assert edit_from_json(PAINT) == Paint(points=((0.5, 0.25),), radius=0.1, label="hair")
    assert Fill(point=(0.0, 1.0), label=3).to_json() == {"kind": "fill", "point": (0.0, 1.0), "label": 3}


def test_numbers_and_arrays_of_numpy_become_plain_ones() -> None:
    points = np.array([[0.5, 0.25], [1, 0]], np.float32)
    edit = new_edit(Paint, points=points, radius=np.float32(0.5), label=np.int64(3))
    assert edit == Paint(points=((0.5, 0.25), (1.0, 0.0)), radius=0.5, label=3)
    assert [type(value) for value in (edit.points[0][0], edit.radius, edit.label)] == [float, float, int]
    json.dumps(edit.to_json())


WRONG = [
    ([], "expected an edit as {\"kind\": ..., ...}, got []"),
    ({"kind": 3}, "expected an edit as {\"kind\": ..., ...}, got {\"kind\": 3}"),
    ({"kind": "blur"}, f"unknown kind of edit \"blur\"; expected one of {', '.join(KINDS)}"),
    ({**PAINT, "color": 1}, "paint: unknown key \"color\"; it has points, radius, label"),
    ({"kind": "reset_segmap", "all": True}, "reset_segmap: unknown key \"all\"; it has none"),
    ({"kind": "paint", "points": [[0, 0]]}, "paint: expected a value for radius, label"),
    ({**PAINT, "radius": 0}, "paint: expected radius as a fraction of the height in (0, 1], got 0"),
    ({**PAINT, "radius": 1.5}, "paint: expected radius as a fraction of the height in (0, 1], got 1.5"),
    ({**PAINT, "radius": True}, "paint: expected radius as a fraction of the height in (0, 1], got true"),
    ({**PAINT, "radius": "1"}, "paint: expected radius as a fraction of the height in (0, 1], got \"1\""),
    ({**PAINT, "radius": float("nan")}, "paint: expected radius as a fraction of the height in (0, 1], got nan"),
    ({**PAINT, "points": []}, "paint: expected points as a list of 1 to 10000 points [x, y], got []"),
    ({**PAINT, "points": "ab"}, "paint: expected points as a list of 1 to 10000 points [x, y], got \"ab\""),
    ({**PAINT, "points": [[0, 0]] * 10001}, "1 to 10000 points [x, y], got 10001 values"),
    ({**PAINT, "points": [[0, 0, 0]]}, "paint: expected points as [x, y] with fractions in [-1, 2], got [0, 0, 0]"),
    ({**PAINT, "points": [[0, float("inf")]]}, "paint: expected points as [x, y] with fractions in [-1, 2], got inf"),
    ({**PAINT, "points": [[0, 10**400]]}, "paint: expected points as [x, y] with fractions in [-1, 2], got 1000"),
    ({**PAINT, "label": None}, "paint: expected label as a label's name or id, got null"),
    ({**PAINT, "label": ""}, "paint: expected label as a label's name or id, got \"\""),
    ({**PAINT, "label": "x" * 201}, "paint: expected label as a label's name or id, got \"xxx"),
    ({**PAINT, "label": -1}, "paint: expected label as a label's name or id, got -1"),
    ({"kind": "fill", "point": [1.01, 0], "label": 1}, "expected point as [x, y] with fractions in [0, 1], got 1.01"),
    ({"kind": "polygon", "points": [[0, 0]] * 2, "label": 1}, "expected points as at least three corners, 10000"),
    ({**STYLE, "source": "bank:"}, "set_style: expected source as own, mean, bank:N, bank:NAME, region:NAME"),
    ({**STYLE, "source": "#a05g"}, "set_style: expected source as own, mean, bank:N, bank:NAME, region:NAME"),
    ({**STYLE, "source": "photo:"}, "set_style: expected source as own, mean, bank:N, bank:NAME, region:NAME"),
    ({**STYLE, "strength": 1.1}, "set_style: expected strength as a number in [0, 1], got 1.1"),
    ({**STYLE, "blocks": [6]}, "set_style: expected blocks as a list of different numbers in 0..5, or null for all"),
    ({**STYLE, "blocks": [1, 1]}, "set_style: expected blocks as a list of different numbers in 0..5, or null for all"),
    ({**STYLE, "blocks": []}, "set_style: expected blocks as a list of different numbers in 0..5, or null for all"),
    ({**STYLE, "regions": []}, "set_style: expected regions as a list of names or ids, or null for all, got []"),
    ({**STYLE, "regions": "hair"}, "set_style: expected regions as a list of names or ids, or null for all"),
    ({**STYLE, "instance": 0, "regions": ["hair"]}, "set_style: expected instance as a number of an instance from 1"),
    ({**STYLE, "instance": 1}, "expected regions as the one region that instance 1 is of"),
    ({**STYLE, "instance": 1, "regions": [1, 2]}, "expected regions as the one region that instance 1 is of"),
    ({**STYLE, "source": "region:hair"}, "set_style: expected regions as those that \"region:hair\" goes to, got null"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_what_is_no_edit_is_refused_in_one_short_line(values: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        edit_from_json(values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_whatever_comes_it_is_an_edit_or_refused(kind: str, data: st.DataObject) -> None:
    keys = [*sorted(KINDS[kind].model_fields.keys() - {"kind"}), "other"]
    values = {key: data.draw(json_values) for key in keys if data.draw(st.booleans())}
    try:
        edit = edit_from_json({"kind": kind, **values})
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert edit_from_json(edit.to_json()) == edit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "s.json is not readable JSON (JSONDecodeError: "),
        ("[" * 100_000, "s.json is not readable JSON (ValueError: it is nested too deeply"),
        ("{}", "expected a list of edits in s.json, got {}"),
        ('[{"kind": "reset_segmap"}, {"kind": "x"}]', 's.json, edit 2: unknown kind of edit "x"'),
    ],
)
def test_a_script_that_is_none_names_file_and_edit(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        edits_from_json(text, "s.json")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
