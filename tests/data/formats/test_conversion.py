"""The run: restarts, processes, what is left out, sizes, pictures elsewhere."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.cli import main
from sean.data import convert
from sean.data.folder import PairedFolder
from sean.data.manifest import UNFINISHED_NAME
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

from .miniatures import cvat_masks, cvat_xml, masks, save, scenes, voc, write


def files_of(root: Path) -> dict[str, bytes]:
    """The content of every file, by its path in the folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.integration
def test_two_processes_make_the_folder_of_one(tmp_path: Path) -> None:
    voc(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "one", workers=1)
    convert(tmp_path / "source", tmp_path / "two", workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    voc(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "whole", workers=1)

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "source", tmp_path / "pairs", workers=1, progress=interrupt)
    assert (tmp_path / "pairs" / UNFINISHED_NAME).exists()
    (tmp_path / "pairs" / "images" / "a1.jpg").write_bytes(b"half")
    with pytest.raises(InputError, match="not prepared to the end"):
        PairedFolder.open(tmp_path / "pairs")
    result = convert(tmp_path / "source", tmp_path / "pairs", workers=1)
    assert (result.made, result.kept) == (2, 1)
    assert files_of(tmp_path / "pairs") == files_of(tmp_path / "whole")
    assert "already" in convert(tmp_path / "source", tmp_path / "pairs", workers=1).text()
    with pytest.raises(InputError, match="choose another folder"):
        convert(tmp_path / "source", tmp_path / "pairs", workers=1, mapping={"car": "vehicle"})


def add_picture(root: Path) -> None:
    for folder, suffix in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png"), ("SegmentationObject", ".png")):
        shutil.copy(root / folder / f"a1{suffix}", root / folder / f"d4{suffix}")
    write(root / "ImageSets" / "Segmentation" / "train.txt", "a1\nb2\nd4\n")


def other_pictures(root: Path) -> None:
    """Of the same names, as those of two tasks of a tool that counts from 0."""
    for path in (root / "JPEGImages").iterdir():
        save(path, np.zeros((40, 56, 3), dtype=np.uint8))


def other_names(root: Path) -> None:
    for path in [*root.glob("*/a1.*"), *root.glob("*/b2.*"), *root.glob("*/c3.*")]:
        path.rename(path.with_stem(f"x{path.stem}"))
    write(root / "ImageSets" / "Segmentation" / "train.txt", "xa1\nxb2\n")
    write(root / "ImageSets" / "Segmentation" / "val.txt", "xc3\n")


def corrected_labels(root: Path) -> None:
    """A map of noise, whose file is larger."""
    path = root / "SegmentationClass" / "a1.png"
    with Image.open(path) as image:
        palette = image.getpalette() or []
    ids = Image.fromarray(np.random.default_rng(0).integers(0, 4, (40, 56)).astype(np.uint8))
    ids.putpalette(palette)
    save(path, ids)


