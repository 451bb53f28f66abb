"""The common form of all label formats: a tree with classes, pictures, and a function that reads their labels.

A format lists its tree first (`Tree`), from file names and annotation files alone; a label map is made for one picture
at a time, in any process.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sean.data.folder import IMAGE_SUFFIXES
from sean.errors import InputError
from sean.files import is_file, parse_json, read_text
from sean.labels import Color

BACKGROUND = -2
"""The id of pixels that no shape covers, in formats that draw shapes."""
UNLABELLED = -1
"""The id of pixels that a tool marks as unlabelled without an id."""
IGNORE = "__ignore__"
"""The name, labelme's, of shapes that mark unlabelled pixels; exports write it, too."""
BACKGROUND_NAMES = ("background", "_background_")
UNPAIRED = "files without a partner"
DAMAGED = "annotations that cannot be read"
WRONG_VALUES = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""Errors from files of valid JSON or XML whose values have other types than the format's."""


@dataclass(frozen=True, kw_only=True)
class SourceClass:
    """A class of the annotation files: its id there (any integer), name, and colour if there is one."""

    id: int
    name: str
    color: Color | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One picture of a tree.

    Attributes:
        stem: the name of the pair in the data folder.
        image: path of the picture.
        annotation: path of the file that holds its labels, for messages too.
        data: the picture's part of that file, if the file describes many pictures.
        instances: path of the instance map, in formats that keep it in a file of its own.
        validation: whether the tree assigns the picture to the validation part.
    """

    stem: str
    image: str
    annotation: str
    data: Any = None
    instances: str | None = None
    validation: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotation:
    """The labels of one picture.

    Attributes:
        ids: int64 [h, w], ids of the source classes, or ids that mark unlabelled pixels.
        instances: int64 [h, w], 0 for "no object", 1.. for the objects; None in formats without objects.
        left_out: shapes that cannot be drawn, e.g. "a shape of the type point"; one entry for each.
    """

    ids: np.ndarray
    instances: np.ndarray | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The content of a tree of label files.

    Attributes:
        format: the name of the format.
        root: the folder.
        classes: the classes, in the order of the regions to be made of them.
        unlabelled: ids that mark unlabelled pixels.
        items: the pictures with labels.
        read: the labels of an item, given the height and width of its picture; can be sent to other processes.
        has_instances: whether the labels have objects.
        has_split: whether it says which pictures are for validation.
        same_size: whether a map must have the size of its picture, or only its aspect ratio.
        problems: (kind, line with file names) of every file that does not fit.
    """

    format: str
    root: Path
    classes: tuple[SourceClass, ...]
    items: tuple[Item, ...]
    read: Callable[[Item, tuple[int, int]], Annotation]
    unlabelled: tuple[int, ...] = ()
    has_instances: bool = False
    has_split: bool = False
    same_size: bool = True
    problems: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Options:
    """A user's options for a tree.

    Attributes:
        images: the folder of the pictures, if they are not in the tree.
        pattern: path of a mask relative to a folder, with {stem} for the name of its picture.
        classes: the classes of a mapping file that lists ids; formats without a list of their own take these.
    """

    images: Path | None = None
    pattern: str | None = None
    classes: tuple[SourceClass, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format.

    Attributes:
        name: its name for users.
        title: its full name, and its characteristic files.
        detect: whether a folder seems to have the format.
        find: lists a folder; raises InputError for a folder of another format.
    """

    name: str
    title: str
    detect: Callable[[Path], bool]
    find: Callable[[Path, Options], Tree]


@dataclass(kw_only=True)
class Pictures:
    """The picture files of a tree, found by the names that annotation files give them."""

    root: Path
    paths: tuple[Path, ...]
    _by_name: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    _by_stem: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def below(cls, root: Path, images: Path | None = None) -> "Pictures":
        """The pictures in a folder and its subfolders, or in `images` and its subfolders.

        Raises:
            InputError: `images` is no folder.
        """
        if images is not None and not images.is_dir():
            raise InputError(f"expected a folder of pictures at {images}, found none; check the path")
        return cls.of(images or root, files_below(images or root, IMAGE_SUFFIXES))

    @classmethod
    def of(cls, root: Path, paths: Iterable[Path]) -> "Pictures":
        """These files, which are below `root`."""
        found = cls(root=root, paths=tuple(paths))
        for path in found.paths:
            found._by_name[path.name].append(path)
            found._by_stem[path.stem].append(path)
        return found

    def find(self, name: str, *, near: Path | None = None) -> Path:
        """The picture that an annotation file refers to.

        Args:
            name: a path or file name, perhaps of another machine, with or without suffix.
            near: the folder of the annotation file; a name that is a path relative to it refers to that file.

        Raises:
            InputError: there is no such picture, or several.
        """
        name = name.replace("\\", "/")
        if near is not None and is_file(near / name) and self.root in (near / name).resolve().parents:
            return near / name
        wanted = PurePosixPath(name)
        found = self._by_name.get(wanted.name) or self._by_stem.get(wanted.name) or self._by_stem.get(wanted.stem) or []
        if len(found) > 1:
            depth = [_common_tail(path.parent.parts, wanted.parent.parts) for path in found]
            found = [path for path, common in zip(found, depth, strict=True) if common == max(depth)]
        if len(found) > 1:
            shown = " and ".join(map(str, found[:2]))
            raise InputError(f"{name} may be {shown}; rename one of them")
        if not found:
            raise InputError(f"there is no picture {name} in {self.root}/; add it, or name the folder that holds it")
        return found[0]


def files_below(root: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """The files with one of these suffixes (in any case) in a folder and its subfolders, sorted; no hidden ones."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            if name.lower().endswith(tuple(suffixes)) and not name.startswith("."):
                yield Path(folder) / name


def with_stems(items: Iterable[Item], root: Path) -> tuple[Item, ...]:
    """Items with the stems of their pictures: the file's name, or its path in the tree if names occur twice."""
    listed = list(items)
    counts = Counter(Path(item.image).stem for item in listed)
    renamed = []
    for item in listed:
        path = Path(item.image)
        stem = path.stem
        if counts[stem] > 1 and path.is_relative_to(root):
            stem = "_".join(path.relative_to(root).with_suffix("").parts)
        renamed.append(Item(**{**vars(item), "stem": stem}))
    return tuple(renamed)


def painted_classes(classes: Iterable[SourceClass]) -> tuple[tuple[SourceClass, ...], dict[int, int]]:
    """The classes of a format that draws shapes, among them the background, which pixels without a shape belong to.

    Returns:
        The classes, and the id to paint by the id of the class: `BACKGROUND` for a class named background, and
        `UNLABELLED` for `IGNORE`, which becomes no class.
    """
    given = list(classes)
    ids = {each.id: each.id for each in given}
    regions = []
    for each in given:
        if each.name == IGNORE:
            ids[each.id] = UNLABELLED
        elif each.name.casefold() in BACKGROUND_NAMES:
            ids[each.id] = BACKGROUND
            regions.append(SourceClass(id=BACKGROUND, name="background", color=each.color))
        else:
            regions.append(each)
    if BACKGROUND not in ids.values():
        has_colors = bool(regions) and all(each.color not in (None, (0, 0, 0)) for each in regions)
        regions.insert(0, SourceClass(id=BACKGROUND, name="background", color=(0, 0, 0) if has_colors else None))
    return tuple(regions), ids


def read_json(path: Path, kind: type = dict) -> Any:
    """The content of a JSON file, an object (or a list).

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        value = parse_json(read_text(path))
    except FileNotFoundError as error:
        raise InputError(f"expected a JSON file at {path}, found none; check the path") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable JSON ({' '.join(str(error).split())}); export it again") from error
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list"
        raise InputError(f"expected {expected} in {path}, got {type(value).__name__}; export it again")
    return value


def quiet_json(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; an empty one for other files."""
    try:
        value = read_json(path)
    except InputError:
        return {}
    assert isinstance(value, dict)
    return value


def subfolder(root: Path, *candidates: str) -> Path | None:
    """The first of these folders below `root` that exists."""
    return next((root / name for name in candidates if (root / name).is_dir()), None)


def not_a_tree(root: Path, title: str, expected: str) -> InputError:
    """The error for a folder of another format: the expected files, and the present ones."""
    there = sorted(path.name + "/" * path.is_dir() for path in root.iterdir() if not path.name.startswith("."))
    listed = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
    return InputError(f"{root} is no {title} tree: expected {expected}, found {listed or 'nothing'}; check the path")


def sized(what: str, path: str, declared: tuple[Any, Any]) -> tuple[int, int]:
    """A height and width that a file declares, checked.

    Raises:
        InputError: they cannot be the size of a picture.
    """
    height, width = declared
    if not all(isinstance(side, int) and 0 < side <= 100_000 for side in (height, width)):
        raise InputError(f"expected height and width of {what} in {path}, got {height!r} x {width!r}; export it again")
    return height, width


def _common_tail(parts: Sequence[str], others: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(parts), reversed(others), strict=False):
        if one != other:
            break
        count += 1
    return count
