"""CVAT: "CVAT for images 1.1", an annotations.xml with polygons, boxes, ellipses and masks; or "Segmentation mask 1.1".

The second is a tree like Pascal VOC's with a labelmap.txt. Shapes of one group_id are one object. A mask is a code of
run lengths along the rows of its box, background first. Boxes and ellipses may have a rotation around their centre, in
degrees, clockwise. Exports for video, which have tracks, are refused.
"""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sean.data.folder import PairedFolder
from sean.data.formats import voc
from sean.data.formats.polygons import Canvas, box_ring, ellipse_ring, objects_of, rotated_ring
from sean.data.formats.tree import (
    BACKGROUND,
    IGNORE,
    UNLABELLED,
    UNPAIRED,
    Annotation,
    Item,
    Options,
    Pictures,
    SourceClass,
    Tree,
    files_below,
    not_a_tree,
    painted_classes,
    sized,
    with_stems,
)
from sean.errors import InputError
from sean.files import atomic_write, link_or_copy
from sean.labels import Color

_AREAS = ("polygon", "box", "ellipse", "mask")
_GREY: Color = (128, 128, 128)
_NO_AREA = ("polyline", "points", "cuboid", "skeleton")


def detect(root: Path) -> bool:
    """Whether the folder holds an XML file of annotations, or masks with a labelmap.txt."""
    return _is_mask_tree(root) or any(_is_annotations(path) for path in sorted(root.glob("*.xml")))


def find(root: Path, options: Options) -> Tree:
    """List an export of either kind.

    Raises:
        InputError: the folder holds none, or one for video, or the XML is damaged.
    """
    if _is_mask_tree(root):
        return voc.find(root, options, "cvat")
    files = [path for path in files_below(root, (".xml",)) if _is_annotations(path)]
    if not files:
        raise not_a_tree(root, "CVAT", "annotations.xml, or labelmap.txt with SegmentationClass/")
    pictures = Pictures.below(root, options.images)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    classes: dict[str, SourceClass] = {}
    for path in files:
        document = _parsed(path)
        for label in document.iterfind("meta//labels/label"):
            name = label.findtext("name") or ""
            color = _color(label.findtext("color"))
            classes.setdefault(name, SourceClass(id=len(classes), name=name, color=color))
        if document.find("track") is not None:
            raise InputError(f"{path} is an export for video, with tracks; export the task as 'CVAT for images 1.1'")
        for image in document.iterfind("image"):
            try:
                found = pictures.find(image.get("name", ""))
            except InputError as error:
                problems.append((UNPAIRED, f"{path}: {error}"))
                continue
            part = image.get("subset", "").lower()
            items.append(
                Item(
                    stem="",
                    image=str(found),
                    annotation=str(path),
                    data=_image_data(image),
                    validation=part in ("val", "validation"),
                )
            )
    regions, ids = painted_classes(classes.values())
    return Tree(
        format="cvat",
        root=root,
        classes=regions,
        unlabelled=(UNLABELLED,),
        items=with_stems(items, pictures.root),
        read=partial(_read, {name: ids[each.id] for name, each in classes.items()}),
        has_instances=True,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def export(folder: PairedFolder, destination: Path, stem: str) -> str:
    """The picture of one pair, and its element of annotations.xml: a mask for each object, or for each label."""
    pair = folder.pairs([stem]).read(0)
    image = folder.images[stem]
    link_or_copy(image, destination / "images" / image.name)
    height, width = pair.segmap.shape
    element = ElementTree.Element("image", name=image.name, width=str(width), height=str(height))
    names = (*folder.labels.names, IGNORE)
    for label, number, area in objects_of(pair):
        element.append(_mask_element(names[label], area, number))
    return ElementTree.tostring(element, encoding="unicode")


def finish(folder: PairedFolder, destination: Path, parts: Mapping[str, str]) -> None:
    """Write annotations.xml."""
    _, validation = folder.split(allow_no_training=True)
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "name").text = folder.labels.name
    ElementTree.SubElement(task, "size").text = str(len(parts))
    ElementTree.SubElement(task, "mode").text = "annotation"
    labels = ElementTree.SubElement(task, "labels")
    for name, color in zip((*folder.labels.names, IGNORE), (*folder.labels.colors, _GREY), strict=True):
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*color)
        ElementTree.SubElement(label, "type").text = "any"
    for index, (stem, part) in enumerate(parts.items()):
        image = ElementTree.fromstring(part)
        image.set("id", str(index))
        image.set("subset", "Validation" if stem in validation else "Train")
        root.append(image)
    ElementTree.indent(root)
    with atomic_write(destination / "annotations.xml") as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _mask_element(name: str, area: np.ndarray, group: int) -> ElementTree.Element:
    rows, columns = np.nonzero(area.any(1))[0], np.nonzero(area.any(0))[0]
    top, left = int(rows[0]), int(columns[0])
    box = area[top : rows[-1] + 1, left : columns[-1] + 1]
    changes = np.flatnonzero(np.diff(box.ravel(), prepend=False))
    runs = np.diff(changes, prepend=0, append=box.size)
    values = {
        "label": name,
        "source": "manual",
        "occluded": "0",
        "rle": ", ".join(map(str, runs.tolist())),
        "left": str(left),
        "top": str(top),
        "width": str(box.shape[1]),
        "height": str(box.shape[0]),
        "z_order": "0",
    }
    return ElementTree.Element("mask", {**values, **({"group_id": str(group)} if group else {})})