def other_split(root: Path) -> None:
    write(root / "ImageSets" / "Segmentation" / "train.txt", "a1\nc3\n")
    write(root / "ImageSets" / "Segmentation" / "val.txt", "b2\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (add_picture, r"3 files differ, the first is images/d4\.jpg"),
        (other_names, r"18 files differ, the first is images/a1\.jpg"),
        (other_pictures, "pictures or labels have changed"),
        (corrected_labels, "pictures or labels have changed"),
        (other_split, "pictures or labels have changed"),
    ],
)
def test_a_finished_folder_of_another_source_is_refused(
    change: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    voc(tmp_path / "batch1")
    voc(tmp_path / "batch2")
    change(tmp_path / "batch2")
    assert convert(tmp_path / "batch1", tmp_path / "pairs", workers=1).made == 3
    before = files_of(tmp_path / "pairs")
    for skip_damaged in (False, True):
        with pytest.raises(InputError, match=rf"pairs is finished already, .*batch2 .*{said}.*; choose another"):
            convert(tmp_path / "batch2", tmp_path / "pairs", workers=1, skip_damaged=skip_damaged)
    assert files_of(tmp_path / "pairs") == before


def test_labels_corrected_within_a_file_of_equal_size_are_others(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    cvat_xml(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "pairs", workers=1)
    path = tmp_path / "source" / "annotations.xml"
    text = path.read_text()
    path.write_text(text.replace('z_order="2"', 'z_order="0"'))
    assert path.stat().st_size == len(text.encode())
    with pytest.raises(InputError, match="pictures or labels have changed"):
        convert(tmp_path / "source", tmp_path / "pairs", workers=1)


def test_a_finished_folder_knows_its_source_wherever_it_lies(tmp_path: Path) -> None:
    voc(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "pairs", workers=1)
    shutil.copytree(tmp_path / "source", tmp_path / "moved")
    assert "already" in convert(tmp_path / "moved", tmp_path / "pairs", workers=1).text()


@pytest.mark.parametrize("knows_origin", [True, False])
def test_a_finished_folder_without_damaged_pictures(knows_origin: bool, tmp_path: Path) -> None:
    """The same command says that it is finished, whether or not the manifest has the digest of the source."""
    voc(tmp_path / "source")
    (tmp_path / "source" / "JPEGImages" / "a1.jpg").write_bytes(b"half")
    assert convert(tmp_path / "source", tmp_path / "pairs", workers=1, skip_damaged=True).made == 2
    manifest = json.loads((tmp_path / "pairs" / "manifest.json").read_text())
    if not knows_origin:
        write(tmp_path / "pairs" / "manifest.json", manifest | {"origin": None})
    assert "already" in convert(tmp_path / "source", tmp_path / "pairs", workers=1, skip_damaged=True).text()
    other_names(tmp_path / "source")
    with pytest.raises(InputError, match="choose another folder"):
        convert(tmp_path / "source", tmp_path / "pairs", workers=1, skip_damaged=True)


def test_damaged_files_are_left_out_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voc(tmp_path / "source")
    (tmp_path / "source" / "JPEGImages" / "a1.jpg").write_bytes(b"half")
    save(tmp_path / "source" / "SegmentationClass" / "lonely.png", np.zeros((9, 9), dtype=np.uint8))
    save(tmp_path / "source" / "SegmentationObject" / "lonely.png", np.zeros((9, 9), dtype=np.uint8))
    arguments = ["data", "convert", str(tmp_path / "source"), str(tmp_path / "pairs"), "--workers", "1"]
    assert main(arguments) == 2 and not (tmp_path / "pairs").exists()
    capsys.readouterr()
    assert main([*arguments, "--skip-damaged"]) == 0
    said = capsys.readouterr().out
    assert "a1.jpg" in said and "lonely.png has no picture" in said and "2 pairs" in said and "2 left out" in said
    assert PairedFolder.open(tmp_path / "pairs").stems == ("b2", "c3")


def test_a_tree_in_which_all_is_damaged_becomes_no_folder(tmp_path: Path) -> None:
    voc(tmp_path / "source")
    for path in (tmp_path / "source" / "JPEGImages").iterdir():
        path.write_bytes(b"half")
    result = convert(tmp_path / "source", tmp_path / "pairs", workers=1, skip_damaged=True)
    assert not result.ok and not (tmp_path / "pairs" / "classes.txt").exists()


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    cvat_masks(tmp_path / "source")
    (tmp_path / "source" / "JPEGImages").rename(tmp_path / "photos")
    assert not convert(tmp_path / "source", tmp_path / "pairs", workers=1).ok
    assert convert(tmp_path / "source", tmp_path / "pairs", images=tmp_path / "photos", workers=1).made == 3


def test_pairs_are_shrunk(tmp_path: Path) -> None:
    voc(tmp_path / "source")
    assert convert(tmp_path / "source", tmp_path / "pairs", size=20, workers=1).ok
    pair = PairedFolder.open(tmp_path / "pairs").pairs(["a1"]).read(0)
    assert pair.image.shape == (20, 28, 3) and pair.instances is not None
    assert np.array_equal(pair.instances > 0, (scenes(unlabelled=True)[0].instances > 0)[::2, ::2])


def test_pictures_of_one_name_in_two_folders_keep_both(tmp_path: Path) -> None:
    write(tmp_path / "source" / "classes.txt", "0 back\n1 front\n")
    for folder in ("day", "night"):
        save(tmp_path / "source" / folder / "0001.jpg", np.zeros((8, 8, 3), dtype=np.uint8))
        save(tmp_path / "source" / folder / "0001_mask.png", np.full((8, 8), folder == "day", dtype=np.uint8))
    assert convert(tmp_path / "source", tmp_path / "pairs", workers=1).ok
    folder = PairedFolder.open(tmp_path / "pairs")
    assert folder.stems == ("day_0001", "night_0001")
    assert folder.pairs(["day_0001"]).read(0).segmap.all() and not folder.pairs(["night_0001"]).read(0).segmap.any()


def test_a_pattern_finds_masks_of_any_name(tmp_path: Path) -> None:
    masks(tmp_path / "source")
    (tmp_path / "source" / "drawn").rename(tmp_path / "source" / "truth")
    for path in list((tmp_path / "source" / "truth").rglob("*.png")):
        path.rename(path.with_name("gt-" + path.name.replace("_mask", "")))
    with pytest.raises(InputError, match="no format that is known"):
        convert(tmp_path / "source", tmp_path / "pairs", workers=1)
    result = convert(tmp_path / "source", tmp_path / "pairs", pattern="truth/gt-{stem}.png", workers=1)
    assert result.made == 3 and result.format == "masks"


def test_a_photo_on_its_side_gets_its_map_turned(tmp_path: Path) -> None:
    ids = np.zeros((6, 10), dtype=np.uint8)
    ids[0, :4] = 1
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    write(tmp_path / "source" / "classes.txt", "0 back\n1 front\n")
    save(tmp_path / "source" / "labels" / "p.png", ids)
    (tmp_path / "source" / "images").mkdir()
    Image.fromarray(np.zeros((6, 10, 3), dtype=np.uint8)).save(tmp_path / "source" / "images" / "p.jpg", exif=exif)
    assert convert(tmp_path / "source", tmp_path / "pairs", workers=1).ok
    assert np.array_equal(PairedFolder.open(tmp_path / "pairs").pairs(["p"]).read(0).segmap, np.rot90(ids, -1))


def test_the_labels_of_a_model_are_made(tmp_path: Path) -> None:
    voc(tmp_path / "source")
    labels = LabelSet(name="mine", names=("person", "vehicle", "ground", "tree", "background"))
    rules = {"car": "vehicle", "road": "ground"}
    assert convert(tmp_path / "source", tmp_path / "pairs", mapping=rules, labels=labels, workers=1).ok
    folder = PairedFolder.open(tmp_path / "pairs")
    assert folder.labels.names == labels.names
    table = np.array([4, 2, 1, 0, 5])
    assert np.array_equal(folder.pairs(["a1"]).read(0).segmap, table[scenes(unlabelled=True)[0].segmap])
    with pytest.raises(InputError, match=r"'road', 'car', 'person' of .* are no labels of 'celebamask-hq'"):
        convert(tmp_path / "source", tmp_path / "faces", labels=CELEBAMASK_HQ, workers=1)


def test_the_mapping_file_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voc(tmp_path / "source")
    write(tmp_path / "mapping.json", json.dumps({"road": "ground", "background": None, "car": "thing", "3": "thing"}))
    arguments = ["data", "convert", str(tmp_path / "source"), str(tmp_path / "pairs"), "--workers", "1"]
    assert main([*arguments, "--mapping", str(tmp_path / "mapping.json")]) == 0, capsys.readouterr().err
    folder = PairedFolder.open(tmp_path / "pairs")
    assert folder.labels.names == ("ground", "thing") and folder.labels.ignore_id == 255
    pair = folder.pairs(["a1"]).read(0)
    scene = scenes(unlabelled=True)[0]
    assert np.array_equal(pair.segmap, np.array([2, 0, 1, 1, 2])[scene.segmap])
    assert pair.instances is not None and np.array_equal(pair.instances > 0, scene.segmap % 4 > 0)
