"""Label sets: the shipped tables, the text format, names to ids, and mirrors."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.errors import InputError
from sean.labels import ADE20K, CELEBAMASK_HQ, CITYSCAPES, CMP_FACADES, SHIPPED, LabelSet, label_set
from sean.labels import shipped_version as shipped_version_of

TOY = LabelSet(name="toy", names=("sky", "l_eye", "r_eye", "Left Wing"), flip_pairs=((1, 2),), ignore_id=9)


def classes_txt(folder: Path, text: str) -> Path:
    path = folder / "classes.txt"
    path.write_bytes(text.encode("utf-8"))
    return path


def test_the_shipped_sets_are_those_of_the_data_sets() -> None:
    sizes = {name: labels.num_regions for name, labels in SHIPPED.items()}
    assert sizes == {"celebamask-hq": 19, "ade20k": 150, "cityscapes": 35, "cmp-facades": 12}
    assert CELEBAMASK_HQ.id_of("hair") == 13 and CELEBAMASK_HQ.palette[13] == (0, 0, 204)
    assert CELEBAMASK_HQ.flip_pairs == ((4, 5), (6, 7), (8, 9))
    assert ADE20K.names[0] == "wall" and ADE20K.palette[0] == (120, 120, 120)
    assert ADE20K.names[149] == "flag" and ADE20K.palette[149] == (92, 0, 255)
    assert CITYSCAPES.id_of("road") == 7 and CITYSCAPES.palette[7] == (128, 64, 128)
    assert CITYSCAPES.id_of("bicycle") == 33 and CITYSCAPES.id_of("license plate") == 34
    assert CMP_FACADES.names[2] == "window" and CMP_FACADES.palette[11] == (170, 0, 0)
    assert [labels.ignore_id for labels in SHIPPED.values()] == [None, 255, None, None]
    assert label_set("cityscapes") is CITYSCAPES
    with pytest.raises(InputError, match="'coco'; shipped are: celebamask-hq, ade20k"):
        label_set("coco")


@pytest.mark.parametrize("labels", SHIPPED.values(), ids=SHIPPED)
def test_the_shipped_sets_survive_both_formats(labels: LabelSet, tmp_path: Path) -> None:
    assert LabelSet.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels
    again = LabelSet.from_classes_txt(classes_txt(tmp_path, labels.to_classes_txt()))
    assert (again.names, again.palette, again.ignore_id) == (labels.names, labels.palette, labels.ignore_id)
    assert again.flip_pairs == labels.flip_pairs


@pytest.mark.parametrize(
    ("region", "expected"),
    [("sky", 0), ("SKY", 0), (" left wing ", 3), ("2", 2), (2, 2), ("l_eye", 1)],
)
def test_a_region_is_found_by_name_or_id(region: str | int, expected: int) -> None:
    assert TOY.id_of(region) == expected


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("l_eyes", "unknown region 'l_eyes' in labels 'toy'; close: l_eye, r_eye"),
        ("qqq", "unknown region 'qqq'; 'toy' has: sky, l_eye, r_eye, Left Wing"),
        (4, "region id 4 is not in the 4 labels of 'toy'; give an id in 0..3 or a name"),
        (-1, "region id -1"),
        ("4", "region id 4"),
    ],
)
def test_an_unknown_region_is_named_with_the_choices(region: str | int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        TOY.id_of(region)
    assert str(caught.value).startswith(message)


def test_a_name_that_differs_only_by_case_must_be_exact() -> None:
    labels = LabelSet(name="toy", names=("A", "a"))
    assert (labels.id_of("A"), labels.id_of("a")) == (0, 1)


def test_the_mirror_exchanges_pairs_and_keeps_no_region() -> None:
    assert TOY.flip_table == (0, 2, 1, 3, 4)
    table = CELEBAMASK_HQ.flip_table
    assert len(table) == 20
    assert [table[table[region]] for region in range(20)] == list(range(20))
    assert CELEBAMASK_HQ.id_of("r_brow") == table[CELEBAMASK_HQ.id_of("l_brow")]
    # "l_lip" is the lower lip, it has no right partner
    assert table[CELEBAMASK_HQ.id_of("l_lip")] == CELEBAMASK_HQ.id_of("l_lip")


@given(st.integers(1, 300))
def test_generated_colors_are_distinct_and_not_black(count: int) -> None:
    colors = LabelSet(name="many", names=tuple(f"label{index}" for index in range(count))).colors
    assert len(set(colors)) == count
    assert all(max(color) > 60 for color in colors)


def test_a_classes_file_is_read(tmp_path: Path) -> None:
    text = "\ufeff1 left arm\r\n0 background\r\n\r\n2 right arm\r\nignore 255\r\n"
    labels = LabelSet.from_classes_txt(classes_txt(tmp_path, text))
    assert labels.names == ("background", "left arm", "right arm")
    assert labels.flip_pairs == ((1, 2),)
    assert (labels.palette, labels.ignore_id, labels.name) == (None, 255, tmp_path.name)


def test_a_classes_file_may_give_colors(tmp_path: Path) -> None:
    labels = LabelSet.from_classes_txt(classes_txt(tmp_path, "0 sea 1 2 3\n1 area 51 4 5 6\n"))
    assert labels.names == ("sea", "area 51")
    assert labels.palette == ((1, 2, 3), (4, 5, 6)) == labels.colors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no labels"),
        ("0 a\nb\n", "line 2: expected 'id name' or 'id name r g b', got 'b'"),
        ("0 a\n-1 b\n", "line 2: expected 'id name'"),
        ("0 a\n0 b\n", "line 2: id 0 occurs twice ('a' and 'b')"),
        ("0 a\n1 a\n", "line 2: name 'a' occurs twice"),
        ("0 a\n2 b\n", "ids must be 0..1, each once; id 1 is missing"),
        ("1 a\n2 b\n", "id 0 is missing"),
        ("0 a 1 2 3\n1 b\n", "label 1 'b' has no colour"),
        ("0 a 1 2 256\n", "line 1: expected a colour 'r g b' in 0..255, got (1, 2, 256)"),
        ("0 a\n1 b\nignore 1\n", "ignore id 1 must lie outside the region ids 0..1"),
        ("0 a\nignore 254\nignore 255\n", "line 3: expected 'id name'"),
    ],
)
def test_a_wrong_classes_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = classes_txt(tmp_path, text)
    with pytest.raises(InputError) as caught:
        LabelSet.from_classes_txt(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_classes_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a label list .*classes\.txt .*found no file"):
        LabelSet.from_classes_txt(tmp_path / "classes.txt")
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"classes\.txt is not UTF-8 text \(see byte 2\); save it as UTF-8"):
        LabelSet.from_classes_txt(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ()}, "has no labels"),
        ({"names": ("a", "a")}, "'a' is empty or occurs twice"),
        ({"names": ("a", "")}, "'' is empty"),
        ({"palette": ((1, 2, 3),)}, "expected 2 colours, got 1"),
        ({"palette": ((1, 2, 3), (1, 2, 300))}, "expected colours"),
        ({"ignore_id": 1}, "ignore id 1 must lie outside"),
        ({"ignore_id": 70000}, "ignore id 70000"),
        ({"flip_pairs": ((0, 2),)}, "flip pairs"),
        ({"flip_pairs": ((0, 0),)}, "flip pairs"),
    ],
)
def test_a_set_that_does_not_fit_together_is_refused(change: dict[str, object], message: str) -> None:
    values: dict[str, object] = {"name": "toy", "names": ("a", "b"), **change}
    with pytest.raises(InputError, match=message):
        LabelSet(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{}, {"name": "x", "names": 3}, {"name": "x", "names": ["a"], "palette": [1]}])
def test_a_damaged_dict_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match="expected a label set with name, names"):
        LabelSet.from_dict(values)


def test_a_set_with_the_names_of_a_shipped_one_gains_what_it_knows() -> None:
    plain = LabelSet(name="mine", names=CELEBAMASK_HQ.names)
    assert shipped_version_of(plain) == CELEBAMASK_HQ
    own = LabelSet(name="mine", names=ADE20K.names, palette=ADE20K.palette[::-1], ignore_id=200)
    known = shipped_version_of(own)
    assert (known.name, known.palette, known.ignore_id) == ("ade20k", own.palette, 200)
    assert shipped_version_of(TOY) is TOY


def test_groups_of_faces() -> None:
    names = {group: {CELEBAMASK_HQ.names[region] for region in ids} for group, ids in CELEBAMASK_HQ.groups.items()}
    assert names["face"] == {"skin", "nose", "neck", "l_ear", "r_ear"}
    assert names["lips"] == {"u_lip", "l_lip"} and names["eyes"] == {"l_eye", "r_eye"}
    assert set(names) == {"face", "lips", "eyes", "brows", "ears"}


def test_groups_of_pairs_in_any_set() -> None:
    names = ("left_wing", "right_wing", "tail", "l_leg", "r_leg", "leg")
    labels = LabelSet(name="birds", names=names, flip_pairs=((0, 1), (3, 4)))
    assert labels.groups == {"wing": (0, 1)}  # "leg" is a label itself
    assert LabelSet(name="odd", names=("a", "b"), flip_pairs=((0, 1),)).groups == {}


def test_materials_hold_every_label_once() -> None:
    for labels in SHIPPED.values():
        assert sorted(region for group in labels.materials for region in group) == list(range(labels.num_regions))
    face = tuple(sorted(CELEBAMASK_HQ.groups["face"]))
    assert face in [tuple(sorted(group)) for group in CELEBAMASK_HQ.materials]
