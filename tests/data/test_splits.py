"""The parts of folders and shards for a model: whole or split, of its labels."""

from pathlib import Path

import numpy as np
import pytest

from sean.data.folder import PairedFolder
from sean.data.paired import PairSource
from sean.data.shards.writing import write_shards
from sean.data.splits import WHOLE, check_labels, first_pairs, open_split
from sean.errors import InputError
from sean.labels import LabelSet

from ..support.pairs import STEMS, write_instances, write_pairs

LABELS = LabelSet(name="mine", names=("back", "l_eye", "r_eye"))


@pytest.fixture
def root(tmp_path: Path, rng: np.random.Generator) -> Path:
    return write_pairs(tmp_path / "pairs", rng)


def names(source: PairSource | None) -> tuple[str, ...]:
    return () if source is None else tuple(source.name(index) for index in range(len(source)))


@pytest.mark.parametrize("sharded", [False, True])
def test_split_and_whole(root: Path, tmp_path: Path, sharded: bool) -> None:
    location = root
    if sharded:
        location = tmp_path / "shards"
        write_shards(PairedFolder.open(root), location, shard_mb=0.002)
    split = open_split(location, LABELS)
    assert (split.name, split.labels.names) == (location.name, LABELS.names)
    assert (names(split.training), names(split.validation)) == (STEMS[:18], STEMS[18:])
    whole = open_split(location, LABELS, validation=WHOLE)
    assert whole.training is None and whole.validation is not None
    assert names(whole.validation) == STEMS
    folder = PairedFolder.open(root).pairs(STEMS)
    for index in (0, 18, 19):  # of both parts
        assert np.array_equal(whole.validation.read(index).image, folder.read(index).image)


def test_nothing_held_out(root: Path, tmp_path: Path) -> None:
    write_shards(PairedFolder.open(root), tmp_path / "shards", validation=0.0)
    for split in (open_split(root, LABELS, validation=0.0), open_split(tmp_path / "shards", LABELS)):
        assert (names(split.training), split.validation) == (STEMS, None)
    assert names(open_split(tmp_path / "shards", LABELS, validation=WHOLE).validation) == STEMS


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (("back", "r_eye", "l_eye"), r"the data has 'l_eye' as label 1, the model 'r_eye'"),
        (("back", "l_eye"), r"the data has 3 labels, the model 2"),
    ],
)
def test_other_labels_are_named(root: Path, tmp_path: Path, other: tuple[str, ...], message: str) -> None:
    write_shards(PairedFolder.open(root), tmp_path / "shards")
    for location in (root, tmp_path / "shards"):
        with pytest.raises(InputError, match=rf"the labels of {location} .* are not the model's \(theirs\): {message}"):
            open_split(location, LabelSet(name="theirs", names=other))


def test_the_name_of_a_label_set_does_not_count() -> None:
    check_labels(LABELS, LabelSet(name="yours", names=LABELS.names), "here")


def test_first_pairs(root: Path) -> None:
    write_instances(root)
    source = PairedFolder.open(root).pairs(STEMS)
    assert first_pairs(source, None) is source and first_pairs(source, 20) is source
    first = first_pairs(source, 3)
    assert isinstance(first, PairSource)
    assert (names(first), first.has_instances, first.labels, first.groups) == (STEMS[:3], True, source.labels, None)
    assert np.array_equal(first.read(2).segmap, source.read(2).segmap)
    with pytest.raises(IndexError):
        first.read(3)
