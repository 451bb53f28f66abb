"""Preparation of an official download as a paired folder: parallel, and restartable after any interruption.

File names come first: a download in which some do not fit is refused before anything is decoded or written. Then each
item is read, checked and written by itself, in several processes; problems are collected over all items. The folder
gets its classes.txt and its manifest only when every item is sound; until then a marker shows that it is unfinished,
and the same call continues. The destination must be new, begun with the same settings, or finished: no file of another
origin is overwritten or mixed in. However the run ends (items done, Ctrl-C, an error, a killed process), its worker
processes end as well.
"""

import functools
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from sean.data.check import Problem, Problems
from sean.data.manifest import MANIFEST_NAME, UNFINISHED_NAME, Manifest, file_checksum, read_manifest, write_manifest
from sean.data.official.item import Job, Outcome, output_paths, prepare_item
from sean.data.official.layout import Item, Listing, OfficialDataset
from sean.data.official.registry import official_dataset
from sean.errors import InputError
from sean.files import parse_json, remove_unfinished, write_text_atomic
from sean.labels import LabelSet

Work = TypeVar("Work")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]

FOLDERS = ("images", "instances", "labels")


@dataclass(frozen=True, kw_only=True)
class FolderResult:
    """The result of a run that makes a data folder.

    Attributes:
        root: the data folder.
        labels: its label set.
        training, validation: number of pairs of either part.
        made, kept: pairs that this run made, and those that were there and sound; both 0 if the folder was already
            finished.
        present: ids that occur in some map.
        problems: faults to correct in the source, by kind; with any, the folder is not finished.
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

    @property
    def _split(self) -> str:
        """The numbers of pairs."""
        return f"{self.training + self.validation} pairs: {self.training} training, {self.validation} validation"

    def _made(self, title: str) -> list[str]:
        """Lines on a finished folder."""
        lines = [f"{self.root}: {title}", f"labels that occur: {len(self.present)} of {self.labels.num_regions}"]
        if self.kept:
            lines.append(f"{self.kept} pairs were there from an earlier run, {self.made} were made now")
        return lines


class Preparation(FolderResult):
    """The result of a preparation."""

    def text(self) -> str:
        """The result for a reader: the counts, or the problems with file names."""
        lines = [line for problem in self.problems for line in (*problem.lines(), "")]
        if not self.ok:
            made = f"{self.made + self.kept} of {self.training + self.validation} pairs are made in {self.root}"
            return "\n".join([*lines, made if self.made + self.kept else "nothing was written"]) + "\n"
        title = f"{self.labels.name}, {self._split}"
        if not self.made + self.kept:
            return f"{self.root} is prepared already as {title}; to verify it: sean data check {self.root}\n"
        return "\n".join(self._made(title)) + "\n"


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
        destination: a new or empty folder, or the one of an earlier run with the same settings and download.
        size: shorter side in pixels that larger pairs are shrunk to; None takes the data set's default.
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
        if source.exists():  # the download of a finished folder may have been deleted
            found = dataset.find(source)
            check_made_of(destination, manifest, [path for item in found.items for path in output_paths(item)], source)
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
    """Process all items; adds their problems to `problems`, in the order of the items."""
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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that determine the content of a prepared folder; stored in it until it is finished.

    Attributes:
        source: the data set's name.
        size: shorter side in pixels to shrink to; None keeps the size.
        download: the folder of the download, absolute.
    """

    source: str
    size: int | None
    download: str

    def text(self) -> str:
        """The settings as text."""
        return f"{_words(self.source, self.size)} from {self.download}"


def check_apart(source: Path, destination: Path) -> None:
    """Raise InputError if the two folders are the same or one contains the other."""
    inner, outer = destination.resolve(), source.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise InputError(
            f"expected two folders apart from each other, but {destination} and {source} are the same or one holds "
            "the other; prepare into a folder outside the download"
        )


def finished(destination: Path, source: str, size: int | None) -> Manifest | None:
    """The manifest of a finished folder; None if it is not finished.

    Raises:
        InputError: it is finished with other settings, or its manifest is damaged.
    """
    if (destination / UNFINISHED_NAME).exists():
        return None
    manifest = read_manifest(destination)
    if manifest is not None and (manifest.source, manifest.size) != (source, size):
        raise InputError(
            f"{destination} is prepared already, as {_words(manifest.source, manifest.size)}, "
            f"not {_words(source, size)} as asked for; choose another folder"
        )
    return manifest


