"""The check of a paired folder: pairing, sizes, label ids, rare labels, changes since its preparation.

The report collects every problem; of each kind it keeps the first few in words and counts the rest. The command
`sean data check` prints it. One pair is in memory at a time.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from sean.data.folder import FolderScan, read_labels, scan_folder
from sean.data.manifest import MANIFEST_NAME, Manifest, file_checksum, read_manifest
from sean.data.paired import check_sizes
from sean.errors import InputError
from sean.images import SourcePhoto, read_photo
from sean.labels import LabelSet
from sean.segmap import ignore_advice, legal_ids, read_ids, read_instances, turned_with

RARE_SHARE = 0.01
RARE_EXAMPLES = 3
Progress = Callable[[int, int], None]
Read = TypeVar("Read", np.ndarray, SourcePhoto)

SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One kind of problem: its count, and the first occurrences as text with file names."""

    kind: str
    count: int
    examples: tuple[str, ...]

    def lines(self) -> list[str]:
        """The problem for a reader."""
        lines = [f"{self.count} {self.kind}:", *(f"  {example}" for example in self.examples)]
        if self.count > len(self.examples):
            lines.append(f"  ... and {self.count - len(self.examples)} more")
        return lines


class Problems:
    """Problems by kind, in order of first occurrence: counts, and the first `SHOWN` lines of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, kind: str, line: str) -> None:
        """Note one problem; `line` names the file."""
        self._counts[kind] += 1
        kept = self._examples.setdefault(kind, [])
        if len(kept) < SHOWN:
            kept.append(line)

    def found(self) -> tuple[Problem, ...]:
        """All kinds of problems noted so far."""
        return tuple(
            Problem(kind=kind, count=count, examples=tuple(self._examples[kind]))
            for kind, count in self._counts.items()
        )


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """The result of `check_folder`.

    Attributes:
        root: the folder.
        labels: its label set.
        num_pairs: pictures that have a label map.
        num_counted: pairs whose map could be read; the label counts are over these.
        sizes: number of pictures by (h, w).
        pixels, images: for each label, the pixels that carry it and the maps in which it occurs.
        ignored_pixels: pixels with the ignore id.
        examples: for each label, the first maps in which it occurs.
        split: numbers of training and validation pairs in the manifest; None without a manifest.
        problems: faults to correct before training, by kind.
    """

    root: Path
    labels: LabelSet
    num_pairs: int
    num_counted: int
    sizes: dict[tuple[int, int], int]
    pixels: tuple[int, ...]
    images: tuple[int, ...]
    ignored_pixels: int
    examples: tuple[tuple[str, ...], ...]
    split: tuple[int, int] | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the folder is fit for training (rare and absent labels are allowed)."""
        return not self.problems

    @property
    def rare(self) -> tuple[str, ...]:
        """Labels that occur, but in less than 1 % of the maps."""
        return tuple(
            name
            for name, count in zip(self.labels.names, self.images, strict=True)
            if 0 < count < RARE_SHARE * self.num_counted
        )

    @property
    def absent(self) -> tuple[str, ...]:
        """Labels that occur in no map."""
        return tuple(name for name, count in zip(self.labels.names, self.images, strict=True) if count == 0)

    def text(self) -> str:
        """The report for a reader: sizes, a table of the labels, the problems with file names."""
        lines = [
            f"{self.root}: {self.num_pairs} pairs, {self.labels.num_regions} labels ({self.labels.name})",
            f"sizes (h x w): {self._sizes_text()}",
            *([] if self.split is None else [f"split: {self.split[0]} training, {self.split[1]} validation"]),
            "",
            *self._table(),
            "",
            *self._rare_lines(),
            f"absent: {', '.join(self.absent) or 'none'}",
        ]
        for problem in self.problems:
            lines += ["", *problem.lines()]
        lines += ["", "no problems" if self.ok else f"{sum(p.count for p in self.problems)} problems"]
        return "\n".join(lines) + "\n"

    def _rare_lines(self) -> list[str]:
        lines = [f"rare (in less than {RARE_SHARE:.0%} of the maps): {', '.join(self.rare) or 'none'}"]
        for name in self.rare:
            index = self.labels.names.index(name)
            more = ", ..." if self.images[index] > RARE_EXAMPLES else ""
            lines.append(f"  {name}: {', '.join(self.examples[index][:RARE_EXAMPLES])}{more}")
        return lines

    def _sizes_text(self) -> str:
        common = sorted(self.sizes.items(), key=lambda item: (-item[1], item[0]))
        parts = [f"{height} x {width} ({count})" for (height, width), count in common[:5]]
        if len(common) > 5:
            rest = sum(count for _, count in common[5:])
            parts.append(f"{len(common) - 5} other sizes ({rest})")
        return ", ".join(parts) or "none"

    def _table(self) -> list[str]:
        width = max(len("label"), *(len(name) for name in self.labels.names))
        total = max(1, sum(self.pixels) + self.ignored_pixels)
        lines = [f"{'id':>5}  {'label':<{width}}  {'pixels':>14}  {'share':>7}  {'maps':>8}"]
        for index, name in enumerate(self.labels.names):
            lines.append(
                f"{index:>5}  {name:<{width}}  {self.pixels[index]:>14}  "
                f"{self.pixels[index] / total:>7.2%}  {self.images[index]:>8}"
            )
        if self.labels.ignore_id is not None:
            lines.append(
                f"{self.labels.ignore_id:>5}  {'(unlabelled)':<{width}}  {self.ignored_pixels:>14}  "
                f"{self.ignored_pixels / total:>7.2%}"
            )
        return lines


