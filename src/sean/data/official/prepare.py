"""The run that turns an official download into a paired folder: parallel, and restartable after any end.

File names first: a download in which some do not fit is refused before anything is decoded or written. Then each
item is read, checked and written on its own, in as many processes as wanted; what is wrong is collected over all
of them. Only when every item is sound does the folder get its classes.txt and its manifest; until then a marker
says that it is unfinished, and the same call goes on where the last one ended.
"""

import functools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sean.data.manifest import UNFINISHED_NAME, Manifest, file_checksum, write_manifest
from sean.data.official.destination import (
    Settings,
    begin,
    check_apart,
    check_complete,
    check_unfinished,
    finished,
)
from sean.data.official.item import Job, Outcome, output_paths, prepare_item
from sean.data.official.layout import Item, Listing, OfficialDataset
from sean.data.official.registry import official_dataset
from sean.data.official.workers import map_in_order
from sean.data.problems import Problem, Problems
from sean.errors import InputError
from sean.files import write_text_atomic
from sean.labels import LabelSet

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What a run did.

    Attributes:
        root: the prepared folder.
        labels: its label set.
        training, validation: number of pairs of either part.
        made, kept: pairs that this run made, and those that were there and sound; both 0 where the folder
            was finished before.
        present: ids that occur in some map.
        problems: what has to be mended in the download, by kind; with any, the folder is not finished.
    """

    root: Path
    labels: LabelSet
    training: int
    validation: int
    made: int = 0
    kept: int = 0
    present: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the folder is finished."""
        return not self.problems

    def text(self) -> str:
        """The result for a reader: the counts, or the problems with file names."""
        lines = [line for problem in self.problems for line in (*problem.lines(), "")]
        split = f"{self.training + self.validation} pairs: {self.training} training, {self.validation} validation"
        if not self.ok:
            made = f"{self.made + self.kept} of {self.training + self.validation} pairs are made in {self.root}"
            return "\n".join([*lines, made if self.made + self.kept else "nothing was written"]) + "\n"
        name, num_regions = self.labels.name, self.labels.num_regions
        if not self.made + self.kept:
            return f"{self.root} is prepared already as {name}, {split}; to verify it: sean data check {self.root}\n"
        lines += [f"{self.root}: {name}, {split}", f"labels that occur: {len(self.present)} of {num_regions}"]
        if self.kept:
            lines.append(f"{self.kept} pairs were there from an earlier run, {self.made} were made now")
        return "\n".join(lines) + "\n"


def prepare(
    name: str,
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    size: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Preparation:
    """Turn the download of an official data set into a paired folder.

    Args:
        name: the data set, see `registry.OFFICIAL`.
        source: the folder of its download.
        destination: a new or empty folder, or the one of an earlier run with the same settings.
        size: shorter side in pixels that larger pairs are shrunk to; None: as usual for the data set.
        workers: number of processes; 1 works in this one, None takes one per processor.
        progress: called with (items done, items in all) after each item.

    Returns:
        The counts; or the problems of the download, and then the folder is not finished.

    Raises:
        InputError: an unknown name, a folder that is no such download, or a destination that cannot be used
            or written.
    """
    dataset = official_dataset(name)
    size = dataset.default_size if size is None else size
    workers = (os.cpu_count() or 1) if workers is None else workers
    if size is not None and size < 1:
        raise InputError(f"expected a size of at least 1 pixel, got {size}")
    if workers < 1:
        raise InputError(f"expected at least 1 worker, got {workers}")
    source, destination = Path(source), Path(destination)
    check_apart(source, destination)
    manifest = finished(destination, name, size)
    if manifest is not None:
        training, validation = len(manifest.training), len(manifest.validation)
        return Preparation(root=destination, labels=dataset.labels, training=training, validation=validation)
    listing = dataset.find(source)
    settings = Settings(source=name, size=size, download=str(listing.root.resolve()))
    check_unfinished(destination, settings)
    problems = _listing_problems(listing)
    if problems:
        return _result(destination, dataset, listing.items, problems)
    outputs = [path for item in listing.items for path in output_paths(item)]
    begin(destination, settings, frozenset(outputs))
    job = Job(name=name, source=listing.root, destination=destination, size=size)
    outcomes = _run(job, listing.items, workers, problems, progress)
    if not problems:
        check_complete(destination, outputs)
        _finish(job, dataset.labels, listing.items, outcomes)
    return _result(destination, dataset, listing.items, problems, outcomes)


def _listing_problems(listing: Listing) -> Problems:
    problems = Problems()
    for kind, line in listing.problems:
        problems.add(kind, line)
    counts = Counter(item.stem for item in listing.items)
    for item in listing.items:
        if counts[item.stem] > 1:
            problems.add("files with the same stem", f"{item.image} is one of {counts[item.stem]} pictures {item.stem}")
    if not listing.items and not problems:
        problems.add("missing pairs", f"there is no picture with a label map in {listing.root}")
    return problems


def _run(job: Job, items: Sequence[Item], workers: int, problems: Problems, progress: Progress | None) -> list[Outcome]:
    """Do all items; what is wrong with them goes to `problems`, in the order of the items."""
    outcomes: list[Outcome] = []
    work = functools.partial(prepare_item, job)
    with closing(map_in_order(work, items, min(workers, len(items)))) as stream:
        for outcome in stream:
            for kind, line in outcome.problems:
                problems.add(kind, line)
            outcomes.append(outcome)
            if progress is not None:
                progress(len(outcomes), len(items))
    return outcomes


def _finish(job: Job, labels: LabelSet, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
    """Write classes.txt and, last of all, the manifest."""
    write_text_atomic(job.destination / "classes.txt", labels.to_classes_txt())
    checksums = {path: digest for outcome in outcomes for path, digest in outcome.checksums.items()}
    checksums["classes.txt"] = file_checksum(job.destination / "classes.txt")
    manifest = Manifest(
        source=job.name,
        training=tuple(sorted(item.stem for item in items if not item.validation)),
        validation=tuple(sorted(item.stem for item in items if item.validation)),
        checksums=dict(sorted(checksums.items())),
        size=job.size,
    )
    write_manifest(job.destination, manifest)
    (job.destination / UNFINISHED_NAME).unlink()


def _result(
    root: Path, dataset: OfficialDataset, items: Sequence[Item], problems: Problems, outcomes: Sequence[Outcome] = ()
) -> Preparation:
    sound = [outcome for outcome in outcomes if not outcome.problems]
    validation = sum(item.validation for item in items)
    return Preparation(
        root=root,
        labels=dataset.labels,
        training=len(items) - validation,
        validation=validation,
        made=sum(not outcome.kept for outcome in sound),
        kept=sum(outcome.kept for outcome in sound),
        present=tuple(sorted({region for outcome in sound for region in outcome.present})),
        problems=problems.found(),
    )
