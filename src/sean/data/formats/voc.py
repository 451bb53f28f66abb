"""Pascal VOC: `JPEGImages/*.jpg`, `SegmentationClass/*.png`, perhaps `SegmentationObject/*.png` and `ImageSets/`.

labelme writes the same tree with `class_names.txt`, CVAT ("Segmentation mask 1.1") with `labelmap.txt`: a line
"name:r,g,b:parts:actions" for each class. Without either, the classes are the 20 of the challenge (Everingham et al.,
IJCV 2010) and the background. 255 is the border of objects, which is unlabelled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sean.data.folder import PairedFolder
from sean.data.formats.mask_files import VOC_BORDER, read_ids, read_numbers, renumbered, voc_color
from sean.data.formats.tree import (
    UNPAIRED,
    Annotation,
    Item,
    Options,
    Pictures,
    SourceClass,
    Tree,
    files_below,
    not_a_tree,
    subfolder,
    with_stems,
)
from sean.errors import InputError
from sean.files import link_or_copy, read_text, write_text_atomic
from sean.images import save_image

_TABLE = """
background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant
sheep sofa train tvmonitor
"""
NAMES = tuple(_TABLE.split())
LABELMAP = "labelmap.txt"
_CLASS_LISTS = ("class_names.txt", "labels.txt")
_YEARS = ("VOCdevkit/VOC2012/", "VOC2012/", "VOCdevkit/VOC2007/", "VOC2007/", "VOCdevkit/VOC2010/", "VOC2010/")
_MASK_FOLDERS = tuple(f"{folder}SegmentationClass" for folder in ("", *_YEARS))


def detect(root: Path) -> bool:
    """Whether the folder, or the folder of a year in it, holds SegmentationClass/."""
    return subfolder(root, *_MASK_FOLDERS) is not None


def find(root: Path, options: Options, format_name: str = "voc") -> Tree:
    """List a tree with SegmentationClass/.

    Raises:
        InputError: it has none, or its list of classes cannot be read.
    """
    masks = subfolder(root, *_MASK_FOLDERS)
    if masks is None:
        raise not_a_tree(root, "Pascal VOC", "SegmentationClass/ with masks and JPEGImages/ with pictures")
    root = masks.parent
    classes = _classes(root, options)
    pictures = Pictures.below(root, options.images or subfolder(root, "JPEGImages", "images") or root)
    objects = subfolder(root, "SegmentationObject")
    validation = _stems_of(root, ("val.txt", "Validation.txt", "validation.txt"))
    items, problems = [], []
    for path in files_below(masks, (".png",)):
        name = path.relative_to(masks).with_suffix("").as_posix()
        numbers = None if objects is None else objects / path.relative_to(masks)
        if numbers is not None and not numbers.is_file():
            problems.append((UNPAIRED, f"{path} has no instance map {numbers}"))
        try:
            image = pictures.find(name)
        except InputError as error:
            problems.append((UNPAIRED, f"{path} has no picture: {error}"))
            continue
        items.append(
            Item(
                stem="",
                image=str(image),
                annotation=str(path),
                instances=None if numbers is None else str(numbers),
                validation=name in validation,
            )
        )
    ignored = SourceClass(id=VOC_BORDER, name="", color=voc_color(VOC_BORDER))
    return Tree(
        format=format_name,
        root=root,
        classes=classes,
        unlabelled=() if any(each.id == VOC_BORDER for each in classes) else (VOC_BORDER,),
        items=with_stems(items, pictures.root),
        read=partial(_read, (*classes, ignored)),
        has_instances=objects is not None,
        has_split=bool(validation),
        problems=tuple(problems),
    )


def read_labelmap(path: Path) -> tuple[SourceClass, ...]:
    """The classes of CVAT's labelmap.txt, numbered in the order of the lines.

    Raises:
        InputError: it cannot be read, or a line is no "name:r,g,b:parts:actions".
    """
    classes: list[SourceClass] = []
    for number, line in _numbered_lines(path):
        name, _, rest = line.partition(":")
        channels = rest.partition(":")[0].split(",")
        if not name or len(channels) != 3 or not all(c.strip().isdecimal() and int(c) < 256 for c in channels):
            raise InputError(f"{path} line {number}: expected 'name:r,g,b:parts:actions', got {line!r}")
        red, green, blue = (int(channel) for channel in channels)
        classes.append(SourceClass(id=len(classes), name=name, color=(red, green, blue)))
    if not classes:
        raise InputError(f"{path} lists no classes; export the task again")
    return tuple(classes)


def export(folder: PairedFolder, destination: Path, stem: str) -> None:
    """Write one pair: masks in the palette of VOC, 255 for unlabelled pixels."""
    pair = folder.pairs([stem]).read(0)
    link_or_copy(folder.images[stem], destination / "JPEGImages" / folder.images[stem].name)
    if pair.instances is not None:
        _write(destination / "SegmentationObject" / f"{stem}.png", _objects(pair.instances, stem))
    ids = np.where(pair.segmap == folder.labels.num_regions, VOC_BORDER, pair.segmap)
    _write(destination / "SegmentationClass" / f"{stem}.png", ids)


def finish(folder: PairedFolder, destination: Path, parts: Mapping[str, None]) -> None:
    """Write labelmap.txt and the split; CVAT imports the tree as "Segmentation mask 1.1".

    Raises:
        InputError: there are more than 255 labels.
    """
    names = folder.labels.names
    if len(names) > VOC_BORDER:
        raise InputError(
            f"the masks of Pascal VOC hold at most 255 labels, {folder.root} has {len(names)}; choose coco"
        )
    lines = [f"{name}:{','.join(map(str, voc_color(index)))}::" for index, name in enumerate(names)]
    write_text_atomic(destination / LABELMAP, "\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n")
    training, validation = folder.split(allow_no_training=True)
    for name, stems in (("train", training), ("val", validation), ("default", (*training, *validation))):
        text = "".join(f"{stem}\n" for stem in sorted(stems))
        write_text_atomic(destination / "ImageSets" / "Segmentation" / f"{name}.txt", text)


def _objects(instances: np.ndarray, stem: str) -> np.ndarray:
    numbers = renumbered(instances)
    if numbers.max() >= VOC_BORDER:
        raise InputError(f"the masks of Pascal VOC hold at most 254 objects, {stem} has {numbers.max()}; choose coco")
    return numbers


def _write(path: Path, ids: np.ndarray) -> None:
    image = Image.fromarray(ids.astype(np.uint8))
    image.putpalette(bytes(channel for index in range(256) for channel in voc_color(index)))
    save_image(path, image)


def _read(classes: tuple[SourceClass, ...], item: Item, size: tuple[int, int]) -> Annotation:
    instances = None if item.instances is None else renumbered(read_numbers(item.instances), (0, VOC_BORDER))
    return Annotation(ids=read_ids(item.annotation, classes, (VOC_BORDER,)), instances=instances)


def _classes(root: Path, options: Options) -> tuple[SourceClass, ...]:
    if (root / LABELMAP).is_file():
        return read_labelmap(root / LABELMAP)
    for name in _CLASS_LISTS:
        if (root / name).is_file():
            lines = [line for line in _lines(root / name) if line != "__ignore__"]
            return _numbered("background" if line == "_background_" else line for line in lines)
    return tuple(replace(each, color=None) for each in options.classes) or _numbered(NAMES)


def _numbered(names: Iterable[str]) -> tuple[SourceClass, ...]:
    return tuple(SourceClass(id=index, name=name, color=voc_color(index)) for index, name in enumerate(names))


def _lines(path: Path) -> list[str]:
    return [line for _, line in _numbered_lines(path)]


def _numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a list that are neither empty nor comments, with their numbers."""
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path} as a text file: {error}") from error
    return [(n, line.strip()) for n, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]


def _stems_of(root: Path, names: tuple[str, ...]) -> frozenset[str]:
    lists = [root / "ImageSets" / "Segmentation" / name for name in names]
    return frozenset(line for path in lists if path.is_file() for line in _lines(path))
