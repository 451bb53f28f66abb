"""LabelMe: a JSON file for each picture, with shapes in the order in which they are painted.

Polygons, rectangles (rotated ones, too), circles and masks have an area; points and lines are left out. Shapes of one
label with the same group_id are one object. "__ignore__" marks unlabelled pixels. The classes are those of
`labels.txt`, or without it the labels that occur, by name.
"""

import base64
import binascii
import io
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sean.data.folder import PairedFolder
from sean.data.formats.polygons import Canvas, box_ring, ellipse_ring, objects_of, outlines
from sean.data.formats.tree import (
    BACKGROUND,
    DAMAGED,
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
    quiet_json,
    read_json,
    sized,
    with_stems,
)
from sean.errors import InputError
from sean.files import link_or_copy, read_text, write_text_atomic

# The corners of a rotated rectangle are given: labelme calls it oriented_rectangle, X-AnyLabeling rotation.
_CORNERS = ("polygon", "oriented_rectangle", "rotation")
_LABEL_LISTS = ("labels.txt", "class_names.txt")


def detect(root: Path) -> bool:
    """Whether one of the first JSON files in the folder and its subfolders has shapes."""
    first = [path for path, _ in zip(files_below(root, (".json",)), range(5), strict=False)]
    return any(isinstance(quiet_json(path).get("shapes"), list) for path in first)


def find(root: Path, options: Options) -> Tree:
    """List a tree with LabelMe's JSON files; JSON files without shapes are ignored.

    Raises:
        InputError: there is none.
    """
    pictures = Pictures.below(root, options.images)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    labels: set[str] = set()
    for path in files_below(root, (".json",)):
        try:
            content = read_json(path)
            if "shapes" not in content:
                continue
            labels |= {str(shape["label"]) for shape in content["shapes"]}
            items.append(Item(stem="", image=str(_picture(content, path, pictures)), annotation=str(path)))
        except InputError as error:
            kind = UNPAIRED if "picture" in str(error) else DAMAGED
            problems.append((kind, str(error) if str(path) in str(error) else f"{path}: {error}"))
        except (KeyError, TypeError) as error:
            problems.append((DAMAGED, f"{path} has shapes without a label ({error!r}); export it again"))
    if not items and not problems:
        raise not_a_tree(root, "LabelMe", "JSON files with shapes beside their pictures")
    listed = _classes(root, labels)
    classes, ids = painted_classes(listed)
    return Tree(
        format="labelme",
        root=root,
        classes=classes,
        unlabelled=(UNLABELLED,),
        items=with_stems(items, pictures.root),
        read=partial(_read, {each.name: ids[each.id] for each in listed}),
        has_instances=True,
        problems=tuple(problems),
    )


def export(folder: PairedFolder, destination: Path, stem: str) -> None:
    """Write the JSON file of one pair: the outline of every connected part, which is exact in the order of the shapes.

    Larger outlines are painted first. Holes therefore need no shape: their content is painted over them.
    """
    pair = folder.pairs([stem]).read(0)
    image = folder.images[stem]
    link_or_copy(image, destination / image.name)
    names = (*folder.labels.names, IGNORE)
    shapes: list[tuple[int, dict[str, Any]]] = []
    for label, number, area in objects_of(pair):
        for ring in outlines(area)[0]:
            shape = {
                "label": names[label],
                "points": ring.tolist(),
                "group_id": number or None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            shapes.append((_enclosed(ring), shape))
    shapes.sort(key=lambda entry: -entry[0])
    height, width = pair.segmap.shape
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": [shape for _, shape in shapes],
        "imagePath": image.name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    write_text_atomic(destination / f"{stem}.json", json.dumps(content, indent=1) + "\n")


def finish(folder: PairedFolder, destination: Path, parts: Mapping[str, None]) -> None:
    """Write labels.txt, the list of labels that labelme can be started with."""
    names = [IGNORE, *folder.labels.names]
    write_text_atomic(destination / "labels.txt", "".join(f"{name}\n" for name in names))


def _enclosed(ring: np.ndarray) -> int:
    """Twice the area of a polygon."""
    x, y = ring[:, 0], ring[:, 1]
    return int(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()))


def _picture(content: Mapping[str, Any], path: Path, pictures: Pictures) -> Path:
    name = content.get("imagePath") or path.with_suffix("").name
    return pictures.find(str(name), near=path.parent)


def _classes(root: Path, labels: set[str]) -> list[SourceClass]:
    listed = next((root / name for name in _LABEL_LISTS if (root / name).is_file()), None)
    if listed is None:
        names = sorted(labels)
    else:
        names = [line.strip() for line in read_text(listed).splitlines() if line.strip()]
        strange = sorted(labels - set(names) - {IGNORE})
        if strange:
            raise InputError(f"the label {strange[0]!r} of shapes in {root} is not in {listed}; add it there")
    return [SourceClass(id=index, name=name) for index, name in enumerate(names)]


def _read(ids: Mapping[str, int], item: Item, size: tuple[int, int]) -> Annotation:
    content = read_json(Path(item.annotation))
    declared = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in declared:
        size = sized("the picture", item.annotation, declared)
    canvas = Canvas(size, BACKGROUND, item.annotation)
    numbers: dict[Any, int] = {}
    for index, shape in enumerate(content["shapes"]):
        label = str(shape["label"])
        group = shape.get("group_id")
        instance = numbers.setdefault(("one", index) if group is None else (label, group), len(numbers) + 1)
        region = UNLABELLED if label == IGNORE else ids[label]
        _paint(canvas, shape, region, 0 if region < 0 else instance, item.annotation)
    return canvas.annotation()


def _paint(canvas: Canvas, shape: Mapping[str, Any], label: int, instance: int, source: str) -> None:
    kind = shape.get("shape_type") or "polygon"
    points = [[float(x), float(y)] for x, y in shape["points"]]
    if kind in _CORNERS:
        canvas.polygon([points], label, instance)
    elif kind == "rectangle":
        # two opposite corners in labelme, all four in X-AnyLabeling
        canvas.polygon([points if len(points) == 4 else box_ring(*points[0], *points[1])], label, instance)
    elif kind == "circle":
        (x, y), (rim_x, rim_y) = points
        radius = float(np.hypot(rim_x - x, rim_y - y))
        canvas.polygon([ellipse_ring(x, y, radius, radius)], label, instance)
    elif kind == "mask":
        corner = (round(points[0][1]), round(points[0][0]))
        canvas.mask(_decoded(shape["mask"], source), label, instance, corner)
    else:
        canvas.leave_out(f"a shape of the type {kind}")


def _decoded(text: Any, source: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            mask: np.ndarray = np.asarray(image.convert("L")) > 0
            return mask
    except (OSError, ValueError, TypeError, binascii.Error) as error:
        raise InputError(f"{source} has a mask that is no picture ({error}); export it again") from error
