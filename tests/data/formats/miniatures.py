"""Each format in miniature, written from its specification (COCO's with pycocotools), and what must come out of it.

A scene is three pictures of 40 x 56 pixels with the regions of a street: a road without objects, cars that touch, a
person, and in formats that have them unlabelled pixels. Regions have straight edges, so that polygons cover whole
pixels.
"""

import base64
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 56
STEMS = ("a1", "b2", "c3")
NAMES = ("background", "road", "car", "person")
COLORS = ((0, 0, 0), (128, 64, 128), (0, 0, 142), (220, 20, 60))
UNLABELLED = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A picture, its label map of 0..3 (4: unlabelled), and its objects."""

    stem: str
    image: np.ndarray
    segmap: np.ndarray
    instances: np.ndarray


def box(segmap: np.ndarray, region: tuple[int, int, int, int], value: int) -> None:
    """Fill top, left, bottom, right."""
    top, left, bottom, right = region
    segmap[top:bottom, left:right] = value


def boxes(index: int) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Label and box of every object, in the order of painting; those of the first picture overlap."""
    return [
        (1, (24, 0, 40, 56)),
        (2, (20, 4 + index, 30, 20)),
        (2, (20, 20, 30, 34)),
        (3, (16, 24, 28, 29)),
    ]


def scene(index: int, *, unlabelled: bool = False) -> Scene:
    """One of the pictures."""
    segmap = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    instances = np.zeros_like(segmap)
    for number, (label, region) in enumerate(boxes(index), start=1):
        box(segmap, region, label)
        box(instances, region, number)
    if unlabelled:
        box(segmap, (0, 0, 6, 9), UNLABELLED)
    image = np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Scene(stem=STEMS[index], image=image, segmap=segmap, instances=instances)


def scenes(*, unlabelled: bool = False) -> list[Scene]:
    """All pictures."""
    return [scene(index, unlabelled=unlabelled) for index in range(3)]


def save(path: Path, pixels: np.ndarray | Image.Image) -> None:
    """Write a picture, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path)


def write(path: Path, content: Any) -> None:
    """Write a text, or a value as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def ring(region: tuple[int, int, int, int]) -> list[list[float]]:
    """A box as a polygon of (x, y)."""
    top, left, bottom, right = region
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def palette(colors: tuple[tuple[int, int, int], ...]) -> bytes:
    """A palette of 256 colours."""
    return bytes(channel for color in colors for channel in color).ljust(768, b"\0")


def voc(root: Path) -> None:
    """Masks in VOC's palette, 255 for unlabelled; names as labelme's export lists them."""
    names = ("__ignore__", "_background_", *NAMES[1:])
    write(root / "class_names.txt", "".join(f"{name}\n" for name in names))
    write(root / "ImageSets" / "Segmentation" / "train.txt", "a1\nb2\n")
    write(root / "ImageSets" / "Segmentation" / "val.txt", "c3\n")
    colors = ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    for each in scenes(unlabelled=True):
        save(root / "JPEGImages" / f"{each.stem}.jpg", each.image)
        for folder, ids in (("Class", each.segmap), ("Object", each.instances)):
            mask = np.where(each.segmap == UNLABELLED, 255, ids).astype(np.uint8)
            image = Image.fromarray(mask)
            image.putpalette(palette(colors))
            save(root / f"Segmentation{folder}" / f"{each.stem}.png", image)


def cvat_masks(root: Path) -> None:
    """RGB masks in the colours of labelmap.txt; its lines are not in the order of any id."""
    lines = [f"{name}:{r},{g},{b}::" for name, (r, g, b) in zip(NAMES, COLORS, strict=True)]
    write(root / "labelmap.txt", "# label:color_rgb:parts:actions\n" + "\n".join(lines) + "\n")
    write(root / "ImageSets" / "Segmentation" / "default.txt", "a1\nb2\nc3\n")
    for each in scenes():
        save(root / "JPEGImages" / f"{each.stem}.jpg", each.image)
        save(root / "SegmentationClass" / f"{each.stem}.png", np.array(COLORS, dtype=np.uint8)[each.segmap])
        objects = np.array([(0, 0, 0), *((40 * n, 10, 255 - n) for n in range(1, 5))], dtype=np.uint8)
        save(root / "SegmentationObject" / f"{each.stem}.png", objects[each.instances])


