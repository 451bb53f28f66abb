"""A network's labels to a data set's: by name and by file, and every label without a counterpart is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from sean.errors import InputError
from sean.labels import LabelSet
from sean.parsing.label_matching import LabelMatch, match_labels, read_label_mapping

LABELS = LabelSet(name="street", names=("road", "car", "person", "sign"))


def mapping(folder: Path, content: Any) -> Path:
    path = folder / "mapping.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_equal_names_match_in_any_order_and_case() -> None:
    assert match_labels("n", ("Car", "person", "ROAD", "sign"), LABELS) == LabelMatch(ids=(1, 2, 0, 3))


def test_a_mapping_renames_drops_and_ignores(tmp_path: Path) -> None:
    content = {"map": {"human": "person", "child": "person", "sky": None}, "ignore": ["sign"]}
    found = read_label_mapping(mapping(tmp_path, content))
    names = ("road", "human", "sky", "child", "car")
    assert match_labels("n", names, LABELS, found) == LabelMatch(ids=(0, 2, 4, 2, 1), ignored=(3,))


def test_labels_without_counterpart_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        match_labels("the network", ("road", "car", "sky", "sea"), LABELS)
    assert str(caught.value).startswith(
        "the label set 'street' has no counterpart for 'sky', 'sea'; the network has no counterpart for 'person', "
        "'sign': map or ignore"
    )
    found = read_label_mapping(mapping(tmp_path, {"map": {"beach": "road"}}))
    with pytest.raises(InputError, match=r"mapping\.json maps labels that the network has not: beach"):
        match_labels("the network", LABELS.names, LABELS, found)
    found = read_label_mapping(mapping(tmp_path, {"map": {"sky": "heaven"}}))
    with pytest.raises(InputError, match="unknown region 'heaven'"):
        match_labels("the network", (*LABELS.names, "sky"), LABELS, found)


@pytest.mark.parametrize(
    "content",
    ["{", [], {"map": []}, {"map": {"a": 1}}, {"ignore": "sign"}, {"ignore": [1]}, {"maps": {}}],
)
def test_files_that_are_no_mapping(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match=r"mapping\.json is (not readable JSON|not a mapping of labels)"):
        read_label_mapping(mapping(tmp_path, content))


def test_a_missing_mapping(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no file"):
        read_label_mapping(tmp_path / "none.json")