def check_made_of(
    destination: Path,
    manifest: Manifest,
    outputs: Collection[str],
    source: Path,
    *,
    origin: str | None = None,
    may_lack: bool = False,
) -> None:
    """Raise InputError unless a finished folder was made of what its source holds now.

    Args:
        destination: the folder.
        manifest: its manifest.
        outputs: the files that the source gives, relative to the folder.
        source: for the message.
        origin: the digest of the source, see `Manifest.origin`; None for a data set whose files never change.
        may_lack: whether a folder without such a digest may lack files, those of damaged pictures that were skipped.
    """
    if origin is not None and manifest.origin == origin:
        return
    there = set(manifest.checksums) - {"classes.txt"}
    can_lack = may_lack and manifest.origin is None
    other = sorted(there.difference(outputs) if can_lack else there.symmetric_difference(outputs))
    if not other and manifest.origin is None:
        return
    difference = f"{len(other)} files differ, the first is {other[0]}" if other else "pictures or labels have changed"
    raise InputError(
        f"{destination} is finished already, but was not made of what {source} holds now ({difference}); choose "
        "another folder"
    )


def check_unfinished(destination: Path, settings: Settings) -> None:
    """Raise InputError unless the folder is new or empty, or was begun with these settings."""
    if destination.exists() and not destination.is_dir():
        raise InputError(f"expected a folder to prepare into, but {destination} is a file; choose another name")
    marker = destination / UNFINISHED_NAME
    if marker.exists():
        begun = _read_marker(marker)
        if begun != settings:
            raise InputError(
                f"{destination} was begun as {begun.text()}, not {settings.text()}; give the same settings "
                "to finish it, or another folder"
            )
        return
    entries = destination.iterdir() if destination.exists() else ()
    there = sorted(path.name for path in entries if not path.name.startswith("."))
    if there:
        raise InputError(
            f"expected a new or empty folder, but {destination} holds {', '.join(there[:3])}"
            f"{', ...' if len(there) > 3 else ''} and neither {UNFINISHED_NAME} nor {MANIFEST_NAME}; choose another"
        )


def begin(destination: Path, settings: Settings, outputs: Collection[str]) -> None:
    """Mark the folder as begun, and delete the temporary files of a killed run.

    Args:
        destination: the folder.
        settings: of the run.
        outputs: the files of the finished folder, relative to it.

    Raises:
        InputError: it holds another file.
    """
    strangers: list[str] = []
    if destination.is_dir():
        remove_unfinished(destination)
    for folder in filter(Path.is_dir, (destination / name for name in FOLDERS)):
        remove_unfinished(folder)
        there = sorted(f"{folder.name}/{path.name}" for path in folder.iterdir() if not path.name.startswith("."))
        strangers += [path for path in there if path not in outputs]
    if strangers:
        raise InputError(
            f"{destination} holds {len(strangers)} files that the download has no pair for ({', '.join(strangers[:3])}"
            f"{', ...' if len(strangers) > 3 else ''}); remove them or choose another folder"
        )
    write_text_atomic(destination / UNFINISHED_NAME, json.dumps(asdict(settings), indent=1) + "\n")


def check_complete(destination: Path, outputs: Collection[str]) -> None:
    """Raise InputError unless the folder has exactly the files of `outputs`."""
    there = {
        f"{folder}/{path.name}"
        for folder in FOLDERS
        if (destination / folder).is_dir()
        for path in (destination / folder).iterdir()
        if not path.name.startswith(".")
    }
    if there != set(outputs):
        first = sorted(there.symmetric_difference(outputs))[0]
        raise InputError(
            f"expected {len(outputs)} files in {destination}, found {len(there)} (the first that differs: {first}); "
            "leave the folder alone while it is prepared, and run the same command again"
        )


def _read_marker(path: Path) -> Settings:
    try:
        raw = parse_json(path.read_text(encoding="utf-8"))
        return Settings(
            source=str(raw["source"]),
            size=None if raw["size"] is None else int(raw["size"]),
            download=str(raw["download"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove the folder and prepare it anew"
        ) from error


def _words(source: str, size: int | None) -> str:
    return f"{source} of " + ("full size" if size is None else f"shorter side {size}")


def map_in_order(
    function: Callable[[Work], Result], items: Sequence[Work], workers: int
) -> Generator[Result, None, None]:
    """The results of all items, in the order of the items; closing the iterator waits for the items in progress.

    Args:
        function: with 2 or more workers it is sent to other processes, as are items and results.
        items: its arguments.
        workers: number of processes; 1 works in this one.

    Raises:
        InputError: a worker was killed. What the function raises is passed on.
    """
    if workers == 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield from pool.map(function, items)
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was ended from outside, as happens when memory runs out; "
            "run the same command again, perhaps with fewer workers",
            setting="workers",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C reaches every process of the terminal: a worker finishes its item, the main process decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_main_process, daemon=True).start()


def _end_with_main_process() -> None:
    """A killed main process cannot end its workers: without this they would wait for work forever."""
    main_process = multiprocessing.parent_process()
    assert main_process is not None
    main_process.join()
    os._exit(1)
