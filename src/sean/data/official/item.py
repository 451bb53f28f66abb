"""The preparation of one pair of an official data set: read, check, resize, write.

The work may run in any process. A pair is written only after all of it was read and checked, its label map last: a
label map on disk means that the pair is complete. Pairs that exist are checked and kept.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sean.data.manifest import file_checksum
from sean.data.official.layout import Item, OfficialDataset, SizeMismatchError
from sean.data.official.registry import official_dataset
from sean.data.paired import check_sizes
from sean.errors import InputError
from sean.files import atomic_write
from sean.images import read_image, resize_image, save_image, write_image
from sean.labels import LabelSet
from sean.segmap import read_instances, read_segmap, resize_segmap, write_segmap

UNREADABLE = "files that cannot be read"
UNEQUAL = "pairs of different size"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Values that all items of a run share.

    Attributes:
        name: the data set.
        source: the folder that the paths of the items are relative to.
        destination: the prepared folder.
        size: shorter side in pixels to shrink to; None keeps the size.
    """

    name: str
    source: Path
    destination: Path
    size: int | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result for one item.

    Attributes:
        stem: its name.
        checksums: SHA-256 of its files, by their path in the prepared folder; empty where it has problems.
        present: the ids 0..k-1 in its map.
        kept: whether the files existed already.
        problems: (kind, line with file names); with any, nothing of the item was written.
    """

    stem: str
    checksums: Mapping[str, str]
    present: tuple[int, ...] = ()
    kept: bool = False
    problems: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """A map int64 [h, w] of 0..k, instances int64 [h, w], if any, and the picture uint8 [h, w, 3] if it was resized."""

    image: np.ndarray | None
    segmap: np.ndarray
    instances: np.ndarray | None


def output_paths(item: Item) -> tuple[str, ...]:
    """The files of an item in the prepared folder: picture, instances if there are any, label map."""
    image = f"images/{item.stem}{Path(item.image).suffix.lower()}"
    instances = [f"instances/{item.stem}.png"] if item.instances else []
    return (image, *instances, f"labels/{item.stem}.png")


def prepare_item(job: Job, item: Item) -> Outcome:
    """Make the files of one item, unless sound ones exist.

    A picture that keeps its size is copied byte for byte. A resized one keeps its format: PNG, which is lossless, or
    JPEG of quality 95.

    Raises:
        InputError: the destination cannot be written. Problems of the item itself are in the result.
    """
    dataset = official_dataset(job.name)
    present = _present(job, item, dataset.labels)
    kept = present is not None
    if present is None:
        pair, problems = _read(job, item, dataset)
        if pair is None:
            return Outcome(stem=item.stem, checksums={}, problems=problems)
        present = _write(job, item, dataset.labels, pair)
    checksums = {path: file_checksum(job.destination / path) for path in output_paths(item)}
    return Outcome(stem=item.stem, checksums=checksums, present=present, kept=kept)


def target_size(size: tuple[int, int], shorter_side: int | None) -> tuple[int, int]:
    """The size (h, w) that a picture of `size` is shrunk to; never larger than it is."""
    height, width = size
    if shorter_side is None or min(size) <= shorter_side:
        return size
    return max(1, round(height * shorter_side / min(size))), max(1, round(width * shorter_side / min(size)))


def _present(job: Job, item: Item, labels: LabelSet) -> tuple[int, ...] | None:
    """The ids in the map of a finished item; None if a file is missing or damaged."""
    image_path, *_, segmap_path = (job.destination / path for path in output_paths(item))
    if not segmap_path.is_file():
        return None
    try:
        segmap = read_segmap(segmap_path, labels)
        shapes = [read_image(image_path).shape[:2]]
        if item.instances:
            shapes.append(read_instances(job.destination / "instances" / f"{item.stem}.png").shape)
    except InputError:
        return None
    return _regions(segmap, labels) if all(shape == segmap.shape for shape in shapes) else None


def _read(job: Job, item: Item, dataset: OfficialDataset) -> tuple[_Pair | None, tuple[tuple[str, str], ...]]:
    """The pair at its final size, or all its problems."""
    arrays, problems = _decoded(job, item, dataset)
    if "ids" in arrays:
        arrays["ids"], illegal = _converted(arrays["ids"], dataset)
        if illegal:
            kind = f"label maps with ids that are not among those of {job.name}, {_in_words(dataset.file_ids)}"
            problems.append((kind, f"{job.source / item.segmap[0]} has id {illegal}"))
    problems += _size_problems(job, item, dataset, arrays)
    if problems:
        return None, tuple(problems)
    image, segmap = arrays["image"], arrays["ids"]
    smaller = min(image.shape[:2], segmap.shape)
    size = target_size((smaller[0], smaller[1]), job.size)
    pair = _Pair(
        image=None if image.shape[:2] == size else resize_image(image, size),
        segmap=resize_segmap(segmap, size),
        instances=resize_segmap(arrays["instances"], size) if "instances" in arrays else None,
    )
    return pair, ()


def _decoded(job: Job, item: Item, dataset: OfficialDataset) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Image, ids and instances as far as they can be read, and a problem for each that cannot."""
    readers: dict[str, Callable[[], np.ndarray]] = {
        "image": lambda: read_image(job.source / item.image),
        "ids": lambda: dataset.read_map(job.source, item),
    }
    if item.instances is not None:
        instances = job.source / item.instances
        readers["instances"] = lambda: dataset.read_instances(instances)
    arrays: dict[str, np.ndarray] = {}
    problems: list[tuple[str, str]] = []
    for name, reader in readers.items():
        try:
            arrays[name] = reader()
        except InputError as error:
            problems.append((UNEQUAL if isinstance(error, SizeMismatchError) else UNREADABLE, str(error)))
    return arrays, problems


