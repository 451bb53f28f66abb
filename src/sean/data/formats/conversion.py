"""Conversion of a tree of labels into a data folder: parallel, restartable, with atomic writes.

Files and annotations are listed first: a tree in which some do not fit is refused before anything is written. Then each
picture is converted on its own, its label map last. Problems are collected over all pictures; the run then refuses the
tree or, with `skip_damaged`, lists and skips these pictures. classes.txt and the manifest are written last.
"""

import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sean.data.check import Problem, Problems
from sean.data.folder import read_labels
from sean.data.formats.mapping import ClassMapping, Relabelling, read_mapping, relabelling
from sean.data.formats.registry import open_tree
from sean.data.formats.tree import DAMAGED, WRONG_VALUES, Annotation, Item, Options, Tree
from sean.data.manifest import UNFINISHED_NAME, Manifest, file_checksum, write_manifest
from sean.data.official.item import target_size
from sean.data.official.layout import last_part
from sean.data.official.prepare import (
    FolderResult,
    Settings,
    begin,
    check_apart,
    check_complete,
    check_made_of,
    check_unfinished,
    finished,
    map_in_order,
)
from sean.errors import InputError
from sean.files import atomic_write, is_file, write_text_atomic
from sean.images import SourcePhoto, read_image, read_photo, resize_image, save_image, write_image
from sean.labels import LabelSet
from sean.segmap import read_instances, read_segmap, resize_segmap, turned_with, write_segmap

Progress = Callable[[int, int], None]
_UNREADABLE = "files that cannot be read"
_UNEQUAL = "pairs of different size"
_STRANGE_IDS = "label maps with ids of no class"