def cvat_xml(root: Path) -> None:
    """A polygon, a box, a mask and a box of a higher z_order, in mixed order; labels without a background."""
    labels = "".join(f"<label><name>{name}</name><color>#{r:02x}{g:02x}{b:02x}</color></label>"
                     for name, (r, g, b) in zip(NAMES[1:], COLORS[1:], strict=True))  # fmt: skip
    images = ""
    for index, each in enumerate(scenes()):
        save(root / "images" / f"{each.stem}.jpg", each.image)
        road, left, right, person = (region for _, region in boxes(index))
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring(road))
        top, start, bottom, end = left
        runs = f"0, {(bottom - top) * (end - start)}"
        images += (
            f'<image id="{index}" name="{each.stem}.jpg" width="{WIDTH}" height="{HEIGHT}">'
            f'<box label="person" xtl="{person[1]}" ytl="{person[0]}" xbr="{person[3]}" ybr="{person[2]}" z_order="2"/>'
            f'<polygon label="road" points="{points}" z_order="0"/>'
            f'<mask label="car" rle="{runs}" left="{start}" top="{top}" width="{end - start}" height="{bottom - top}"'
            f' z_order="1"/>'
            f'<box label="car" xtl="{right[1]}" ytl="{right[0]}" xbr="{right[3]}" ybr="{right[2]}" z_order="1"/>'
            f'<points label="car" points="1.0,2.0" z_order="0"/></image>'
        )
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    write(
        root / "annotations.xml",
        f'<?xml version="1.0"?><annotations><version>1.1</version>{meta}{images}</annotations>',
    )


def labelme(root: Path) -> None:
    """Polygons, a rectangle and a mask; a part that is to be ignored."""
    write(root / "labels.txt", "__ignore__\n_background_\nroad\ncar\nperson\n")
    for index, each in enumerate(scenes(unlabelled=True)):
        save(root / f"{each.stem}.jpg", each.image)
        shapes: list[dict[str, Any]] = []
        for label, region in boxes(index):
            shapes.append({"label": NAMES[label], "points": ring(region), "group_id": None, "shape_type": "polygon"})
        top, left, bottom, right = boxes(index)[2][1]
        shapes[2] |= {"points": [[left, top], [right, bottom]], "shape_type": "rectangle"}
        top, left, bottom, right = boxes(index)[3][1]
        stored = io.BytesIO()
        Image.fromarray(np.full((bottom - top, right - left), True)).save(stored, "PNG")
        shapes[3] |= {
            "points": [[left, top], [right - 1, bottom - 1]],
            "shape_type": "mask",
            "mask": base64.b64encode(stored.getvalue()).decode(),
        }
        shapes.append({"label": "__ignore__", "points": ring((0, 0, 6, 9)), "group_id": None, "shape_type": "polygon"})
        shapes.append({"label": "car", "points": [[3, 4]], "group_id": None, "shape_type": "point"})
        content = {"version": "5.5.0", "shapes": shapes, "imagePath": f"{each.stem}.jpg", "imageData": None}
        write(root / f"{each.stem}.json", content | {"imageHeight": HEIGHT, "imageWidth": WIDTH})


def supervisely(root: Path) -> None:
    """Polygons, one with a hole that another object fills, and a bitmap."""
    classes = [
        {"title": name, "shape": "any", "color": "#{:02X}{:02X}{:02X}".format(*color)}
        for name, color in zip(NAMES[1:], COLORS[1:], strict=True)
    ]
    write(root / "meta.json", {"classes": classes, "tags": []})
    for index, each in enumerate(scenes()):
        folder = root / ("train" if index < 2 else "val")
        save(folder / "img" / f"{each.stem}.jpg", each.image)
        objects: list[dict[str, Any]] = []
        for label, region in boxes(index):
            points = {"exterior": ring(region), "interior": []}
            objects.append({"classTitle": NAMES[label], "geometryType": "polygon", "points": points})
        objects[0]["points"]["interior"] = [ring((26, 21, 27, 22))]  # below a car
        top, left, bottom, right = boxes(index)[3][1]
        stored = io.BytesIO()
        Image.fromarray(np.full((bottom - top, right - left), 255, dtype=np.uint8)).save(stored, "PNG")
        data = base64.b64encode(zlib.compress(stored.getvalue())).decode()
        objects[3] = {"classTitle": "person", "geometryType": "bitmap", "bitmap": {"data": data, "origin": [left, top]}}
        size = {"height": HEIGHT, "width": WIDTH}
        write(folder / "ann" / f"{each.stem}.jpg.json", {"size": size, "objects": objects})


