"""The interface of a data set's file: the layout of its download, and the reading of its label maps.

A data set finds its items by file names alone, so a download with missing files is refused before any picture is
decoded. Paths inside an item are text, relative to the download: there may be hundreds of thousands.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from sean.errors import InputError
from sean.images import open_image
from sean.labels import LabelSet

UNPAIRED = "files without a partner"


class SizeMismatchError(InputError):
    """Files of one item differ in size or aspect ratio."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One pair to prepare.

    Attributes:
        stem: its name in the prepared folder.
        validation: whether it belongs to the validation part.
        image: the picture, relative to the download.
        segmap: the file or files that its label map is made of, likewise.
        instances: its instance map, likewise; None where the data set has none.
    """

    stem: str
    validation: bool
    image: str
    segmap: tuple[str, ...]
    instances: str | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The listing of a download, from its file names.

    Attributes:
        root: the folder that the paths of the items are relative to.
        items: the pairs.
        problems: (kind, line with file names) of every file that does not fit.
    """

    root: Path
    items: tuple[Item, ...]
    problems: tuple[tuple[str, str], ...]


def read_integers(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a PNG of numbers, grey (8 or 16 bits) or palette: int64 [h, w].

    Raises:
        InputError: unreadable, no PNG, or a picture in colours.
    """
    image = open_png(path)
    if image.mode not in ("1", "L", "P", "I") and not image.mode.startswith("I;16"):
        raise InputError(
            f"expected a grey or palette PNG of ids, but {path} has mode {image.mode}; take it from the download again"
        )
    return np.asarray(image).astype(np.int64)


def open_png(path: str | os.PathLike[str]) -> Image.Image:
    """Decode a PNG. Raises InputError where it is unreadable or another format under the name of a PNG."""
    image = open_image(path)
    if image.format != "PNG":
        raise InputError(f"expected a PNG, but {path} is a {image.format}; take it from the download again")
    return image


def read_single_map(root: Path, item: Item) -> np.ndarray:
    """The stored ids of an item whose label map is one file: int64 [h, w]."""
    (path,) = item.segmap
    return read_integers(root / path)


@dataclass(frozen=True, kw_only=True)
class OfficialDataset:
    """The preparation of one data set.

    Attributes:
        labels: the shipped label set, whose name is the data set's.
        find: lists a download; raises InputError for another folder.
        file_ids: the id 0..k of every id that the official maps may hold (k: no region).
        read_map: reads the stored ids of an item, int64 [h, w].
        read_instances: an instance map, int64 [h, w] of 0..65535.
        default_size: default for the shorter side of pairs, in pixels; None keeps their size.
        equal_sizes: whether picture and map have one size in the download (else only one shape).
    """

    labels: LabelSet
    find: Callable[[Path], Listing]
    file_ids: Mapping[int, int]
    read_map: Callable[[Path, Item], np.ndarray] = field(default=read_single_map)
    read_instances: Callable[[Path], np.ndarray] = field(default=read_integers)
    default_size: int | None = None
    equal_sizes: bool = True


def download_root(source: Path, needed: Sequence[str], *, folders: Sequence[str] = (), name: str) -> Path:
    """The folder that holds all of `needed`: `source`, or one of `folders` in it.

    Raises:
        InputError: no folder does; the message has the expected and the present files.
    """
    if not source.is_dir():
        raise InputError(f"expected the download of {name} at {source}, found no folder; check the path")
    for root in (source, *(source / folder for folder in folders)):
        if all((root / part).is_dir() for part in needed):
            return root
    there = sorted(path.name + "/" * path.is_dir() for path in source.iterdir() if not path.name.startswith("."))
    listed = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
    raise InputError(
        f"{source} is no download of {name}: expected the folders {', '.join(f'{part}/' for part in needed)}, "
        f"found {listed or 'nothing'}; give the folder that the archive unpacks to"
    )


def names_in(folder: Path, *suffixes: str) -> list[str]:
    """The names of the files in a folder with one of these suffixes (in any case), sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.name.lower().endswith(suffixes) and not entry.name.startswith(".") and entry.is_file()
        )


def by_stem(names: Sequence[str], ending: str) -> dict[str, str]:
    """Names that end in `ending`, by the part before it."""
    return {name.removesuffix(ending): name for name in names if name.endswith(ending)}


def last_part(stems: Sequence[str], share: int) -> frozenset[str]:
    """The last 1/share of the stems, rounded; at least one, but never the only one."""
    count = min(len(stems) - 1, max(1, round(len(stems) / share)))
    return frozenset(stems[len(stems) - count :]) if count > 0 else frozenset()


def match(
    images: Mapping[str, str], others: Mapping[str, str], what: str, folder: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """The stems that occur in both, sorted, and a problem for every other one.

    Args:
        images, others: paths relative to the download, by stem; the pictures, and their maps of one sort.
        what: the kind of the maps, e.g. "label map".
        folder: of these maps.
    """
    problems = [(UNPAIRED, f"{images[stem]} has no {what} in {folder}/") for stem in sorted(images.keys() - others)]
    problems += [(UNPAIRED, f"{others[stem]} has no picture") for stem in sorted(others.keys() - images)]
    return sorted(images.keys() & others.keys()), problems
