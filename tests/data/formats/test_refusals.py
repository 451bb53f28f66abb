"""The most likely mistakes: each is refused in one line that names the file and the reason; nothing is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sean.cli import main

from .miniatures import MINIATURES, save, write

pytest.importorskip("pycocotools")


def changed_json(path: Path, change: Callable[[Any], None]) -> None:
    """Rewrite a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def shape(**values: Any) -> Callable[[Path], None]:
    """A change of the first shape of LabelMe's first file."""
    return lambda root: changed_json(root / "a1.json", lambda content: content["shapes"][0].update(values))


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change of a text file."""

    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


def other_color(root: Path) -> None:
    path = root / "SegmentationClass" / "a1.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[5, 7] = (1, 2, 3)
    save(path, pixels)


def as_jpeg(root: Path) -> None:
    path = root / "drawn" / "one" / "a1_mask.png"
    Image.open(path).save(root / "drawn" / "one" / "a1_mask.jpg")
    path.unlink()


def other_size(root: Path) -> None:
    save(root / "JPEGImages" / "a1.jpg", np.zeros((50, 60, 3), dtype=np.uint8))


def only_boxes(root: Path) -> None:
    def change(content: Any) -> None:
        for annotation in content["annotations"]:
            del annotation["segmentation"]

    for path in (root / "annotations").iterdir():
        changed_json(path, change)


def run_lengths_of_another_size(root: Path) -> None:
    def change(content: Any) -> None:
        next(each for each in content["annotations"] if isinstance(each["segmentation"], dict))["segmentation"][
            "size"
        ] = [20, 20]

    changed_json(root / "annotations" / "instances_train2017.json", change)


def unknown_segment(root: Path) -> None:
    path = root / "annotations" / "panoptic_val2017.json"
    changed_json(path, lambda content: content["annotations"][0]["segments_info"].pop())


def unlisted_category(root: Path) -> None:
    path = root / "annotations" / "instances_val2017.json"
    changed_json(path, lambda content: content["annotations"][0].update(category_id=5))


def rotated(value: str) -> Callable[[Path], None]:
    """A rotation of CVAT's boxes."""
    return edit("annotations.xml", 'z_order="2"', f'z_order="2" rotation="{value}"')


def unturned(root: Path) -> None:
    box = {"geometryType": "oriented_bbox", "points": [[9, 9], [20, 20]], "angle": float("nan")}
    changed_json(root / "train" / "ann" / "a1.jpg.json", lambda content: content["objects"][3].update(box))