def _is_mask_tree(root: Path) -> bool:
    return (root / voc.LABELMAP).is_file() and voc.detect(root)


def _is_annotations(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"<annotations" in file.read(2000)
    except OSError:
        return False


def _parsed(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"{path} is not readable XML ({error}); export the task again") from error


def _image_data(image: ElementTree.Element) -> tuple[dict[str, str], list[tuple[str, dict[str, str]]]]:
    return dict(image.attrib), [(shape.tag, dict(shape.attrib)) for shape in image]


def _color(text: str | None) -> Color | None:
    digits = (text or "").removeprefix("#")
    if len(digits) != 6:
        return None
    try:
        value = int(digits, 16)
    except ValueError:
        return None
    return value >> 16, value >> 8 & 255, value & 255


def _read(ids: Mapping[str, int], item: Item, size: tuple[int, int]) -> Annotation:
    attributes, shapes = item.data
    declared = (int(attributes["height"]), int(attributes["width"]))
    canvas = Canvas(sized(attributes.get("name", "a picture"), item.annotation, declared), BACKGROUND, item.annotation)
    numbers: dict[Any, int] = {}
    order = sorted(range(len(shapes)), key=lambda index: int(shapes[index][1].get("z_order", 0)))
    for index in order:
        kind, values = shapes[index]
        if kind in _NO_AREA:
            canvas.leave_out(f"a shape of the type {kind}")
        if kind not in _AREAS:
            continue
        label = values["label"]
        if label not in ids:
            raise InputError(f"the label {label!r} of a {kind} is not in the list of labels of {item.annotation}")
        group = values.get("group_id")
        instance = numbers.setdefault((label, group) if group else ("one", index), len(numbers) + 1)
        _paint(canvas, kind, values, ids[label], 0 if ids[label] < 0 else instance, item.annotation)
    return canvas.annotation()


def _paint(canvas: Canvas, kind: str, values: Mapping[str, str], label: int, instance: int, source: str) -> None:
    if kind == "polygon":
        points = [[float(number) for number in point.split(",")] for point in values["points"].split(";") if point]
        canvas.polygon([points], label, instance)
    elif kind == "box":
        ring = box_ring(*(float(values[key]) for key in ("xtl", "ytl", "xbr", "ybr")))
        canvas.polygon([rotated_ring(ring, _angle(values, source))], label, instance)
    elif kind == "ellipse":
        ring = ellipse_ring(*(float(values[key]) for key in ("cx", "cy", "rx", "ry")))
        canvas.polygon([rotated_ring(ring, _angle(values, source))], label, instance)
    else:
        left, top, width, height = (int(float(values[key])) for key in ("left", "top", "width", "height"))
        runs = [int(run) for run in values["rle"].replace(",", " ").split()]
        if sum(runs) != width * height:
            raise InputError(
                f"expected a mask of {width} x {height} pixels, got runs of {sum(runs)} in {source}; export it again"
            )
        area = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
        canvas.mask(area, label, instance, (top, left))


def _angle(values: Mapping[str, str], source: str) -> float:
    """The rotation of a shape in radians; CVAT leaves the attribute out where there is none."""
    text = values.get("rotation", "0")
    try:
        angle = math.radians(float(text))
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        raise InputError(f"expected a rotation in degrees, got {text!r} in {source}; export it again")
    return angle
