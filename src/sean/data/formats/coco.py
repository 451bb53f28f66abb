"""COCO: instances (one JSON file a part), panoptic (JSON and PNGs) and COCO-Stuff (PNGs, or JSON).

Lin et al., ECCV 2014; Kirillov et al., CVPR 2019; Caesar et al., CVPR 2018. A folder holds `annotations/*.json` or the
JSON files themselves, and the pictures in any folder. A file with "val" in its name is for validation. Where objects
overlap, smaller ones lie over larger ones; groups (iscrowd) lie below all.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sean.data.folder import PairedFolder
from sean.data.formats.mask_files import open_mask, packed, read_ids, renumbered
from sean.data.formats.polygons import Canvas, decoded, objects_of, outlines
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
    subfolder,
    with_stems,
)
from sean.errors import InputError
from sean.files import is_file, link_or_copy, write_text_atomic

_OTHER_TASKS = ("captions_", "person_keypoints_", "image_info_")
_STUFF_UNLABELLED = 255


def detect_panoptic(root: Path) -> bool:
    """Whether a JSON file of the folder describes segments of a PNG."""
    return any("segments_info" in annotation for annotation in _first_annotations(root))


def detect_stuff(root: Path) -> bool:
    """Whether a folder has COCO-Stuff's PNGs or JSON files."""
    return bool(_stuff_maps(root)) or any(path.name.startswith("stuff_") for path in _json_files(root))


def detect_instances(root: Path) -> bool:
    """Whether a JSON file of the folder describes objects by polygons or run lengths."""
    return any("segmentation" in annotation or "bbox" in annotation for annotation in _first_annotations(root))


def find_instances(root: Path, options: Options) -> Tree:
    """List a tree of objects.

    Raises:
        InputError: it has no such JSON file, or only boxes.
    """
    files = [path for path in _json_files(root) if not path.name.startswith(("panoptic_", "stuff_"))]
    return _object_tree(root, options, files, "coco")


