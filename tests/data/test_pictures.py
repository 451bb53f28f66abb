"""Folders of pictures without label maps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sean.data.pictures import PictureDataset, find_pictures
from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.images import write_image


def write(path: Path, left: int = 0) -> None:
    picture = np.full((8, 12, 3), 255, dtype=np.uint8)
    picture[:, :6] = left
    write_image(path, picture)


def test_pictures_are_found_in_a_folder_or_in_its_images(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg"):
        write(tmp_path / "plain" / name)
        write(tmp_path / "data" / "images" / name)
    (tmp_path / "plain" / "notes.txt").touch()
    assert list(find_pictures(tmp_path / "plain")) == ["a", "b"]
    assert find_pictures(tmp_path / "data")["b"] == tmp_path / "data" / "images" / "b.png"
    with pytest.raises(InputError, match="expected a folder of pictures"):
        find_pictures(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected pictures \(\.jpg.*found none"):
        find_pictures(tmp_path / "empty")
    write(tmp_path / "plain" / "a.png")
    with pytest.raises(InputError, match=r"a\.jpg and a\.png; rename one"):
        find_pictures(tmp_path / "plain")


def test_samples_follow_from_seed_epoch_and_index(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    dataset = PictureDataset(find_pictures(tmp_path), PairedTransform(size=(8, 8), resize=1.0), seed=3)
    first = dataset[0]
    assert first["image"].shape == (3, 8, 8) and first["name"] == "a" and len(dataset) == 1
    assert torch.equal(dataset[(0, 0)]["image"], first["image"])
    seen = {tuple(dataset[(epoch, 0)]["image"][0, 0].tolist()) for epoch in range(20)}
    assert any(row[0] < row[-1] for row in seen) and any(row[0] > row[-1] for row in seen), "mirrored now and then"