# what goes wrong, in which format, how, and what the line must say
MISTAKES: list[tuple[str, str, Callable[[Path], None], list[str]]] = [
    ("a picture is missing", "voc", lambda root: (root / "JPEGImages" / "a1.jpg").unlink(), ["a1", "no picture"]),
    ("a picture is empty", "voc", lambda root: (root / "JPEGImages" / "a1.jpg").write_bytes(b""), ["a1.jpg", "empty"]),
    ("a picture was resized", "voc", other_size, ["a1.jpg", "50 x 60", "40 x 56"]),
    ("an id without a name", "voc", edit("class_names.txt", "person\n", ""), ["SegmentationClass", "got 3"]),
    ("an instance map is missing", "voc", lambda root: (root / "SegmentationObject" / "b2.png").unlink(), ["b2.png"]),
    ("a colour of no class", "cvat-masks", other_color, ["a1.png", "(1, 2, 3)", "row 5, column 7"]),
    ("a damaged labelmap", "cvat-masks", edit("labelmap.txt", "road:128,64", "road;128"), ["line 3", "r,g,b"]),
    ("an export for video", "cvat-xml", edit("annotations.xml", "</meta>", "</meta><track/>"), ["for video"]),
    ("XML cut short", "cvat-xml", edit("annotations.xml", "</annotations>", ""), ["annotations.xml", "XML"]),
    ("a mask of other runs", "cvat-xml", edit("annotations.xml", 'rle="0, 160', 'rle="0, 150'), ["runs of 150"]),
    ("a rotation that is no number", "cvat-xml", rotated("steep"), ["in degrees", "'steep'", "annotations.xml"]),
    ("a rotation without an end", "cvat-xml", rotated("inf"), ["in degrees", "'inf'", "annotations.xml"]),
    ("JSON cut short", "labelme", lambda root: (root / "a1.json").write_text('{"shapes": ['), ["a1.json", "JSON"]),
    ("a picture of a long name", "labelme", edit("a1.json", "a1.jpg", "x" * 300), ["there is no picture xxx"]),
    ("a label not in the list", "labelme", shape(label="raod"), ["'raod'", "labels.txt"]),
    ("coordinates of a larger picture", "labelme", shape(points=[[0, 0], [900, 0], [900, 900]]), ["far"]),
    ("a coordinate that is no number", "labelme", shape(points=[[0, float("nan")], [9, 0], [9, 9]]), ["no number"]),
    ("a mask that is no picture", "labelme", shape(shape_type="mask", mask="AAAA"), ["a1.json", "mask"]),
    ("boxes instead of polygons", "yolo-seg", edit("labels/val/c3.txt", "\n", "\n1 0.5 0.5 0.1 0.1\n"), ["a box"]),
    ("pixels instead of parts", "yolo-seg", edit("labels/val/c3.txt", "0.", "40."), ["c3.txt line 1", "0..1"]),
    ("a class beyond the list", "yolo-seg", edit("data.yaml", "  2: person\n", ""), ["class 2"]),
    ("no list of classes", "yolo-seg", edit("data.yaml", "names", "labels"), ["data.yaml", "names"]),
    ("detection without segmentation", "coco", only_boxes, ["boxes", "segmentation"]),
    ("run lengths of another size", "coco", run_lengths_of_another_size, ["[20, 20]", "[40, 56]"]),
    ("an unlisted category", "coco", unlisted_category, ["category 5", "instances_val2017.json"]),
    ("a segment without description", "coco-panoptic", unknown_segment, ["a1.png", "segment 12500"]),
    ("a class that meta.json lacks", "supervisely", edit("meta.json", '"road"', '"raod"'), ["'road'", "meta.json"]),
    ("an angle that is no number", "supervisely", unturned, ["angle in radians", "nan", "a1.jpg.json"]),
    ("masks as JPEG", "masks", as_jpeg, ["a1"]),
    ("no list of the ids", "masks", lambda root: (root / "classes.txt").unlink(), ["classes.txt", "id name"]),
    ("255 that nothing explains", "masks", edit("classes.txt", "ignore 0 255", "ignore 0"), ["'ignore 255'"]),
]  # fmt: skip


@pytest.mark.parametrize(("format", "spoil", "said"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_line(
    format: str,
    spoil: Callable[[Path], None],
    said: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    MINIATURES[format].write(tmp_path / "source")
    spoil(tmp_path / "source")
    arguments = ["data", "convert", str(tmp_path / "source"), str(tmp_path / "pairs"), "--workers", "1"]
    assert main([*arguments, "--from", MINIATURES[format].name]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and line.startswith("sean: ")
    assert all(part in line for part in said), line
    assert not (tmp_path / "pairs" / "manifest.json").exists() and not (tmp_path / "pairs" / "classes.txt").exists()


@pytest.mark.parametrize("format", list(MINIATURES))
def test_a_tree_of_another_format_is_refused(format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "source" / "readme.txt", "nothing")
    arguments = ["data", "convert", str(tmp_path / "source"), str(tmp_path / "pairs")]
    assert main([*arguments, "--from", MINIATURES[format].name]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "readme.txt" in line and "expected" in line
    assert not (tmp_path / "pairs").exists()


def test_unknown_folders_and_formats_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "task.zip", "PK")
    write(tmp_path / "empty" / "readme.txt", "nothing")
    for arguments, said in (
        ([str(tmp_path / "task.zip"), str(tmp_path / "pairs")], "is an archive; unpack it"),
        ([str(tmp_path / "nowhere"), str(tmp_path / "pairs")], "found none"),
        ([str(tmp_path / "empty"), str(tmp_path / "pairs")], "of no format that is known here"),
        ([str(tmp_path / "empty"), str(tmp_path / "pairs"), "--from", "vox"], "unknown format 'vox'"),
        ([str(tmp_path / "empty"), str(tmp_path / "empty" / "pairs")], "apart from each other"),
        ([str(tmp_path / "empty"), str(tmp_path / "pairs"), "--pattern", "mask.png"], "{stem}"),
    ):
        assert main(["data", "convert", *arguments]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and said in line, line
