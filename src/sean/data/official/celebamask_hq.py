"""CelebAMask-HQ: pictures `CelebA-HQ-img/N.jpg`, one mask per part in `CelebAMask-HQ-mask-anno/{N // 2000}/`.

The parts `NNNNN_skin.png`, ... are laid over each other in the order of the label ids; uncovered pixels are background.
`CelebA-HQ-to-CelebA-mapping.txt`, if present, is the list of the pictures. The last fifteenth by number (2 000 of 30
000) is for validation.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from sean.data.official.layout import (
    UNPAIRED,
    Item,
    Listing,
    OfficialDataset,
    SizeMismatchError,
    download_root,
    last_part,
    names_in,
    open_png,
)
from sean.errors import InputError
from sean.files import read_text
from sean.labels import CELEBAMASK_HQ

_IMAGES = "CelebA-HQ-img"
_PARTS = "CelebAMask-HQ-mask-anno"
_LIST = "CelebA-HQ-to-CelebA-mapping.txt"
_PART_NAME = re.compile(r"(\d{5})_(\w+)\.png")
_MISPLACED = "files that are not expected there"


def find(source: Path) -> Listing:
    """List a `CelebAMask-HQ` folder, or the folder around it."""
    root = download_root(source, [_IMAGES, _PARTS], folders=["CelebAMask-HQ"], name=CELEBAMASK_HQ.name)
    images, problems = _images(root)
    if (root / _LIST).is_file():
        problems += _compare_with_list(images, _listed(root / _LIST))
    parts, misplaced = _parts(root)
    problems += misplaced
    problems += [
        (UNPAIRED, f"{images[number]} has no part in {_PARTS}/{number // 2000}/")
        for number in sorted(images.keys() - parts)
    ]
    problems += [
        (UNPAIRED, f"{parts[number][0]} (of {len(parts[number])} parts) has no picture")
        for number in sorted(parts.keys() - images)
    ]
    numbers = sorted(images.keys() & parts)
    held_out = last_part([f"{number:05}" for number in numbers], 15)
    items = tuple(
        Item(
            stem=f"{number:05}",
            validation=f"{number:05}" in held_out,
            image=images[number],
            segmap=tuple(parts[number]),
        )
        for number in numbers
    )
    return Listing(root=root, items=items, problems=tuple(problems))


def read_parts(root: Path, item: Item) -> np.ndarray:
    """Lay the parts of a picture over each other, later labels on top: int64 [h, w] of 0..18.

    Raises:
        InputError: a part cannot be read.
        SizeMismatchError: the parts have different sizes.
    """
    merged: np.ndarray | None = None
    for path in sorted(item.segmap, key=_label_of):
        covered = _covered(root / path)
        if merged is None:
            merged = np.zeros(covered.shape, dtype=np.int64)
        if covered.shape != merged.shape:
            raise SizeMismatchError(
                f"expected parts of one size (h x w), got {covered.shape[0]} x {covered.shape[1]} in {root / path} and "
                f"{merged.shape[0]} x {merged.shape[1]} in another part of it; take them from the download again"
            )
        merged[covered] = _label_of(path)
    assert merged is not None  # every item has at least one part
    return merged


def _covered(path: Path) -> np.ndarray:
    """Where a mask is not black: bool [h, w]."""
    image = open_png(path)
    pixels = np.asarray(image.convert("RGB") if image.mode in ("P", "LA", "PA", "RGBA") else image)
    return np.asarray(pixels.any(axis=2) if pixels.ndim == 3 else pixels != 0)


def _label_of(path: str) -> int:
    return CELEBAMASK_HQ.names.index(path[:-4].partition("_")[2])


def _images(root: Path) -> tuple[dict[int, str], list[tuple[str, str]]]:
    images: dict[int, str] = {}
    problems = []
    for name in names_in(root / _IMAGES, ".jpg"):
        stem = name[:-4]
        if stem.isdecimal() and str(int(stem)) == stem:
            images[int(stem)] = f"{_IMAGES}/{name}"
        else:
            problems.append((_MISPLACED, f"{_IMAGES}/{name} is not named by a number"))
    return images, problems


def _parts(root: Path) -> tuple[dict[int, list[str]], list[tuple[str, str]]]:
    """The part files of every number, and a problem for each file that is misnamed or in the wrong folder."""
    parts: defaultdict[int, list[str]] = defaultdict(list)
    problems = []
    folders = sorted(path.name for path in (root / _PARTS).iterdir() if path.is_dir())
    for folder in folders:
        for name in names_in(root / _PARTS / folder, ".png"):
            path = f"{_PARTS}/{folder}/{name}"
            found = _PART_NAME.fullmatch(name)
            if found is None or found[2] not in CELEBAMASK_HQ.names[1:]:
                problems.append((_MISPLACED, f"{path} is not named NNNNN_PART.png with a part of the label set"))
            elif folder != str(int(found[1]) // 2000):
                problems.append((_MISPLACED, f"{path} belongs into {_PARTS}/{int(found[1]) // 2000}/"))
            else:
                parts[int(found[1])].append(path)
    return dict(parts), problems


def _listed(path: Path) -> set[int]:
    """The numbers that the list of the pictures names.

    Raises:
        InputError: a line that is not "number original-number file", or a number twice; names the line.
    """
    numbers: set[int] = set()
    try:
        lines = read_text(path).splitlines()
    except (OSError, InputError) as error:
        raise InputError(f"cannot read {path}: {error}; take it from the download again") from error
    for line_number, line in enumerate(lines[1:], start=2):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not words[0].isdecimal() or int(words[0]) in numbers:
            raise InputError(
                f"{path} line {line_number}: expected 'idx orig_idx orig_file' with a new idx, got {line.strip()!r}; "
                "take it from the download again"
            )
        numbers.add(int(words[0]))
    return numbers


def _compare_with_list(images: dict[int, str], listed: set[int]) -> list[tuple[str, str]]:
    problems = [
        ("missing pictures", f"{_LIST} lists {number}, but there is no {_IMAGES}/{number}.jpg")
        for number in sorted(listed - images.keys())
    ]
    return problems + [
        (_MISPLACED, f"{images[number]} is not listed in {_LIST}") for number in sorted(images.keys() - listed)
    ]


DATASET = OfficialDataset(
    labels=CELEBAMASK_HQ,
    find=find,
    file_ids={index: index for index in range(CELEBAMASK_HQ.num_regions)},
    read_map=read_parts,
    default_size=512,
    equal_sizes=False,
)