@dataclass(frozen=True, kw_only=True)
class Conversion(FolderResult):
    """The result of a conversion.

    Attributes:
        format: the format of the source.
        skipped: a line for each picture that was left out as damaged.
        shapes_left_out: how many shapes could not be drawn, by kind.
    """

    format: str
    skipped: tuple[str, ...] = ()
    shapes_left_out: Mapping[str, int] | None = None

    def text(self) -> str:
        """The result for a reader: the counts, or the problems with file names."""
        if not self.ok:
            lines = [line for problem in self.problems for line in problem.lines()]
            done = self.made + self.kept
            return (
                "\n".join([*lines, f"{done} pairs are made in {self.root}" if done else "nothing was written"]) + "\n"
            )
        lines = [f"left out: {line}" for line in self.skipped]
        if not self.made + self.kept:
            return f"{self.root} is converted already, {self._split}; to verify it: sean data check {self.root}\n"
        lines += [f"{what}, left out: {count}" for what, count in sorted((self.shapes_left_out or {}).items())]
        skipped = f", {len(self.skipped)} left out" if self.skipped else ""
        return "\n".join([*lines, *self._made(f"{self.format}, {self._split}{skipped}")]) + "\n"


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Values that all pictures of a run share; the tree has no items here."""

    tree: Tree
    labels: Relabelling
    destination: Path
    size: int | None


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """The result for one picture: its files' checksums, or its problems."""

    checksums: Mapping[str, str]
    present: tuple[int, ...] = ()
    has_unlabelled: bool = False
    kept: bool = False
    left_out: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    format: str | None = None,
    mapping: str | os.PathLike[str] | Mapping[str, str | None] | None = None,
    labels: str | os.PathLike[str] | LabelSet | None = None,
    images: str | os.PathLike[str] | None = None,
    pattern: str | None = None,
    size: int | None = None,
    workers: int | None = None,
    skip_damaged: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Turn the labels of an annotation tool or of a data set into a data folder.

    Args:
        source: the folder, or one of its annotation files.
        destination: a new or empty folder, or the one of an earlier run with the same settings and source.
        format: see `registry.FORMATS`; None finds it out.
        mapping: which region each class becomes: a file (see `formats.mapping`) or {name or id: region or None}.
        labels: the regions to make, if they must be those of a trained model: a classes.txt or a label set. None takes
            the classes of the source, or the classes.txt of an export.
        images: the folder of the pictures, if they are not in the source.
        pattern: of the masks of a folder of masks, see `formats.masks`.
        size: shorter side in pixels that larger pairs are shrunk to; None keeps the size.
        workers: number of processes; 1 works in this one, None takes one per processor.
        skip_damaged: skip damaged and unpaired files instead of refusing the tree.
        progress: called with (pictures done, pictures in all) after each picture.

    Returns:
        The counts; or the problems of the source, and then the folder is not finished.

    Raises:
        InputError: a folder of another format, an unusable mapping, or a destination that cannot be used or written.
    """
    workers = (os.cpu_count() or 1) if workers is None else workers
    if size is not None and size < 1:
        raise InputError(f"expected a size of at least 1 pixel, got {size}")
    if workers < 1:
        raise InputError(f"expected at least 1 worker, got {workers}")
    source, destination = Path(source), Path(destination)
    check_apart(source, destination)
    rules = _mapping_of(mapping)
    options = Options(
        images=None if images is None else Path(images),
        pattern=pattern,
        classes=() if rules is None else rules.classes(),
    )
    tree = open_tree(source, format, options)
    wanted = LabelSet.from_classes_txt(labels) if isinstance(labels, str | os.PathLike) else labels
    made_of = relabelling(tree, rules, wanted or _exported_labels(tree))
    settings = Settings(source=f"{tree.format} ({made_of.digest})", size=size, download=str(tree.root.resolve()))
    origin = _origin(tree)
    manifest = finished(destination, settings.source, size)
    items = _with_different_stems(tree.items)
    outputs = frozenset(path for item in items for path in _outputs(tree, item))
    if manifest is not None:
        check_made_of(destination, manifest, outputs, source, origin=origin, may_lack=skip_damaged)
        return Conversion(
            root=destination,
            format=tree.format,
            labels=read_labels(destination),
            training=len(manifest.training),
            validation=len(manifest.validation),
        )
    check_unfinished(destination, settings)
    problems = Problems()
    skipped: list[str] = []
    for kind, line in (*tree.problems, *_same_stems(tree.items)):
        skipped.append(line)
        problems.add(kind, line)
    if skipped and not (skip_damaged and items):
        return _result(tree, made_of.labels, destination, (), {}, problems.found())
    begin(destination, settings, outputs)
    job = _Job(tree=replace(tree, items=(), problems=()), labels=made_of, destination=destination, size=size)
    outcomes = dict(zip((item.stem for item in items), _run(job, items, workers, progress), strict=True))
    damaged = [outcome.problem for outcome in outcomes.values() if outcome.problem is not None]
    for kind, line in damaged:
        problems.add(kind, line)
        skipped.append(line)
    if skipped and not (skip_damaged and len(damaged) < len(items)):
        return _result(tree, made_of.labels, destination, items, outcomes, problems.found())
    sound = [item for item in items if outcomes[item.stem].problem is None]
    check_complete(destination, [path for item in sound for path in _outputs(tree, item)])
    final = _finish(job, tree, sound, outcomes, settings, origin)
    return _result(tree, final, destination, sound, outcomes, (), skipped)


def _mapping_of(mapping: str | os.PathLike[str] | Mapping[str, str | None] | None) -> ClassMapping | None:
    if mapping is None:
        return None
    if isinstance(mapping, Mapping):
        return ClassMapping(source="the mapping", targets={str(key): target for key, target in mapping.items()})
    return read_mapping(Path(mapping))


def _exported_labels(tree: Tree) -> LabelSet | None:
    """The labels of the classes.txt that `export` has written into a tree."""
    path = tree.root / "classes.txt"
    if tree.format == "masks" or not path.is_file():
        return None
    try:
        labels = LabelSet.from_classes_txt(path)
    except InputError:
        return None  # a list of another program
    own = {each.name for each in tree.classes}
    return labels if set(labels.names) >= own - {"background"} else None


def _origin(tree: Tree) -> str:
    """A digest of the pictures' names, the split, the labels in files of many pictures, and the sizes of all files.

    It is the same wherever the tree lies. Names alone do not tell two batches of a tool apart that count their pictures
    from 0; to read all files would take as long as the conversion.
    """
    sizes: dict[str, int] = {}  # one annotation file may hold the labels of all pictures
    rows = []
    for item in tree.items:
        files = [path for path in (item.image, item.annotation, item.instances) if path is not None]
        for path in files:
            if path not in sizes:
                sizes[path] = os.path.getsize(path) if is_file(path) else -1
        labels = hashlib.sha256(repr(item.data).encode()).hexdigest()
        rows.append([item.stem, item.validation, labels, *(sizes[path] for path in files)])
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()


def _same_stems(items: Sequence[Item]) -> list[tuple[str, str]]:
    counts = Counter(item.stem for item in items)
    return [
        ("files with the same stem", f"{item.image} is one of {counts[item.stem]} pictures {item.stem}; rename it")
        for item in items
        if counts[item.stem] > 1
    ]


def _with_different_stems(items: Sequence[Item]) -> tuple[Item, ...]:
    counts = Counter(item.stem for item in items)
    return tuple(item for item in items if counts[item.stem] == 1)


def _run(job: _Job, items: Sequence[Item], workers: int, progress: Progress | None) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    with closing(map_in_order(functools.partial(_convert_item, job), items, min(workers, len(items)))) as stream:
        for outcome in stream:
            outcomes.append(outcome)
            if progress is not None:
                progress(len(outcomes), len(items))
    return outcomes


def _outputs(tree: Tree, item: Item) -> tuple[str, ...]:
    """The files of an item in the data folder: picture, instances if there are any, label map."""
    image = f"images/{item.stem}{Path(item.image).suffix.lower()}"
    instances = [f"instances/{item.stem}.png"] if tree.has_instances else []
    return (image, *instances, f"labels/{item.stem}.png")


def _convert_item(job: _Job, item: Item) -> _Outcome:
    """Make the files of one item, unless sound ones exist."""
    segmap = _present(job, item)
    if segmap is not None:
        return _outcome(job, item, segmap, (), kept=True)
    photo, annotation, problem = _read(job, item)
    if problem is not None:
        return _Outcome(checksums={}, problem=problem)
    assert photo is not None and annotation is not None
    segmap = _write(job, item, photo, annotation)
    return _outcome(job, item, segmap, annotation.left_out, kept=False)


def _outcome(job: _Job, item: Item, segmap: np.ndarray, left_out: tuple[str, ...], *, kept: bool) -> _Outcome:
    num_regions = job.labels.labels.num_regions
    found = np.unique(segmap).tolist()
    return _Outcome(
        checksums={path: file_checksum(job.destination / path) for path in _outputs(job.tree, item)},
        present=tuple(region for region in found if region < num_regions),
        has_unlabelled=num_regions in found,
        kept=kept,
        left_out=left_out,
    )


def _present(job: _Job, item: Item) -> np.ndarray | None:
    """The label map of a finished item; None if a file is missing or damaged."""
    image, *instances, labels = (job.destination / path for path in _outputs(job.tree, item))
    if not labels.is_file():
        return None
    try:
        segmap = read_segmap(labels, job.labels.labels)
        shapes = [read_image(image).shape[:2], *(read_instances(path).shape for path in instances)]
    except InputError:
        return None
    return segmap if all(shape == segmap.shape for shape in shapes) else None


def _read(job: _Job, item: Item) -> tuple[SourcePhoto | None, Annotation | None, tuple[str, str] | None]:
    """The picture and its labels as ids 0..k, turned like the picture; or their problems."""
    try:
        photo = read_photo(item.image)
        annotation = job.tree.read(item, photo.size)
    except InputError as error:
        return None, None, (_UNREADABLE, str(error))
    except WRONG_VALUES as error:
        reason = f"{item.annotation} is not as {job.tree.format} has it ({error!r}) for {Path(item.image).name}"
        return None, None, (DAMAGED, f"{reason}; export it again")
    try:
        ids = turned_with(photo, job.labels.apply(annotation.ids, item.annotation))
    except InputError as error:
        return None, None, (_STRANGE_IDS, str(error))
    instances = annotation.instances
    if instances is not None:
        instances = turned_with(photo, instances)
        if instances.shape != ids.shape:
            return None, None, (_UNEQUAL, _sizes(instances, ids, item.instances or item.annotation, item.annotation))
        instances = np.where(ids == job.labels.labels.num_regions, 0, instances)
        if instances.max() > 65535:
            return None, None, (DAMAGED, f"{item.annotation} has {instances.max()} objects, more than 65535")
    alike = photo.size[0] * ids.shape[1] == photo.size[1] * ids.shape[0]
    if photo.size != ids.shape and (job.tree.same_size or not alike):
        return None, None, (_UNEQUAL, _sizes(photo.image[..., 0], ids, item.image, item.annotation))
    return photo, replace(annotation, ids=ids, instances=instances), None


def _sizes(one: np.ndarray, other: np.ndarray, name: str, other_name: str) -> str:
    return (
        f"expected one size (h x w), got {one.shape[0]} x {one.shape[1]} in {name} and "
        f"{other.shape[0]} x {other.shape[1]} in {other_name}; resize one of them"
    )


def _write(job: _Job, item: Item, photo: SourcePhoto, annotation: Annotation) -> np.ndarray:
    """Write picture, instances and, last, the label map; returns the map. A picture that keeps its size is copied."""
    image, *instances, labels = (job.destination / path for path in _outputs(job.tree, item))
    smaller = (min(photo.size[0], annotation.ids.shape[0]), min(photo.size[1], annotation.ids.shape[1]))
    size = target_size(smaller, job.size)
    if photo.size == size:
        content = Path(item.image).read_bytes()
        with atomic_write(image) as temporary:
            temporary.write_bytes(content)
    else:
        write_image(image, resize_image(photo.image, size))
    for path in instances:
        numbers = annotation.instances if annotation.instances is not None else np.zeros_like(annotation.ids)
        save_image(path, Image.fromarray(resize_segmap(numbers, size).astype(np.uint16)))
    segmap = resize_segmap(annotation.ids, size)
    write_segmap(labels, segmap, job.labels.labels)
    return segmap


def _finish(
    job: _Job,
    tree: Tree,
    items: Sequence[Item],
    outcomes: Mapping[str, _Outcome],
    settings: Settings,
    origin: str,
) -> LabelSet:
    """Write classes.txt and, last of all, the manifest."""
    labels = job.labels.labels
    if job.labels.ignore_added and not any(outcome.has_unlabelled for outcome in outcomes.values()):
        labels = replace(labels, ignore_id=None)
    write_text_atomic(job.destination / "classes.txt", labels.to_classes_txt())
    checksums = {path: digest for item in items for path, digest in outcomes[item.stem].checksums.items()}
    checksums["classes.txt"] = file_checksum(job.destination / "classes.txt")
    stems = sorted(item.stem for item in items)
    given = {item.stem for item in items if item.validation}
    validation = given if tree.has_split and 0 < len(given) < len(stems) else last_part(stems, 10)
    manifest = Manifest(
        source=settings.source,
        training=tuple(stem for stem in stems if stem not in validation),
        validation=tuple(stem for stem in stems if stem in validation),
        checksums=dict(sorted(checksums.items())),
        size=job.size,
        origin=origin,
    )
    write_manifest(job.destination, manifest)
    (job.destination / UNFINISHED_NAME).unlink()
    return labels


def _result(
    tree: Tree,
    labels: LabelSet,
    root: Path,
    items: Sequence[Item],
    outcomes: Mapping[str, _Outcome],
    problems: tuple[Problem, ...],
    skipped: Sequence[str] = (),
) -> Conversion:
    sound = [outcome for outcome in outcomes.values() if outcome.problem is None]
    stems = sorted(item.stem for item in items)
    given = sum(item.validation for item in items)
    validation = given if tree.has_split and 0 < given < len(stems) else len(last_part(stems, 10))
    return Conversion(
        root=root,
        format=tree.format,
        labels=labels,
        training=len(stems) - validation,
        validation=validation,
        made=sum(not outcome.kept for outcome in sound),
        kept=sum(outcome.kept for outcome in sound),
        present=tuple(sorted({region for outcome in sound for region in outcome.present})),
        problems=problems,
        skipped=tuple(skipped),
        shapes_left_out=Counter(what for outcome in sound for what in outcome.left_out),
    )