def _size_problems(
    job: Job, item: Item, dataset: OfficialDataset, arrays: Mapping[str, np.ndarray]
) -> list[tuple[str, str]]:
    if "image" not in arrays:
        return []
    image = arrays["image"]
    problems = []
    for kind, path in (("ids", item.segmap[0]), ("instances", item.instances)):
        if kind not in arrays or path is None:
            continue
        shape = arrays[kind].shape
        if not dataset.equal_sizes and image.shape[0] * shape[1] == image.shape[1] * shape[0]:
            continue
        try:
            check_sizes(image, arrays[kind], job.source / item.image, job.source / path)
        except InputError as error:
            problems.append((UNEQUAL, str(error)))
    return problems


def _converted(ids: np.ndarray, dataset: OfficialDataset) -> tuple[np.ndarray, str]:
    """Ids of the files as ids 0..k (-1 for illegal ones), and the illegal ones as text."""
    table = np.full(max(int(ids.max()), *dataset.file_ids) + 1, -1, dtype=np.int64)
    table[list(dataset.file_ids)] = list(dataset.file_ids.values())
    segmap = table[ids]
    illegal = np.unique(ids[segmap < 0]).tolist()
    return segmap, ", ".join(map(str, illegal[:5])) + (", ..." if len(illegal) > 5 else "")


def _in_words(ids: Collection[int]) -> str:
    """Runs of ids, e.g. "0..33, 255"."""
    starts = [str(index) for index in sorted(ids) if index - 1 not in ids]
    ends = [str(index) for index in sorted(ids) if index + 1 not in ids]
    return ", ".join(a if a == b else f"{a}..{b}" for a, b in zip(starts, ends, strict=True))


def _write(job: Job, item: Item, labels: LabelSet, pair: _Pair) -> tuple[int, ...]:
    """Write the pair, its label map last; returns the ids in the map."""
    image_path, *_, segmap_path = (job.destination / path for path in output_paths(item))
    if pair.image is None:
        content = (job.source / item.image).read_bytes()
        with atomic_write(image_path) as temporary:
            temporary.write_bytes(content)
    else:
        write_image(image_path, pair.image)
    if pair.instances is not None:
        path = job.destination / "instances" / f"{item.stem}.png"
        save_image(path, Image.fromarray(pair.instances.astype(np.uint16)))
    write_segmap(segmap_path, pair.segmap, labels)
    return _regions(pair.segmap, labels)


def _regions(segmap: np.ndarray, labels: LabelSet) -> tuple[int, ...]:
    return tuple(np.unique(segmap[segmap < labels.num_regions]).tolist())
