"""Paired folders: strict opening, splits, and samples that depend on (seed, epoch, index) alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.data.paired import PairedDataset, PairedFolder
from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.images import write_image
from sean.labels import CMP_FACADES

STEMS = tuple(f"p{index:02}" for index in range(20))


@pytest.fixture
def root(tmp_path: Path, rng: np.random.Generator) -> Path:
    """20 pairs of 12 x 10 pixels with three labels, jpeg, jpg and png mixed."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("0 back\n1 l_eye\n2 r_eye\n")
    for index, stem in enumerate(STEMS):
        suffix = (".png", ".JPG", ".jpeg")[index % 3]
        write_image(tmp_path / "images" / f"{stem}{suffix}", rng.integers(0, 256, (12, 10, 3), dtype=np.uint8))
        write_ids(tmp_path / "labels" / f"{stem}.png", rng.integers(0, 3, (12, 10)))
    return tmp_path


def write_ids(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(ids.astype(np.uint8)).save(path)


def dataset(root: Path, **changes: object) -> PairedDataset:
    folder = PairedFolder.open(root)
    values: dict[str, object] = {"transform": PairedTransform(size=(8, 8), resize=1.2), "seed": 3, **changes}
    return PairedDataset(folder, folder.stems, **values)  # type: ignore[arg-type]


def test_a_folder_is_opened(root: Path) -> None:
    (root / "images" / ".DS_Store").write_text("")
    (root / "images" / "notes.txt").write_text("")
    folder = PairedFolder.open(str(root))
    assert folder.stems == STEMS and folder.root == root and folder.instances is None
    assert folder.labels.names == ("back", "l_eye", "r_eye") and folder.labels.flip_pairs == ((1, 2),)
    assert folder.images["p01"].name == "p01.JPG"


def test_the_names_of_a_shipped_set_bring_its_palette(root: Path) -> None:
    (root / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(CMP_FACADES.names)))
    assert PairedFolder.open(root).labels == CMP_FACADES


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"expected a data folder at .*nowhere, found none"):
        PairedFolder.open(root / "nowhere")
    (root / "classes.txt").rename(root / "c.txt")
    with pytest.raises(InputError, match=r"classes\.txt"):
        PairedFolder.open(root)
    (root / "c.txt").rename(root / "classes.txt")
    for name in ("images", "labels"):
        (root / name).rename(root / "away")
        with pytest.raises(InputError, match=f"expected the folder .*{name}, found none"):
            PairedFolder.open(root)
        (root / "away").rename(root / name)
    for path in [*(root / "images").iterdir(), *(root / "labels").iterdir()]:
        path.unlink()
    with pytest.raises(InputError, match="holds no pairs"):
        PairedFolder.open(root)


def test_files_without_partner_are_named_and_counted(root: Path) -> None:
    for stem in STEMS[:5]:
        (root / "labels" / f"{stem}.png").unlink()
    (root / "images" / "p06.png").unlink()
    with pytest.raises(InputError) as caught:
        PairedFolder.open(root)
    assert "has 6 files without a partner (images/p00.png has no labels/p00.png; images/p01.JPG" in str(caught.value)
    assert "...)" in str(caught.value) and "\n" not in str(caught.value)


def test_two_files_of_one_stem_are_named(root: Path) -> None:
    (root / "images" / "p00.jpg").write_bytes((root / "images" / "p00.png").read_bytes())
    with pytest.raises(InputError, match=r"1 files with the same stem \(images/p00\.jpg and images/p00\.png\)"):
        PairedFolder.open(root)


def test_the_last_tenth_is_held_out(root: Path) -> None:
    folder = PairedFolder.open(root)
    assert folder.split(0.1) == (STEMS[:18], STEMS[18:])
    assert folder.split(0.001) == (STEMS[:19], STEMS[19:])
    assert folder.split(0.0) == (STEMS, ())
    for wrong in (1.0, -0.1, float("nan")):
        with pytest.raises(InputError, match="expected a validation fraction"):
            folder.split(wrong)
    with pytest.raises(InputError, match="leaves nothing to train on"):
        folder.split(0.99)


def test_a_prefix_is_held_out(root: Path) -> None:
    folder = PairedFolder.open(root)
    assert folder.split("p1") == (STEMS[:10], STEMS[10:])
    assert folder.split("p1", training="p00") == (STEMS[:1], STEMS[10:])
    for wrong in ("val_", ""):
        with pytest.raises(InputError, match=f"validation prefix '{wrong}'; names begin like 'p00'"):
            folder.split(wrong)
    with pytest.raises(InputError, match="leaves nothing to train on"):
        folder.split("p")


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
    for stem in STEMS:
        ids = np.asarray(Image.open(root / "labels" / f"{stem}.png"))
        write_ids(root / "instances" / f"{stem}.png", ids + 40)
    sample = dataset(root, transform=PairedTransform(size=(8, 8), flip=False))[3]
    assert torch.equal(sample["instances"], sample["segmap"] + 40)
    write_ids(root / "instances" / "p03.png", np.zeros((12, 11)))
    with pytest.raises(InputError, match=r"12 x 10 in .*p03\.png and 12 x 11 in .*instances/p03\.png"):
        dataset(root)[3]
    (root / "instances" / "p03.png").rename(root / "instances" / "other.png")
    with pytest.raises(InputError, match=r"instances/other\.png has no pair; labels/p03\.png has no instances"):
        PairedFolder.open(root)


def test_a_bad_pair_is_named_when_it_is_read(root: Path) -> None:
    write_ids(root / "labels" / "p00.png", np.zeros((10, 12)))
    with pytest.raises(InputError) as caught:
        dataset(root)[0]
    assert "got 12 x 10 in " in str(caught.value) and "p00.png and 10 x 12 in " in str(caught.value)
    write_ids(root / "labels" / "p01.png", np.full((12, 10), 9))
    with pytest.raises(InputError, match=r"expected label ids 0\.\.2 .* got 9 in .*labels/p01\.png"):
        dataset(root)[1]
    (root / "images" / "p02.jpeg").write_bytes(b"")
    with pytest.raises(InputError, match=r"p02\.jpeg is empty"):
        dataset(root)[2]
    with pytest.raises(InputError, match="has no pair named 'nobody'"):
        PairedDataset(PairedFolder.open(root), ["nobody"], PairedTransform(size=(8, 8)))
