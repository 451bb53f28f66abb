"""The data of a training: scenes of the config's seed, a paired folder split by the config, or shards."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sean.data.folder import PairedFolder
from sean.data.manifest import Manifest, write_manifest
from sean.data.paired import PairedDataset
from sean.data.shards.writing import write_shards
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.training.config import TrainConfig
from sean.training.data import SYNTHETIC_SCENES, SYNTHETIC_VALIDATION, open_data

from .conftest import LABELS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pairs of 40 x 48 pixels with three labels."""
    write_paired(tmp_path / "pairs", SyntheticScenes(size=(40, 48), length=10, labels=LABELS))
    return tmp_path / "pairs"


def test_without_a_folder_there_are_scenes(config: TrainConfig) -> None:
    data = open_data(config, None)
    assert data.labels == CELEBAMASK_HQ
    assert (len(data.training), len(data.validation)) == (SYNTHETIC_SCENES, SYNTHETIC_VALIDATION)
    sample = data.training[(3, 0)]
    assert sample["image"].shape == (3, 32, 32) and sample["segmap"].shape == (32, 32)
    assert not torch.equal(sample["image"], data.validation[0]["image"])
    assert torch.equal(sample["image"], open_data(config, None).training[(0, 0)]["image"])
    other = open_data(replace(config, seed=5), None)
    assert not torch.equal(sample["image"], other.training[(0, 0)]["image"])


def test_a_folder_is_split_by_fraction_or_prefix(config: TrainConfig, folder: Path) -> None:
    data = open_data(replace(config, validation=0.3), folder)
    assert (len(data.training), len(data.validation)) == (7, 3)
    assert data.labels.names == LABELS.names
    assert [data.validation[index]["name"] for index in range(3)] == [f"scene_00000{index}" for index in (7, 8, 9)]
    data = open_data(replace(config, validation="scene_000004"), folder)
    assert (len(data.training), len(data.validation)) == (9, 1)
    data = open_data(replace(config, validation=0.3, training_prefix="scene_000002"), folder)
    assert (len(data.training), len(data.validation)) == (1, 3)
    assert data.groups is None


def test_the_official_split_is_taken_unless_another_is_asked_for(config: TrainConfig, folder: Path) -> None:
    names = [f"scene_{index:06d}" for index in range(10)]
    manifest = Manifest(source="x", training=tuple(names[5:]), validation=tuple(names[:2]), checksums={})
    write_manifest(folder, manifest)
    data = open_data(replace(config, validation=None), folder)
    assert [data.training[index]["name"] for index in range(len(data.training))] == names[5:]
    assert [data.validation[index]["name"] for index in range(len(data.validation))] == names[:2]
    assert len(open_data(replace(config, validation=0.3), folder).validation) == 3


def test_shards_give_what_their_folder_gives(config: TrainConfig, folder: Path, tmp_path: Path) -> None:
    write_shards(PairedFolder.open(folder), tmp_path / "shards", shard_mb=0.01)
    config = replace(config, validation=None, resize=1.2)
    plain = open_data(config, folder)
    for location in (tmp_path / "shards", str(tmp_path / "shards")):
        data = open_data(config, location)
        assert data.labels.names == plain.labels.names
        assert isinstance(data.training, PairedDataset) and isinstance(data.validation, PairedDataset)
        assert data.groups == data.training.source.groups and data.groups is not None and len(data.groups) > 1
        assert data.training.seed == config.seed and data.training.transform == plain.training.transform
        assert data.validation.transform == plain.validation.transform
        assert torch.equal(data.validation[0]["image"], plain.validation[0]["image"])
        names = {data.training[index]["name"] for index in range(len(data.training))}
        assert names == {plain.training[index]["name"] for index in range(len(plain.training))}


def test_the_split_of_shards_is_fixed(config: TrainConfig, folder: Path, tmp_path: Path) -> None:
    write_shards(PairedFolder.open(folder), tmp_path / "shards")
    for changes in ({"validation": 0.3}, {"validation": None, "training_prefix": "scene"}):
        with pytest.raises(InputError, match=r"the split of the shards in .* was made when they were written; leave"):
            open_data(replace(config, **changes), tmp_path / "shards")
    write_shards(PairedFolder.open(folder), tmp_path / "all", validation=0.0)
    data = open_data(replace(config, validation=None), tmp_path / "all")
    assert not data.held_out and len(data.validation) == len(data.training) == 10


def test_only_what_is_trained_on_varies(config: TrainConfig, folder: Path) -> None:
    data = open_data(replace(config, resize=1.2, flip=True), folder)
    assert isinstance(data.training, PairedDataset) and isinstance(data.validation, PairedDataset)
    assert data.training.transform.resize == 1.2
    pictures = {data.training[(epoch, 0)]["image"].numpy().tobytes() for epoch in range(6)}
    assert len(pictures) > 3
    held_out = [data.validation[key]["image"] for key in (0, (0, 0), (5, 0))]
    assert all(torch.equal(held_out[0], picture) for picture in held_out)
    assert held_out[0].shape == (3, 32, 32)


def test_crops_follow_the_seed(config: TrainConfig, folder: Path) -> None:
    config = replace(config, resize=1.2)
    pictures = [open_data(replace(config, seed=seed), folder).training[(1, 2)]["image"] for seed in (0, 0, 1)]
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])


def test_mistakes_are_one_line(config: TrainConfig, folder: Path) -> None:
    with pytest.raises(InputError, match="expected a data folder at"):
        open_data(config, folder / "missing")
    with pytest.raises(InputError, match="validation prefix 'val_'"):
        open_data(replace(config, validation="val_"), folder)
    assert not open_data(replace(config, validation=0.0), folder).held_out


def test_colours_and_scales_change_in_training_only(config: TrainConfig, folder: Path) -> None:
    config = replace(config, validation=0.3)
    plain, changed = open_data(config, folder), open_data(replace(config, recolor=1.0), folder)
    assert not torch.equal(plain.training[(0, 0)]["image"], changed.training[(0, 0)]["image"])
    assert torch.equal(plain.training[(0, 0)]["segmap"], changed.training[(0, 0)]["segmap"])
    assert torch.equal(
        changed.training[(0, 0)]["image"], open_data(replace(config, recolor=1.0), folder).training[(0, 0)]["image"]
    )
    assert torch.equal(plain.validation[0]["image"], changed.validation[0]["image"])
    smaller = open_data(replace(config, shrink=0.6), folder)
    assert not torch.equal(plain.training[(0, 0)]["segmap"], smaller.training[(0, 0)]["segmap"])
    assert torch.equal(plain.validation[0]["segmap"], smaller.validation[0]["segmap"])
