"""YOLO segmentation: `images/` and `labels/` with a text file for each picture, and `data.yaml` (or `classes.txt`).

A line is "class x1 y1 x2 y2 ...", a polygon in parts of the picture's width and height. Smaller polygons lie over
larger ones, as in Ultralytics' training. A picture without a text file has background only.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from sean.data.formats.polygons import Canvas
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
    with_stems,
)
from sean.errors import InputError
from sean.files import read_text

_LISTS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_VALIDATION = ("val", "valid", "validation")


def detect(root: Path) -> bool:
    """Whether the folder holds a data.yaml, and text files below labels/."""
    return any((root / name).is_file() for name in _LISTS) and bool(_label_files(root))


def find(root: Path, options: Options) -> Tree:
    """List a tree.

    Raises:
        InputError: there are no text files below labels/, or no list of the classes.
    """
    files = _label_files(root)
    if not files:
        raise not_a_tree(root, "YOLO", "labels/ with a .txt for each picture, images/ and data.yaml")
    listed = _classes(root, options)
    classes, ids = painted_classes(listed)
    pictures = Pictures.below(root, options.images)
    problems: list[tuple[str, str]] = []
    labels: dict[Path, Path | None] = {path: None for path in pictures.paths}
    for path in files:
        try:
            labels[pictures.find(path.as_posix())] = path
        except InputError as error:
            problems.append((UNPAIRED, f"{path} has no picture: {error}"))
    items = [
        Item(
            stem="",
            image=str(image),
            annotation=str(path or image),
            data=path is not None,
            validation=any(part in _VALIDATION for part in image.relative_to(pictures.root).parts[:-1]),
        )
        for image, path in labels.items()
    ]
    return Tree(
        format="yolo-seg",
        root=root,
        classes=classes,
        unlabelled=(UNLABELLED,),
        items=with_stems(items, pictures.root),
        read=partial(_read, ids),
        has_instances=True,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def _label_files(root: Path) -> list[Path]:
    return [path for path in files_below(root, (".txt",)) if "labels" in path.relative_to(root).parts[:-1]]


def _classes(root: Path, options: Options) -> tuple[SourceClass, ...]:
    path = next((root / name for name in _LISTS if (root / name).is_file()), None)
    if path is not None:
        return _from_yaml(path)
    if options.classes:
        return options.classes
    if (root / "classes.txt").is_file():
        names = [line.strip() for line in read_text(root / "classes.txt").splitlines() if line.strip()]
        return tuple(SourceClass(id=index, name=name) for index, name in enumerate(names))
    raise InputError(
        f"expected data.yaml with the names of the classes in {root}, found none; add it, or a mapping file"
    )


def _from_yaml(path: Path) -> tuple[SourceClass, ...]:
    import yaml

    try:
        names = yaml.safe_load(read_text(path))["names"]
        pairs = list(names.items()) if isinstance(names, Mapping) else list(enumerate(names))
        return tuple(SourceClass(id=int(index), name=str(name)) for index, name in pairs)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} has no list 'names' of classes ({type(error).__name__}: {reason})") from error


def _read(ids: Mapping[int, int], item: Item, size: tuple[int, int]) -> Annotation:
    canvas = Canvas(size, BACKGROUND, item.annotation)
    if not item.data:
        return canvas.annotation()
    height, width = size
    shapes = []
    for number, line in enumerate(read_text(item.annotation).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{item.annotation} line {number}"
        if len(words) == 5:
            raise InputError(f"{where} has a box, not a polygon; export the labels for segmentation")
        try:
            label, values = int(words[0]), np.array([float(word) for word in words[1:]])
        except ValueError as error:
            raise InputError(f"{where}: expected 'class x1 y1 x2 y2 ...', got {line[:40]!r}") from error
        if label not in ids:
            raise InputError(f"{where} has the class {label}, which the list of classes has not")
        if len(values) < 6 or len(values) % 2 or np.abs(values - 0.5).max() > 0.6:
            raise InputError(f"{where}: expected at least three points with x and y in 0..1, got {line[:40]!r}")
        ring = values.reshape(-1, 2) * (width, height)
        shapes.append((canvas.filled([ring.tolist()]), label))
    shapes.sort(key=lambda shape: -int(shape[0].sum()))
    for number, (area, label) in enumerate(shapes, start=1):
        canvas.mask(area, ids[label], 0 if ids[label] < 0 else number)
    return canvas.annotation()