def yolo(root: Path) -> None:
    """Polygons in parts of the picture; the road is the largest, so that it lies below."""
    write(
        root / "data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: road\n  1: car\n  2: person\n"
    )
    for index, each in enumerate(scenes()):
        part = "train" if index < 2 else "val"
        save(root / "images" / part / f"{each.stem}.jpg", each.image)
        lines = []
        for label, region in reversed(boxes(index)):
            points = " ".join(f"{x / WIDTH:.8f} {y / HEIGHT:.8f}" for x, y in ring(region))
            lines.append(f"{label - 1} {points}\n")
        write(root / "labels" / part / f"{each.stem}.txt", "".join(lines))


def coco(root: Path) -> None:
    """Polygons, and run lengths encoded by pycocotools; categories with gaps; two parts."""
    from pycocotools import mask

    categories = [{"id": number, "name": name} for number, name in ((3, "road"), (7, "car"), (90, "person"))]
    for part, indices in (("train2017", (0, 1)), ("val2017", (2,))):
        images, annotations = [], []
        for index in indices:
            each = scene(index)
            save(root / part / f"{each.stem}.jpg", each.image)
            images.append({"id": index + 100, "file_name": f"{each.stem}.jpg", "height": HEIGHT, "width": WIDTH})
            for label, region in reversed(boxes(index)):
                area = np.zeros((HEIGHT, WIDTH), dtype=np.uint8, order="F")
                box(area, region, 1)
                code = mask.encode(area)
                shape: Any = [np.array(ring(region)).ravel().tolist()]
                if label == 2:
                    shape = {"size": [HEIGHT, WIDTH], "counts": code["counts"].decode()}
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": index + 100,
                        "category_id": (3, 7, 90)[label - 1],
                        "segmentation": shape,
                        "area": int(mask.area(code)),
                        "bbox": mask.toBbox(code).tolist(),
                        "iscrowd": 0,
                    }
                )
        content = {"images": images, "annotations": annotations, "categories": categories}
        write(root / "annotations" / f"instances_{part}.json", content)


