"""Mapping files: gaps, ids from 1, merged, ignored and renamed classes, and what is wrong with others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sean.data.formats.mapping import read_mapping, relabelling
from sean.data.formats.tree import Annotation, Item, SourceClass, Tree
from sean.errors import InputError
from sean.labels import LabelSet


def nothing(item: Item, size: tuple[int, int]) -> Annotation:
    """A reader that is never called."""
    raise AssertionError


def tree(names: dict[int, str], unlabelled: tuple[int, ...] = ()) -> Tree:
    """A tree of these classes."""
    classes = tuple(SourceClass(id=number, name=name) for number, name in names.items())
    return Tree(format="x", root=Path("src"), classes=classes, items=(), read=nothing, unlabelled=unlabelled)


CLASSES = {1: "wall", 5: "cat", 6: "kitten", 9: "l_eye", 10: "r_eye"}


@pytest.fixture
def mapping_file(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file of that suffix."""

    def written(suffix: str, text: str) -> Path:
        path = tmp_path / f"mapping{suffix}"
        path.write_text(text)
        return path

    return written


@pytest.mark.parametrize(
    ("suffix", "text", "names", "ids"),
    [
        (".json", '{"kitten": "cat"}', ("wall", "cat", "l_eye", "r_eye"), {1: 0, 5: 1, 6: 1, 9: 2, 10: 3}),
        (".json", '{"Cat": "animal", "6": "animal", "*": null}', ("animal",), {1: 1, 5: 0, 6: 0, 9: 1, 10: 1}),
        (".json", '{"wall": null, "255": null, "*": "other"}', ("other",), {1: 1, 5: 0, 6: 0, 9: 0, 10: 0, 255: 1}),
        (".txt", "5 pet\n6 pet\nignore 1 255 -1\nignore *\n", ("pet",), {1: 1, 5: 0, 6: 0, 9: 1, 10: 1, 255: 1, -1: 1}),
        (
            ".txt",
            "# mine\n1 wall\n5 cat\n6 kitten\n9 l_eye\n10 r_eye\n",
            ("wall", "cat", "kitten", "l_eye", "r_eye"),
            {1: 0, 5: 1, 6: 2, 9: 3, 10: 4},
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_the_classes(
    suffix: str, text: str, names: tuple[str, ...], ids: dict[int, int], mapping_file: Callable[[str, str], Path]
) -> None:
    found = relabelling(tree(CLASSES), read_mapping(mapping_file(suffix, text)))
    assert found.labels.names == names and dict(found.ids) == ids
    assert found.labels.ignore_id == (255 if len(names) in ids.values() else None)


def test_without_a_mapping_ids_lose_their_gaps_and_sides_are_pairs() -> None:
    found = relabelling(tree(CLASSES, unlabelled=(255,)))
    assert dict(found.ids) == {1: 0, 5: 1, 6: 2, 9: 3, 10: 4, 255: 5}
    assert found.labels.flip_pairs == ((3, 4),)
    assert np.array_equal(found.apply(np.array([[1, 10], [255, 6]]), "f"), [[0, 4], [5, 2]])


def test_ids_of_no_class_are_refused_with_the_line_to_add() -> None:
    found = relabelling(tree(CLASSES))
    with pytest.raises(InputError, match=r"expected the ids 1, 5, 6, 9, 10, got 0, 255 in f\.png;.*'ignore 0'"):
        found.apply(np.array([[0, 1], [255, 5]]), "f.png")


def test_more_than_255_regions_get_an_ignore_id_of_16_bits() -> None:
    found = relabelling(tree({index: f"c{index}" for index in range(300)}, unlabelled=(999,)))
    assert found.labels.ignore_id == 65535 and found.ids[999] == 300


def test_the_regions_of_a_model_keep_their_ids() -> None:
    labels = LabelSet(name="mine", names=("Cat", "wall"), ignore_id=9)
    rules = read_mapping_of({"kitten": "cat", "l_eye": None, "r_eye": None})
    found = relabelling(tree(CLASSES), rules, labels)
    assert found.labels == labels and dict(found.ids) == {1: 1, 5: 0, 6: 0, 9: 2, 10: 2}


def read_mapping_of(targets: dict[str, str | None]):  # type: ignore[no-untyped-def]
    """A mapping without a file."""
    from sean.data.formats.mapping import ClassMapping

    return ClassMapping(source="m", targets=targets)


@pytest.mark.parametrize(
    ("suffix", "text", "said"),
    [
        (".json", '{"kat": "cat"}', "maps 'kat', which src has not; close: cat"),
        (".json", '{"77": "cat"}', "maps '77'"),
        (".json", '{"cat": 5}', "is no mapping of classes"),
        (".json", "[1]", "expected an object"),
        (".json", '{"cat": ', "not readable JSON"),
        (".json", '{"*": null}', "no class of src is left"),
        (".txt", "1 wall\n", "has no line for 'cat', 'kitten', 'l_eye', 'r_eye'"),
        (".txt", "1 wall\n1 cat\n", "line 2: id 1 occurs twice"),
        (".txt", "wall\n", "line 1: expected 'id name'"),
        (".txt", "1 wall 0 0 300\n", "expected a colour"),
        (".txt", "ignore 255\n", "holds no labels"),
    ],
)
def test_a_wrong_mapping_is_refused(
    suffix: str, text: str, said: str, mapping_file: Callable[[str, str], Path]
) -> None:
    with pytest.raises(InputError) as refusal:
        relabelling(tree(CLASSES), read_mapping(mapping_file(suffix, text)))
    assert said in str(refusal.value)


def test_a_missing_mapping_is_refused(tmp_path: Path) -> None:
    for name in ("none.json", "none.txt"):
        with pytest.raises(InputError, match=r"none\.(json|txt), found none"):
            read_mapping(tmp_path / name)


def test_unlabelled_pixels_may_become_a_region(mapping_file: Callable[[str, str], Path]) -> None:
    mapping = read_mapping(mapping_file(".json", '{"255": "rest", "*": "thing"}'))
    made = relabelling(tree({0: "ground", 1: "cat"}, unlabelled=(255,)), mapping)
    assert made.labels.names == ("thing", "rest") and made.ids == {0: 0, 1: 0, 255: 1}
