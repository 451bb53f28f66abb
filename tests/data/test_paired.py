"""Samples of pairs: tensors that depend on (seed, epoch, index) alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.data.folder import FolderPairs, PairedFolder
from sean.data.paired import PairedDataset
from sean.data.transforms import PairedTransform
from sean.images import image_to_tensor
from sean.labels import LabelSet

from ..support.pairs import STEMS, write_instances, write_pairs

LABELS = LabelSet(name="pairs", names=("back", "l_eye", "r_eye"), flip_pairs=((1, 2),))


@pytest.fixture
def root(tmp_path: Path, rng: np.random.Generator) -> Path:
    return write_pairs(tmp_path / "pairs", rng)


def dataset(root: Path, **changes: object) -> PairedDataset:
    folder = PairedFolder.open(root)
    values: dict[str, object] = {"transform": PairedTransform(size=(8, 8), resize=1.2), "seed": 3, **changes}
    return PairedDataset(folder.pairs(folder.stems), **values)  # type: ignore[arg-type]


def test_a_sample_is_a_picture_and_a_map(root: Path) -> None:
    whole = dataset(root, transform=PairedTransform(size=(12, 10), flip=False))
    sample = whole[0]
    pixels = np.asarray(Image.open(root / "images" / "p00.png"))
    assert sample.keys() == {"image", "segmap", "name"} and sample["name"] == "p00"
    assert (sample["image"].dtype, sample["segmap"].dtype) == (torch.float32, torch.int64)
    torch.testing.assert_close(
        sample["image"], torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1)
    )
    assert sample["segmap"].tolist() == np.asarray(Image.open(root / "labels" / "p00.png")).tolist()
    assert len(whole) == 20 and whole.labels.num_regions == 3


def test_a_sample_depends_on_seed_epoch_and_index_alone(root: Path) -> None:
    first, second = dataset(root), dataset(root)
    second[7], second[1, 4]  # whatever was read before
    torch.manual_seed(99)
    assert torch.equal(first[2, 5]["image"], second[2, 5]["image"])
    assert torch.equal(first[0, 5]["segmap"], second[5]["segmap"])
    epochs = [first[epoch, 5]["image"] for epoch in range(6)]
    assert any(not torch.equal(epochs[0], other) for other in epochs[1:])
    seeds = [dataset(root, seed=seed)[5]["image"] for seed in range(6)]
    assert any(not torch.equal(seeds[0], other) for other in seeds[1:])


def test_instances_come_along(root: Path) -> None:
    write_instances(root)
    sample = dataset(root, transform=PairedTransform(size=(8, 8), flip=False))[3]
    assert torch.equal(sample["instances"], sample["segmap"] + 40)


def test_chance_is_as_it_always_was(root: Path) -> None:
    """A training from before this data set had its present form goes on with the same crops."""
    transform = PairedTransform(size=(8, 8), resize=1.2)
    sample = dataset(root)[2, 4]
    pair = PairedFolder.open(root).pairs(STEMS).read(4)
    image, segmap = transform(pair.image, pair.segmap, LABELS, np.random.default_rng((3, 2, 4)))
    assert torch.equal(sample["image"], image_to_tensor(image))
    assert torch.equal(sample["segmap"], torch.from_numpy(segmap))


def test_groups_are_fetched_from_the_source(root: Path) -> None:
    asked: list[int] = []

    class Far(FolderPairs):
        def fetch(self, group: int) -> None:
            asked.append(group)

    folder = PairedFolder.open(root)
    PairedDataset(Far(folder=folder, stems=folder.stems), PairedTransform(size=(8, 8))).fetch(7)
    assert asked == [7]
