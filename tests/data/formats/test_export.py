"""Data folders in the files of a tool, and back without loss."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sean.cli import main
from sean.data import convert, export
from sean.data.folder import PairedFolder
from sean.data.formats.export import WRITERS
from sean.errors import InputError
from sean.images import save_image, write_image
from sean.labels import LabelSet
from sean.segmap import write_segmap

from .test_formats import same_partition

LABELS = LabelSet(
    name="wild",
    names=("sky", "l_eye", "r_eye", "background", "grass with spaces"),
    palette=((9, 0, 0), (0, 9, 0), (0, 0, 9), (0, 0, 0), (80, 80, 80)),
    ignore_id=255,
    flip_pairs=((1, 2),),
)


def write_folder(root: Path, *, instances: bool, unlabelled: bool = True) -> Path:
    """Five pairs of ragged regions, with holes in each other, single pixels and pixels that touch at corners."""
    rng = np.random.default_rng(3)
    for number in range(5):
        noise = ndimage.gaussian_filter(rng.normal(size=(37, 51, 6 if unlabelled else 5)), (1.2, 1.2, 0))
        segmap = noise.argmax(2)
        write_image(root / "images" / f"p{number}.jpg", rng.integers(0, 256, (37, 51, 3), dtype=np.uint8))
        write_segmap(root / "labels" / f"p{number}.png", segmap, LABELS)
        if instances:
            numbers, _ = ndimage.label(segmap == 1)
            (root / "instances").mkdir(exist_ok=True)
            save_image(root / "instances" / f"p{number}.png", Image.fromarray((numbers * 7).astype(np.uint16)))
    (root / "classes.txt").write_text(LABELS.to_classes_txt())
    return root


@pytest.mark.parametrize("instances", [False, True])
@pytest.mark.parametrize("unlabelled", [False, True])
@pytest.mark.parametrize("format", list(WRITERS))
def test_a_folder_comes_back_as_it_was(format: str, unlabelled: bool, instances: bool, tmp_path: Path) -> None:
    if format != "voc":
        pytest.importorskip("pycocotools")
    source = write_folder(tmp_path / "pairs", instances=instances, unlabelled=unlabelled)
    assert export(source, tmp_path / "tool", format=format) == 5
    result = convert(tmp_path / "tool", tmp_path / "back", workers=1)
    assert result.ok and result.format == ("cvat" if format == "voc" else format), result.text()
    before, after = PairedFolder.open(source), PairedFolder.open(tmp_path / "back")
    assert (after.labels.names, after.labels.palette) == (LABELS.names, LABELS.palette)
    assert (after.labels.ignore_id, after.labels.flip_pairs) == (255, LABELS.flip_pairs)
    if format != "labelme":  # which has no split
        assert after.split() == before.split()
    for stem in before.stems:
        one, other = before.pairs([stem]).read(0), after.pairs([stem]).read(0)
        assert before.images[stem].read_bytes() == after.images[stem].read_bytes()
        assert np.array_equal(one.segmap, other.segmap)
        if instances:
            assert one.instances is not None and other.instances is not None
            objects = one.instances > 0
            assert same_partition(one.instances[objects], other.instances[objects])


@pytest.mark.parametrize("format", ["coco", "cvat", "labelme"])
def test_the_files_are_those_of_the_tool_without_our_list(format: str, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    source = write_folder(tmp_path / "pairs", instances=False, unlabelled=False)
    export(source, tmp_path / "tool", format=format)
    (tmp_path / "tool" / "classes.txt").unlink()
    assert convert(tmp_path / "tool", tmp_path / "back", workers=1).ok
    before, after = PairedFolder.open(source), PairedFolder.open(tmp_path / "back")
    assert after.labels.names == LABELS.names
    for stem in before.stems:
        assert np.array_equal(before.pairs([stem]).read(0).segmap, after.pairs([stem]).read(0).segmap)


def test_coco_is_read_by_its_own_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO

    source = write_folder(tmp_path / "pairs", instances=False, unlabelled=False)
    export(source, tmp_path / "tool", format="coco")
    folder = PairedFolder.open(source)
    coco = COCO(str(tmp_path / "tool" / "annotations" / "instances_train.json"))
    capsys.readouterr()
    for image in coco.imgs.values():
        segmap = folder.pairs([image["file_name"].removesuffix(".jpg")]).read(0).segmap
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            from sean.data.formats.polygons import decoded

            area = decoded(coco.annToRLE(annotation))
            assert np.array_equal(area, segmap == folder.labels.id_of(coco.cats[annotation["category_id"]]["name"]))
            assert annotation["area"] == area.sum()


def test_the_command_and_its_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_folder(tmp_path / "pairs", instances=False)
    assert main(["data", "export", str(source), str(tmp_path / "tool"), "--to", "voc"]) == 0
    assert "5 pairs for voc" in capsys.readouterr().out
    for arguments, said in (
        ([str(source), str(tmp_path / "tool"), "--to", "voc"], "expected a new or empty folder"),
        ([str(source), str(tmp_path / "new"), "--to", "yolo"], "unknown format 'yolo'"),
        ([str(tmp_path), str(tmp_path.parent / "new"), "--to", "voc"], "expected the folder"),
    ):
        assert main(["data", "export", *arguments]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and said in line, line


@pytest.mark.parametrize("place", ["note.txt/out", "note.txt/deep/out"])
def test_a_file_in_place_of_a_folder_is_one_line(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_folder(tmp_path / "pairs", instances=False)
    (tmp_path / "note.txt").write_text("a note")
    assert main(["data", "export", str(source), str(tmp_path / place), "--to", "voc"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and f"cannot write {tmp_path / place}" in line
    assert (tmp_path / "note.txt").read_text() == "a note"


@pytest.mark.parametrize("call", ["tempfile.mkdtemp", "pathlib.Path.mkdir", "pathlib.Path.iterdir"])
def test_a_folder_that_cannot_be_used_is_one_line(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "pairs", instances=False)
    (tmp_path / "closed" / "out").mkdir(parents=True)
    scanned, denied = Path.iterdir, PermissionError(errno.EACCES, "Permission denied")

    def refuse(*given: Any, **options: Any) -> Any:
        if call.endswith("iterdir") and "closed" not in str(given[0]):
            return scanned(*given)
        raise denied

    monkeypatch.setattr(call, refuse)
    with pytest.raises(InputError, match="out: Permission denied; choose another folder"):
        export(source, tmp_path / "closed" / "out", format="voc")
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "closed").iterdir()] == ["out"]


def test_labels_that_a_format_cannot_hold_are_refused(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "pairs", instances=False, unlabelled=False)
    names = "".join(f"{index} c{index}\n" for index in range(260))
    (source / "classes.txt").write_text(names)
    with pytest.raises(InputError, match="at most 255 labels"):
        export(source, tmp_path / "tool", format="voc")
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]
