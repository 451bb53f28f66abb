"""Paired folders: strict opening, splits by fraction, prefix and manifest, and reading single pairs."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.data.check import check_folder
from sean.data.folder import PairedFolder
from sean.data.manifest import UNFINISHED_NAME, Manifest, write_manifest
from sean.data.paired import Pair, PairSource
from sean.errors import InputError
from sean.images import read_image
from sean.labels import CMP_FACADES

from ..support.pairs import STEMS, write_ids, write_instances, write_pairs


@pytest.fixture
def root(tmp_path: Path, rng: np.random.Generator) -> Path:
    return write_pairs(tmp_path / "pairs", rng)


def manifest(training: tuple[str, ...], validation: tuple[str, ...]) -> Manifest:
    return Manifest(source="noise", training=training, validation=validation, checksums={})


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


def test_all_pairs_are_held_out_where_no_training_pair_is_needed(root: Path) -> None:
    folder = PairedFolder.open(root)
    for whole in (1.0, "p"):
        assert folder.split(whole, allow_no_training=True) == ((), STEMS)
    assert folder.split(0.1, allow_no_training=True) == folder.split(0.1)
    with pytest.raises(InputError, match="expected a validation fraction"):
        folder.split(1.5, allow_no_training=True)
    with pytest.raises(InputError, match="leaves nothing to train on"):
        folder.split(0.1, training="q", allow_no_training=True)


def test_a_single_pair_is_a_training_pair(root: Path) -> None:
    for stem in STEMS[1:]:
        for file in (*root.glob(f"images/{stem}.*"), *root.glob(f"labels/{stem}.*")):
            file.unlink()
    folder = PairedFolder.open(root)
    assert folder.split() == (STEMS[:1], ())
    with pytest.raises(InputError, match="leaves nothing to train on"):
        folder.split(0.1)  # what is asked for is not changed in silence


def test_without_a_manifest_the_last_tenth_is_held_out_by_itself(root: Path) -> None:
    folder = PairedFolder.open(root)
    assert folder.manifest is None
    assert folder.split() == folder.split(0.1)
    assert folder.split(training="p00") == (STEMS[:1], STEMS[18:])


def test_the_manifest_holds_the_split(root: Path) -> None:
    write_manifest(root, manifest(STEMS[3:9], STEMS[:2]))
    folder = PairedFolder.open(root)
    assert folder.split() == (STEMS[3:9], STEMS[:2])
    assert folder.split(training="p04") == (STEMS[4:5], STEMS[:2])
    assert folder.split(0.1) == (STEMS[:18], STEMS[18:])  # what is asked for goes before
    with pytest.raises(InputError, match=r"no training pair of .*manifest\.json \(6 pairs\) starts with 'q'"):
        folder.split(training="q")
    write_manifest(root, manifest(STEMS[:3], ("q1", "q2")))
    with pytest.raises(InputError, match=r"expected the pair 'q1' of manifest\.json in .*pairs, found none"):
        PairedFolder.open(root).split()


def test_an_unfinished_folder_is_refused(root: Path) -> None:
    (root / UNFINISHED_NAME).write_text("{}")
    (root / "labels").rename(root / "later")
    with pytest.raises(InputError, match="is not prepared to the end"):
        PairedFolder.open(root)


def test_pairs_are_read_as_they_are(root: Path) -> None:
    source = PairedFolder.open(root).pairs(["p03", "p00"])
    assert isinstance(source, PairSource)
    assert (len(source), source.name(0), source.name(1)) == (2, "p03", "p00")
    assert (source.groups, source.has_instances, source.labels.num_regions) == (None, False, 3)
    pair = source.read(1)
    assert (pair.image.dtype, pair.segmap.dtype, pair.instances) == (np.uint8, np.int64, None)
    assert np.array_equal(pair.image, np.asarray(Image.open(root / "images" / "p00.png")))
    assert np.array_equal(pair.segmap, np.asarray(Image.open(root / "labels" / "p00.png")))
    with pytest.raises(InputError, match="has no pair named 'nobody'"):
        PairedFolder.open(root).pairs(["p00", "nobody"])


def test_instances_are_read_and_compared(root: Path) -> None:
    write_instances(root)
    source = PairedFolder.open(root).pairs(STEMS)
    pair = source.read(3)
    assert source.has_instances and pair.instances is not None
    assert np.array_equal(pair.instances, pair.segmap + 40)
    write_ids(root / "instances" / "p03.png", np.zeros((12, 11)))
    with pytest.raises(InputError, match=r"12 x 10 in .*p03\.png and 12 x 11 in .*instances/p03\.png"):
        source.read(3)
    (root / "instances" / "p03.png").rename(root / "instances" / "other.png")
    with pytest.raises(InputError, match=r"instances/other\.png has no pair; labels/p03\.png has no instances"):
        PairedFolder.open(root)


def test_a_bad_pair_is_named_when_it_is_read(root: Path) -> None:
    source = PairedFolder.open(root).pairs(STEMS)
    write_ids(root / "labels" / "p00.png", np.zeros((10, 12)))
    with pytest.raises(InputError) as caught:
        source.read(0)
    assert "got 12 x 10 in " in str(caught.value) and "p00.png and 10 x 12 in " in str(caught.value)
    write_ids(root / "labels" / "p01.png", np.full((12, 10), 9))
    with pytest.raises(InputError, match=r"expected label ids 0\.\.2 .* got 9 in .*labels/p01\.png"):
        source.read(1)
    (root / "images" / "p02.jpeg").write_bytes(b"")
    with pytest.raises(InputError, match=r"p02\.jpeg is empty"):
        source.read(2)


def all_pairs(root: Path) -> list[Pair]:
    source = PairedFolder.open(root).pairs(STEMS)
    return [source.read(index) for index in range(len(source))]


def other_formats(root: Path, image_suffix: str, label_suffix: str) -> dict[str, np.ndarray]:
    """Save the pairs of a folder in other formats; gives the pictures as these keep them."""
    pictures = {}
    for stem in STEMS:
        image_path = next((root / "images").glob(f"{stem}.*"))
        new_path = root / "images" / (stem + image_suffix)
        with Image.open(image_path) as image:
            image.convert("RGB").save(new_path)
        pictures[stem] = read_image(new_path)
        with Image.open(root / "labels" / f"{stem}.png") as ids:
            ids.save(root / "labels" / (stem + label_suffix))
        for old, new in ((image_path, image_suffix), (root / "labels" / f"{stem}.png", label_suffix)):
            if old.suffix != new:
                old.unlink()
    return pictures


@pytest.mark.parametrize(("image_suffix", "label_suffix"), [(".webp", ".png"), (".bmp", ".tif"), (".TIFF", ".bmp")])
def test_pictures_and_maps_of_other_formats(root: Path, image_suffix: str, label_suffix: str) -> None:
    before = {stem: pair.segmap for stem, pair in zip(STEMS, all_pairs(root), strict=True)}
    pictures = other_formats(root, image_suffix, label_suffix)
    source = PairedFolder.open(root).pairs(STEMS)
    for index, stem in enumerate(STEMS):
        pair = source.read(index)
        assert np.array_equal(pair.image, pictures[stem]) and np.array_equal(pair.segmap, before[stem])


def test_a_label_map_in_a_lossy_format_is_named(root: Path) -> None:
    (root / "labels" / "p00.png").rename(root / "labels" / "p00.jpg")
    with pytest.raises(InputError, match=r"p00\.png has no labels/p00\.png \(p00\.jpg there cannot be one: its format"):
        PairedFolder.open(root)


def test_names_pair_whatever_their_unicode_form(root: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Müller é") for form in ("NFC", "NFD"))
    assert composed != decomposed
    (root / "images" / "p00.png").rename(root / "images" / f"{decomposed}.png")
    (root / "labels" / "p00.png").rename(root / "labels" / f"{composed}.png")
    folder = PairedFolder.open(root)
    assert folder.stems[0] == composed
    assert folder.images[composed].name == f"{decomposed}.png"
    for name in (composed, decomposed):
        assert folder.pairs([name]).read(0).segmap.shape == (12, 10)
        assert folder.split(name[:3])[1] == (composed,)
    (root / "images" / f"{composed}.jpg").write_bytes((root / "images" / "p01.JPG").read_bytes())
    with pytest.raises(InputError, match="1 files with the same stem"):
        PairedFolder.open(root)


def test_maps_that_lie_as_the_files_of_photos_are_turned_with_them(root: Path) -> None:
    write_instances(root)
    pair = PairedFolder.open(root).pairs(["p00"]).read(0)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: stored turned the other way
    Image.fromarray(np.rot90(pair.image)).save(root / "images" / "p00.png", exif=exif)
    source = PairedFolder.open(root).pairs(["p00"])
    for segmap in (pair.segmap, np.rot90(pair.segmap)):
        write_ids(root / "labels" / "p00.png", segmap)
        write_ids(root / "instances" / "p00.png", segmap + 40)
        turned = source.read(0)
        assert np.array_equal(turned.image, pair.image) and np.array_equal(turned.segmap, pair.segmap)
        assert turned.instances is not None and np.array_equal(turned.instances, pair.segmap + 40)
    assert "pairs of different size" not in {problem.kind for problem in check_folder(root).problems}
    write_ids(root / "labels" / "p00.png", np.zeros((12, 11)))
    with pytest.raises(InputError, match="got 12 x 10 in "):
        source.read(0)