def check_folder(root: str | os.PathLike[str], progress: Progress | None = None) -> DataReport:
    """Read every file of a paired folder and report.

    Args:
        root: the folder (see `sean.data.folder`).
        progress: called with (pairs done, pairs in all) after each pair.

    Raises:
        InputError: the folder, its images or labels folder, or its classes.txt is missing or malformed, it was
            not prepared to the end, or its manifest is damaged; everything else becomes a problem in the report.
    """
    manifest = read_manifest(root)
    scan = scan_folder(root)
    tally = _Tally(labels=read_labels(root))
    for kind, found in scan.problems.items():
        for line in found:
            tally.problems.add(kind, line)
    if not scan.stems:
        tally.problems.add("missing pairs", "there is no picture in images/ with a label map in labels/")
    for done, stem in enumerate(scan.stems, start=1):
        _check_pair(scan, stem, tally)
        if progress is not None:
            progress(done, len(scan.stems))
    if manifest is not None:
        _compare_with_manifest(scan, manifest, tally.problems)
    return tally.report(scan, manifest)


@dataclass(kw_only=True)
class _Tally:
    """The running counts."""

    labels: LabelSet
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    num_counted: int = 0
    ignored_pixels: int = 0
    problems: Problems = field(default_factory=Problems)

    def __post_init__(self) -> None:
        self.pixels = np.zeros(self.labels.num_regions, dtype=np.int64)
        self.images = np.zeros(self.labels.num_regions, dtype=np.int64)
        self.examples: list[list[str]] = [[] for _ in self.labels.names]

    def count(self, segmap: np.ndarray, path: Path) -> None:
        """Count the pixels of a map as stored in the file, and note its illegal ids."""
        found, amounts = np.unique(segmap, return_counts=True)
        illegal = []
        for label, amount in zip(found.tolist(), amounts.tolist(), strict=True):
            if 0 <= label < self.labels.num_regions:
                self.pixels[label] += amount
                self.images[label] += 1
                if len(self.examples[label]) < RARE_EXAMPLES:
                    self.examples[label].append(f"labels/{path.name}")
            elif label == self.labels.ignore_id:
                self.ignored_pixels += amount
            else:
                illegal.append(label)
        self.num_counted += 1
        if illegal:
            listed = ", ".join(str(label) for label in illegal[:5]) + (", ..." if len(illegal) > 5 else "")
            advice = ignore_advice(illegal, self.labels).rpartition("; else ")[0]
            kind = f"label maps with ids outside {legal_ids(self.labels)}"
            self.problems.add(kind, f"{path.name} has id {listed}" + (f"; {advice}" if advice else ""))

    def report(self, scan: FolderScan, manifest: Manifest | None) -> DataReport:
        return DataReport(
            root=scan.root,
            labels=self.labels,
            num_pairs=len(scan.stems),
            num_counted=self.num_counted,
            sizes=dict(self.sizes),
            pixels=tuple(self.pixels.tolist()),
            images=tuple(self.images.tolist()),
            ignored_pixels=self.ignored_pixels,
            examples=tuple(map(tuple, self.examples)),
            split=None if manifest is None else (len(manifest.training), len(manifest.validation)),
            problems=self.problems.found(),
        )


def _check_pair(scan: FolderScan, stem: str, tally: _Tally) -> None:
    image_path, segmap_path = scan.images[stem], scan.segmaps[stem]
    photo = _read(read_photo, image_path, tally)
    if photo is not None:
        tally.sizes[photo.size] += 1
    segmap = _read(lambda path: read_ids(path, tally.labels), segmap_path, tally)
    if segmap is not None:
        tally.count(segmap, segmap_path)
        _compare(photo, segmap, image_path, segmap_path, tally)
    if scan.instances is not None and stem in scan.instances:
        instances = _read(read_instances, scan.instances[stem], tally)
        if instances is not None:
            _compare(photo, instances, image_path, scan.instances[stem], tally)


def _read(read: Callable[[Path], Read], path: Path, tally: _Tally) -> Read | None:
    try:
        return read(path)
    except InputError as error:
        tally.problems.add("files that cannot be read", str(error))
        return None


def _compare(photo: SourcePhoto | None, segmap: np.ndarray, image_path: Path, segmap_path: Path, tally: _Tally) -> None:
    if photo is None:
        return
    try:
        check_sizes(photo.image, turned_with(photo, segmap), image_path, segmap_path)
    except InputError as error:
        tally.problems.add("pairs of different size", str(error))


def _compare_with_manifest(scan: FolderScan, manifest: Manifest, problems: Problems) -> None:
    """Note every file that differs from the manifest, and names of the split without a pair."""
    there = {"classes.txt": scan.root / "classes.txt"}
    groups: tuple[Mapping[str, Path], ...] = (scan.images, scan.segmaps, scan.instances or {})
    for group in groups:
        there |= {path.relative_to(scan.root).as_posix(): path for path in group.values()}
    for name in sorted(manifest.checksums.keys() - there):
        problems.add(f"files of {MANIFEST_NAME} that are missing", name)
    for name in sorted(there.keys() - manifest.checksums):
        problems.add(f"files that are not in {MANIFEST_NAME}", name)
    for name in sorted(there.keys() & manifest.checksums):
        try:
            changed = file_checksum(there[name]) != manifest.checksums[name]
        except InputError as error:
            problems.add("files that cannot be read", str(error))
            continue
        if changed:
            problems.add("files that changed since they were prepared", name)
    for stem in sorted(set(manifest.stems) - set(scan.stems)):
        problems.add(f"names in the split of {MANIFEST_NAME} that have no pair", stem)
    for stem in sorted(set(scan.stems) - set(manifest.stems)):
        problems.add(f"pairs that are not in the split of {MANIFEST_NAME}", stem)
