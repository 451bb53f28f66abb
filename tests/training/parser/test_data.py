"""Folders of pairs: split, counted, mirrored, refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch.utils.data import Dataset

from sean.data.folder import PairedFolder
from sean.data.shards.writing import write_shards
from sean.errors import InputError
from sean.training.parser.data import count_labels, label_pixels, open_parser_data, parser_batches

from .conftest import CONFIG, STILL, assert_one_line, halves, write_pairs


def test_a_folder_is_split_and_read(tmp_path: Path) -> None:
    data = open_parser_data(CONFIG, write_pairs(tmp_path / "pairs", halves(), 10))
    assert len(data.training) == 9 and len(data.validation) == 1  # type: ignore[arg-type]
    assert data.training[0]["image"].shape == (3, 64, 64) and data.validation[0]["image"].shape == (3, 32, 32)
    counts = label_pixels(tmp_path, data)
    assert counts.tolist() == [9 * 2048, 9 * 1024, 9 * 1024]
    assert json.loads((tmp_path / "label_pixels.json").read_text()) == {"back": 18432, "l_eye": 9216, "r_eye": 9216}
    (tmp_path / "label_pixels.json").write_text('{"back": 1, "l_eye": 2, "r_eye": 3}')
    assert label_pixels(tmp_path, data).tolist() == [1, 2, 3], "counted once"
    (tmp_path / "label_pixels.json").write_text('{"back": 1}')
    with pytest.raises(InputError) as error:
        label_pixels(tmp_path, data)
    assert_one_line(error, "label_pixels.json is damaged", "delete it")


def test_a_part_is_kept_for_a_test(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "pairs", halves(), 10)  # named 0 to 9
    data = open_parser_data(replace(CONFIG, test_fraction=0.2, validation=0.25), root)
    assert [data.training[i]["name"] for i in range(6)] == list("012345")
    assert [data.validation[i]["name"] for i in range(2)] == list("67")
    with pytest.raises(InputError) as error:
        open_parser_data(replace(CONFIG, test_fraction=0.99), root)
    assert_one_line(error, "keeping 0.99 of the 10 pairs", "leaves none")


def test_shards_are_read_as_the_folder_is(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "pairs", halves(), 10)
    write_shards(PairedFolder.open(root), tmp_path / "shards", shard_mb=0.001)
    plain, data = open_parser_data(CONFIG, root), open_parser_data(CONFIG, tmp_path / "shards")
    names = [sorted(each.training[i]["name"] for i in range(9)) for each in (plain, data)]  # type: ignore[attr-defined]
    assert names[0] == names[1] and torch.equal(data.validation[0]["image"], plain.validation[0]["image"])
    assert data.groups is not None and len(data.groups) > 1
    with pytest.raises(InputError, match="was made when they were written"):
        open_parser_data(replace(CONFIG, test_fraction=0.2), tmp_path / "shards")


def test_unlabelled_pixels_are_not_counted() -> None:
    class Maps(Dataset[Any]):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return {"segmap": torch.tensor([[[0, 2], [3, 3]], [[2, 2], [2, 3]]])[index]}

    assert count_labels(Maps(), 3).tolist() == [1, 0, 4]


def test_bad_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        open_parser_data(CONFIG, tmp_path / "missing")
    assert_one_line(error, "missing")
    for part in ("images", "labels"):
        (tmp_path / "empty" / part).mkdir(parents=True)
    (tmp_path / "empty" / "classes.txt").write_text("0 back\n1 eye\n")
    with pytest.raises(InputError) as error:
        open_parser_data(CONFIG, tmp_path / "empty")
    assert_one_line(error, "holds no pairs")
    pairs = write_pairs(tmp_path / "pairs", halves(), 3)
    for config in (CONFIG, replace(CONFIG, validation=0.0)):
        data = open_parser_data(config, pairs)
        assert data.held_out == (config.validation is None)
        assert len(data.validation) == (1 if data.held_out else 3)  # type: ignore[arg-type]


def test_a_mirrored_picture_exchanges_left_and_right(tmp_path: Path) -> None:
    """In every picture, label 1 is on the left: in half of the batches it must be so, in no picture the other way."""
    config = replace(CONFIG, augmentation=STILL, batch_size=9)
    data = open_parser_data(config, write_pairs(tmp_path / "pairs", halves(), 10))
    fabric = Fabric(accelerator="cpu", devices=1)
    image, ids = next(parser_batches(data, config, 0, fabric))
    mirrored = image[:, 0, 31, 0] > image[:, 0, 31, 31]  # label 2 is the brighter one
    assert 0 < mirrored.sum() < 9
    assert (ids[:, 31, 0] == 1).all() and (ids[:, 31, 31] == 2).all()