def find_stuff(root: Path, options: Options) -> Tree:
    """List COCO-Stuff: `stuffthingmaps`, PNGs of ids; or `stuff_*.json` with the objects of `instances_*.json`, if any.

    Raises:
        InputError: neither is there.
    """
    maps = _stuff_maps(root)
    if not maps:
        files = [path for path in _json_files(root) if path.name.startswith(("stuff_", "instances_"))]
        if not any(path.name.startswith("stuff_") for path in files):
            raise not_a_tree(root, "COCO-Stuff", "stuffthingmaps/ with PNGs, or annotations/stuff_*.json")
        return _object_tree(root, options, sorted(files, key=lambda path: path.name[0] == "i"), "coco-stuff")
    pictures = Pictures.below(root, options.images or subfolder(root, "images"))
    classes = tuple(SourceClass(id=index, name=name) for index, name in enumerate(COCO_STUFF_NAMES))
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    for path in maps:
        try:
            found = _photo(pictures, path.with_suffix(".jpg").as_posix())
        except InputError as error:
            problems.append((UNPAIRED, f"{path} has no picture: {error}"))
            continue
        items.append(Item(stem="", image=str(found), annotation=str(path), validation="val" in path.parent.name))
    return Tree(
        format="coco-stuff",
        root=root,
        classes=classes,
        unlabelled=(_STUFF_UNLABELLED,),
        items=with_stems(items, pictures.root),
        read=_read_stuff_map,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def find_panoptic(root: Path, options: Options) -> Tree:
    """List a tree of panoptic segmentations: a JSON file, and a folder of PNGs with its name, for each part.

    Raises:
        InputError: there is no such JSON file, or no folder of PNGs.
    """
    pictures = Pictures.below(root, options.images)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    categories: dict[int, SourceClass] = {}
    for path in _json_files(root):
        content = read_json(path)
        annotations = content.get("annotations") or []
        if not annotations or not isinstance(annotations[0], dict) or "segments_info" not in annotations[0]:
            continue
        segments = subfolder(path.parent, path.stem, f"annotations/{path.stem}") or subfolder(root, path.stem)
        if segments is None:
            raise InputError(
                f"expected the PNGs of {path} in {path.with_suffix('')}/, found no folder; unpack it there"
            )
        _add_categories(categories, content, path)
        names = {image["id"]: image["file_name"] for image in content.get("images", [])}
        for annotation in annotations:
            png = segments / annotation["file_name"]
            try:
                if not is_file(png):
                    raise InputError(f"{path} names {png}, which is not there")
                found = _photo(pictures, names.get(annotation["image_id"], Path(annotation["file_name"]).stem + ".jpg"))
            except InputError as error:
                problems.append((UNPAIRED, str(error)))
                continue
            items.append(
                Item(
                    stem="",
                    image=str(found),
                    annotation=str(png),
                    data={int(each["id"]): int(each["category_id"]) for each in annotation["segments_info"]},
                    validation="val" in path.stem,
                )
            )
    if not items and not problems:
        raise not_a_tree(root, "COCO panoptic", "annotations/panoptic_*.json with segments, and their PNGs")
    return Tree(
        format="coco-panoptic",
        root=root,
        classes=tuple(categories.values()),
        unlabelled=(UNLABELLED,),
        items=with_stems(items, pictures.root),
        read=_read_panoptic,
        has_instances=True,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def export(folder: PairedFolder, destination: Path, stem: str) -> dict[str, Any]:
    """The picture of one pair, and its entries of the JSON file.

    An area without holes becomes polygons, along the edges of its pixels; one with holes a run-length code.
    """
    from pycocotools import mask

    pair = folder.pairs([stem]).read(0)
    image = folder.images[stem]
    link_or_copy(image, destination / "images" / image.name)
    height, width = pair.segmap.shape
    annotations = []
    for label, _, area in objects_of(pair):
        code = mask.encode(np.asfortranarray(area.astype(np.uint8)))
        rings, has_holes = outlines(area)
        segmentation: Any = [ring.ravel().tolist() for ring in rings]
        if has_holes:
            segmentation = {"size": [height, width], "counts": code["counts"].decode()}
        annotations.append(
            {
                "category_id": label + 1,
                "segmentation": segmentation,
                "area": int(area.sum()),
                "bbox": mask.toBbox(code).tolist(),
                "iscrowd": 0,
            }
        )
    return {"file_name": image.name, "height": height, "width": width, "annotations": annotations}


def finish(folder: PairedFolder, destination: Path, parts: Mapping[str, dict[str, Any]]) -> None:
    """Write annotations/instances_train.json, and instances_val.json where pairs are held out."""
    names = [*folder.labels.names, IGNORE]
    used = {annotation["category_id"] for part in parts.values() for annotation in part["annotations"]}
    if len(names) not in used:
        names.pop()
    categories = [{"id": index, "name": name, "supercategory": ""} for index, name in enumerate(names, start=1)]
    training, validation = folder.split(allow_no_training=True)
    for name, stems in (("train", training), ("val", validation)):
        if not stems:
            continue
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, stem in enumerate(stems, start=1):
            part = parts[stem]
            images.append({"id": number, **{key: part[key] for key in ("file_name", "height", "width")}})
            for annotation in part["annotations"]:
                annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_text_atomic(destination / "annotations" / f"instances_{name}.json", json.dumps(content))


def _object_tree(root: Path, options: Options, files: list[Path], format_name: str) -> Tree:
    pictures = Pictures.below(root, options.images)
    categories: dict[int, SourceClass] = {}
    images: dict[str, Item] = {}
    problems: list[tuple[str, str]] = []
    is_other_task = False
    for path in files:
        content = read_json(path)
        if not all(isinstance(content.get(key), list) for key in ("images", "annotations", "categories")):
            continue
        if content["annotations"] and not any("segmentation" in each for each in content["annotations"]):
            is_other_task = True
            continue
        _add_categories(categories, content, path)
        try:
            _add_images(images, content, path, pictures, problems)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no COCO file of objects ({error!r} is missing); export it again") from error
    if not images and not problems:
        if is_other_task:
            raise InputError(f"the JSON files of {root} have boxes but no segmentation; export polygons or masks")
        raise not_a_tree(root, "COCO", "annotations/*.json with images, annotations and categories")
    classes, ids = painted_classes(categories.values())
    return Tree(
        format=format_name,
        root=root,
        classes=classes,
        unlabelled=(UNLABELLED,),
        items=with_stems(images.values(), pictures.root),
        read=partial(_read_objects, ids),
        has_instances=True,
        has_split=any(item.validation for item in images.values()),
        problems=tuple(problems),
    )


def _add_categories(categories: dict[int, SourceClass], content: Mapping[str, Any], path: Path) -> None:
    for category in content.get("categories", []):
        try:
            number, name = int(category["id"]), str(category["name"])
            color = (
                tuple(int(channel) for channel in category["color"]) if len(category.get("color", ())) == 3 else None
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} has a category without id or name ({error!r}); export it again") from error
        known = categories.setdefault(number, SourceClass(id=number, name=name, color=color))  # type: ignore[arg-type]
        if known.name != name:
            raise InputError(
                f"{path} calls category {number} {name!r}, another file {known.name!r}; convert them apart"
            )


def _add_images(
    images: dict[str, Item],
    content: Mapping[str, Any],
    path: Path,
    pictures: Pictures,
    problems: list[tuple[str, str]],
) -> None:
    by_image = defaultdict(list)
    for annotation in content["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    unknown = by_image.keys() - {image["id"] for image in content["images"]}
    if unknown:
        problems.append((DAMAGED, f"{path} has annotations of the picture {min(unknown)!r}, which it does not list"))
    for image in content["images"]:
        try:
            found = str(_photo(pictures, image["file_name"]))
        except InputError as error:
            problems.append((UNPAIRED, f"{path}: {error}"))
            continue
        annotations = by_image[image["id"]]
        if found in images:  # stuff first, then things
            annotations = [*images[found].data[1], *annotations]
        size = (image.get("height"), image.get("width"))
        images[found] = Item(
            stem="", image=found, annotation=str(path), data=(size, annotations), validation="val" in path.stem
        )


def _photo(pictures: Pictures, name: str) -> Path:
    """The picture of a name that PNGs of segments may have too."""
    try:
        return pictures.find(name)
    except InputError:
        photos = tuple(path for path in pictures.paths if path.suffix.lower() != ".png")
        return Pictures.of(pictures.root, photos).find(name)


def _read_panoptic(item: Item, size: tuple[int, int]) -> Annotation:
    image = open_mask(item.annotation)
    if image.mode not in ("RGB", "RGBA"):
        raise InputError(f"expected segments in the colours of an RGB PNG, but {item.annotation} has mode {image.mode}")
    segments = packed(np.asarray(image)[:, :, 2::-1])  # red counts ones, green 256s, blue 65536s
    categories = {0: UNLABELLED, **item.data}
    found, places = np.unique(segments, return_inverse=True)
    strange = [int(number) for number in found if int(number) not in categories]
    if strange:
        raise InputError(f"{item.annotation} has the segment {strange[0]}, which its JSON file does not describe")
    table = np.array([categories[int(number)] for number in found], dtype=np.int64)
    return Annotation(ids=table[places].reshape(segments.shape), instances=renumbered(segments))


def _read_stuff_map(item: Item, size: tuple[int, int]) -> Annotation:
    return Annotation(ids=read_ids(item.annotation, ()))


def _read_objects(ids: Mapping[int, int], item: Item, size: tuple[int, int]) -> Annotation:
    from pycocotools import mask

    declared, annotations = item.data
    if None not in declared:
        size = sized(item.image, item.annotation, declared)
    canvas = Canvas(size, BACKGROUND, f"{item.annotation}, picture {Path(item.image).name}")
    shapes = [(_code(each, canvas, size), each) for each in annotations]
    drawn = [(code, each) for code, each in shapes if code is not None]
    drawn.sort(key=lambda shape: (not shape[1].get("iscrowd"), -int(mask.area(shape[0]))))
    for number, (code, annotation) in enumerate(drawn, start=1):
        category = int(annotation["category_id"])
        if category not in ids:
            raise InputError(f"{item.annotation} has an annotation of category {category}, which it does not list")
        canvas.mask(decoded(code), ids[category], 0 if ids[category] < 0 else number)
    return canvas.annotation()


def _code(annotation: Mapping[str, Any], canvas: Canvas, size: tuple[int, int]) -> dict[str, Any] | None:
    """The area of an annotation as a run-length code: of polygons, or of run lengths as a list or as text."""
    from pycocotools import mask

    shape = annotation.get("segmentation")
    if not shape:
        canvas.leave_out("a box without a segmentation")
        return None
    if isinstance(shape, list):
        return canvas.encoded([np.reshape(ring, (-1, 2)).tolist() for ring in shape])
    if list(shape["size"]) != list(size):
        raise InputError(
            f"annotation {annotation.get('id')} has the size {shape['size']}, its picture {list(size)}; export it again"
        )
    code: dict[str, Any] = mask.frPyObjects(shape, *size) if isinstance(shape["counts"], list) else shape
    return code


def _json_files(root: Path) -> list[Path]:
    return [path for path in files_below(root, (".json",)) if not path.name.startswith(_OTHER_TASKS)]


def _first_annotations(root: Path) -> Iterable[Mapping[str, Any]]:
    for path in _json_files(root)[:8]:
        annotations = quiet_json(path).get("annotations")
        if isinstance(annotations, list) and annotations and isinstance(annotations[0], dict):
            yield annotations[0]


def _stuff_maps(root: Path) -> list[Path]:
    folder = subfolder(root, "stuffthingmaps", "stuffthingmaps_trainval2017", "annotations/stuffthingmaps")
    if folder is None:
        return []
    return [path for path in files_below(folder, (".png",)) if not path.stem.endswith(("TrainIds", "instanceTrainIds"))]


# the classes of COCO-Stuff in the order of its ids (Caesar et al., CVPR 2018)
_STUFF_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, street sign, stop
sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, hat, backpack,
umbrella, shoe, eye glasses, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
baseball glove, skateboard, surfboard, tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl,
banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed,
mirror, dining table, window, desk, toilet, door, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven,
toaster, sink, refrigerator, blender, book, clock, vase, scissors, teddy bear, hair drier, toothbrush, hair brush,
banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile,
cloth, clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other,
floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other,
hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, net, paper, pavement, pillow,
plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea,
shelf, sky-other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, tent, textile-other,
towel, tree, vegetable, wall-brick, wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood,
water-other, waterdrops, window-blind, window-other, wood
"""

COCO_STUFF_NAMES = tuple(name.strip() for name in " ".join(_STUFF_NAMES.split()).split(","))