def coco_panoptic(root: Path) -> None:
    """Segments in colours; the id of a segment is above 255; 0 is void."""
    categories = [{"id": 10 * index + 1, "name": name, "isthing": int(index > 1)} for index, name in enumerate(NAMES)]
    images, annotations = [], []
    for index, each in enumerate(scenes(unlabelled=True)):
        save(root / "val2017" / f"{each.stem}.jpg", each.image)
        segments = each.instances * 3000 + 500
        segments[each.segmap == UNLABELLED] = 0
        pixels = np.stack([segments % 256, segments // 256 % 256, segments // 65536], -1).astype(np.uint8)
        save(root / "annotations" / "panoptic_val2017" / f"{each.stem}.png", pixels)
        labels = (0, *(label for label, _ in boxes(index)))
        info = [{"id": 3000 * number + 500, "category_id": 10 * label + 1} for number, label in enumerate(labels)]
        images.append({"id": index, "file_name": f"{each.stem}.jpg"})
        annotations.append({"image_id": index, "file_name": f"{each.stem}.png", "segments_info": info})
    content = {"images": images, "annotations": annotations, "categories": categories}
    write(root / "annotations" / "panoptic_val2017.json", content)


def coco_stuff(root: Path) -> None:
    """Index PNGs that count COCO-Stuff's list from 0: road 148, car 2, person 0, and sky-other 156 for the rest."""
    for index, each in enumerate(scenes(unlabelled=True)):
        part = "train2017" if index < 2 else "val2017"
        save(root / "images" / part / f"{each.stem}.jpg", each.image)
        ids = np.array([156, 148, 2, 0, 255], dtype=np.uint8)[each.segmap]
        save(root / "stuffthingmaps" / part / f"{each.stem}.png", ids)


def mapillary(root: Path) -> None:
    """Version 1.2: palette PNGs of ids, and 16-bit PNGs of 256 id + object."""
    labels = [
        {"name": f"some--{name}", "readable": name, "color": color, "instances": True}
        for name, color in zip(NAMES, COLORS, strict=True)
    ]
    labels.append({"name": "void--unlabeled", "readable": "Unlabeled", "color": [0, 0, 0], "instances": False})
    write(root / "config_v1.2.json", {"labels": labels})
    for index, each in enumerate(scenes(unlabelled=True)):
        part = root / ("training" if index < 2 else "validation")
        save(part / "images" / f"{each.stem}.jpg", each.image)
        image = Image.fromarray(each.segmap.astype(np.uint8))
        image.putpalette(palette((*COLORS, (0, 0, 0))))
        save(part / "v1.2" / "labels" / f"{each.stem}.png", image)
        numbers = (each.segmap * 256 + each.instances).astype(np.uint16)
        save(part / "v1.2" / "instances" / f"{each.stem}.png", numbers)


ADE_IDS = (300, 1831, 401, 1831 + 512)


def ade20k_full(root: Path) -> None:
    """Index maps: red // 10 * 256 + green is the class, blue the object; names in the JSON file beside."""
    for index, each in enumerate(scenes(unlabelled=True)):
        part = "training" if index < 2 else "validation"
        folder = root / "images" / "ADE" / part / "urban" / "street"
        stem = f"ADE_{'train' if index < 2 else 'val'}_{each.stem}"
        save(folder / f"{stem}.jpg", each.image)
        ids = np.array([*ADE_IDS, 0])[each.segmap]
        pixels = np.stack([ids // 256 * 10, ids % 256, each.instances + 1], -1).astype(np.uint8)
        save(folder / f"{stem}_seg.png", pixels)
        objects = [{"name_ndx": number, "name": name} for number, name in zip(ADE_IDS, NAMES, strict=True)]
        write(folder / f"{stem}.json", {"annotation": {"filename": f"{stem}.jpg", "object": objects}})


def masks(root: Path) -> None:
    """Grey masks NAME_mask.png in nested folders, ids from 1 with a gap, 255 and 0 ignored."""
    write(root / "classes.txt", "1 background\n2 road\n7 car\n9 person\nignore 0 255\n")
    for index, each in enumerate(scenes(unlabelled=True)):
        folder = ("one", "one/deep", "two")[index]
        save(root / "photos" / folder / f"{each.stem}.jpg", each.image)
        ids = np.array([1, 2, 7, 9, 255 * (index % 2)], dtype=np.uint8)[each.segmap]
        save(root / "drawn" / folder / f"{each.stem}_mask.png", ids)


@dataclass(frozen=True, kw_only=True)
class Miniature:
    """A format: how it is written, and what of the scenes it holds."""

    write: Callable[[Path], None]
    name: str
    unlabelled: bool = False
    instances: bool = True
    validation: tuple[str, ...] = ("c3",)
    names: tuple[str, ...] = NAMES
    draws: bool = False


MINIATURES = {
    "voc": Miniature(write=voc, name="voc", unlabelled=True),
    "cvat-masks": Miniature(write=cvat_masks, name="cvat"),
    "cvat-xml": Miniature(write=cvat_xml, name="cvat", draws=True),
    "labelme": Miniature(write=labelme, name="labelme", unlabelled=True, draws=True),
    "supervisely": Miniature(write=supervisely, name="supervisely", draws=True),
    "yolo-seg": Miniature(write=yolo, name="yolo-seg", draws=True),
    "coco": Miniature(write=coco, name="coco", draws=True),
    "coco-panoptic": Miniature(write=coco_panoptic, name="coco-panoptic", unlabelled=True),
    "coco-stuff": Miniature(write=coco_stuff, name="coco-stuff", unlabelled=True, instances=False),
    "mapillary": Miniature(
        write=mapillary, name="mapillary", unlabelled=True, names=tuple(f"some--{name}" for name in NAMES)
    ),
    "ade20k-full": Miniature(
        write=ade20k_full, name="ade20k-full", unlabelled=True, names=("background", "car", "road", "person")
    ),
    "masks": Miniature(write=masks, name="masks", unlabelled=True, instances=False),
}
