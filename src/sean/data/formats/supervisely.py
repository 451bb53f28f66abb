"""Supervisely: a project with `meta.json` and, for each data set, `img/` and `ann/` with "PICTURE.json".

Polygons (with holes), rectangles, oriented boxes and bitmaps (zlib and base64 around a PNG, placed at an origin) are
painted in their order; other shapes have no area. Every object is one of its own.
"""

import base64
import binascii
import io
import math
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sean.data.formats.polygons import Canvas, box_ring, rotated_ring
from sean.data.formats.tree import (
    BACKGROUND,
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

_META = "meta.json"
_VALIDATION = ("val", "validation")


def detect(root: Path) -> bool:
    """Whether the folder holds a meta.json with classes."""
    return isinstance(quiet_json(root / _META).get("classes"), list)


def find(root: Path, options: Options) -> Tree:
    """List a project.

    Raises:
        InputError: meta.json is missing or damaged, or there is no folder ann/.
    """
    if not (root / _META).is_file():
        raise not_a_tree(root, "Supervisely", "meta.json and folders with img/ and ann/")
    listed = _classes(read_json(root / _META), root / _META)
    classes, ids = painted_classes(listed)
    pictures = Pictures.below(root, options.images)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    for path in files_below(root, (".json",)):
        if path.parent.name != "ann":
            continue
        try:
            image = pictures.find(path.stem, near=path.parent.parent / "img")
        except InputError as error:
            problems.append((UNPAIRED, f"{path}: {error}"))
            continue
        part = path.parent.parent.name.casefold()
        items.append(Item(stem="", image=str(image), annotation=str(path), validation=part in _VALIDATION))
    if not items and not problems:
        raise not_a_tree(root, "Supervisely", "folders with img/ and ann/ beside meta.json")
    return Tree(
        format="supervisely",
        root=root,
        classes=classes,
        unlabelled=(UNLABELLED,),
        items=with_stems(items, pictures.root),
        read=partial(_read, {each.name: ids[each.id] for each in listed}),
        has_instances=True,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def _classes(meta: Mapping[str, Any], path: Path) -> list[SourceClass]:
    try:
        titles = [(str(entry["title"]), str(entry.get("color", ""))) for entry in meta["classes"]]
        colors = [bytes.fromhex(color.removeprefix("#")) for _, color in titles]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} has no list of classes with title and color ({error!r}); export it again") from error
    return [
        SourceClass(id=index, name=title, color=(color[0], color[1], color[2]) if len(color) == 3 else None)
        for index, ((title, _), color) in enumerate(zip(titles, colors, strict=True))
    ]


def _read(ids: Mapping[str, int], item: Item, size: tuple[int, int]) -> Annotation:
    content = read_json(Path(item.annotation))
    declared = sized("the picture", item.annotation, (content["size"]["height"], content["size"]["width"]))
    canvas = Canvas(declared, BACKGROUND, item.annotation)
    for number, entry in enumerate(content["objects"], start=1):
        label = str(entry["classTitle"])
        if label not in ids:
            raise InputError(
                f"the class {label!r} of an object in {item.annotation} is not in {_META}; export it again"
            )
        _paint(canvas, entry, ids[label], 0 if ids[label] < 0 else number, item.annotation)
    return canvas.annotation()


def _paint(canvas: Canvas, entry: Mapping[str, Any], label: int, instance: int, source: str) -> None:
    kind = entry.get("geometryType") or ("bitmap" if entry.get("bitmap") else "polygon")
    if kind == "bitmap":
        column, row = entry["bitmap"]["origin"]
        canvas.mask(_decoded(entry["bitmap"]["data"], source), label, instance, (int(row), int(column)))
    elif kind == "polygon":
        points = entry["points"]
        canvas.polygon([points["exterior"]], label, instance, points.get("interior", ()))
    elif kind == "rectangle":
        (left, top), (right, bottom) = entry["points"]["exterior"]
        canvas.polygon([box_ring(left, top, right, bottom)], label, instance)
    elif kind == "oriented_bbox":  # two corners before a rotation around the centre, in radians, clockwise
        (left, top), (right, bottom) = entry["points"]
        angle = float(entry.get("angle") or 0)
        if not math.isfinite(angle):
            raise InputError(f"expected an angle in radians, got {entry['angle']!r} in {source}; export it again")
        canvas.polygon([rotated_ring(box_ring(left, top, right, bottom), angle)], label, instance)
    else:
        canvas.leave_out(f"a shape of the type {kind}")


def _decoded(text: Any, source: str) -> np.ndarray:
    """A bitmap, bool [h, w]: the opaque pixels of a PNG with transparency, else its non-zero pixels."""
    try:
        with Image.open(io.BytesIO(zlib.decompress(base64.b64decode(text)))) as image:
            has_alpha = image.has_transparency_data
            mask: np.ndarray = np.asarray(image.convert("RGBA").getchannel(3) if has_alpha else image.convert("L")) > 0
            return mask
    except (OSError, ValueError, TypeError, zlib.error, binascii.Error) as error:
        raise InputError(f"{source} has a bitmap that is no picture ({error}); export it again") from error
