"""The run that makes copies of a whole set: shared by processes, restartable, with a record of every copy's styles.

The pictures are assigned to the processes by index. Each process writes its copies and, last of all, a record of each;
the process that finds all records finishes the folder. The processes therefore exchange no messages, and a run that was
killed, or that is continued with another number of processes, gives the same files.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sean.augmentation.recipes import Recipe, RecipeBook, copy_name, parts_of
from sean.augmentation.restyler import Restyler
from sean.augmentation.settings import AugmentSettings
from sean.data.folder import PairedFolder, composed
from sean.data.manifest import MANIFEST_NAME, UNFINISHED_NAME, Manifest, file_checksum, write_manifest
from sean.data.paired import Pair, PairSource
from sean.data.shards.source import holds_shards
from sean.data.splits import Split, open_split
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.metrics import confusion_matrix, segmentation_scores
from sean.evaluation.streaming import digest_of
from sean.files import link_or_copy, parse_json, remove_unfinished, write_text_atomic
from sean.images import image_to_tensor, save_image, write_image
from sean.labels import LabelSet
from sean.models.weights import network_digest
from sean.parsing.segmenter import Segmenter
from sean.segmap import write_segmap

Progress = Callable[[int, int], None]
HEADER_NAME = "augmentation.json"
STYLES_NAME = "styles.jsonl"
_RECORDS = ".records"
_FOLDERS = ("images", "instances", "labels")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """The check that every copy must pass.

    Attributes:
        segmenter: reads the copies; its labels are those of the data.
        least_miou: lowest mIoU in 0..1 of the segmenter's map and the copy's; copies below it are dropped.
    """

    segmenter: Segmenter
    least_miou: float


@dataclass(frozen=True, kw_only=True)
class AugmentReport:
    """The content of a finished folder of copies, or the share that this process has done.

    Attributes:
        root: the folder.
        sources, kept, dropped: pictures, copies of them, and copies that the filter dropped.
        made: copies that this call made.
        seconds: duration of the call.
        miou_sources, miou_before, miou_after: mean agreement of the segmenter's maps with the labels: in the pictures,
            in all copies, in those that were kept; None without a segmenter.
        least_miou: the filter's bound; None without a segmenter.
        finished: whether the folder is complete; if not, other processes are still working.
    """

    root: Path
    sources: int
    kept: int
    dropped: int
    made: int
    seconds: float
    miou_sources: float | None = None
    miou_before: float | None = None
    miou_after: float | None = None
    least_miou: float | None = None
    finished: bool = True

    def text(self) -> str:
        """The report for a reader."""
        speed = f", {self.made / self.seconds:.2f} pictures a second" if self.made and self.seconds else ""
        if not self.finished:
            return (
                f"{self.made} copies are made{speed}; the folder {self.root} is finished when the other processes are, "
                "or by the same command once more"
            )
        lines = [f"{self.root}: {self.kept} copies of {self.sources} pictures, {self.made} made now{speed}"]
        if self.miou_before is not None and self.miou_sources is not None:
            after = "none is left" if self.miou_after is None else f"{self.miou_after:.3f} in those kept"
            lines.append(
                f"dropped {self.dropped}; mIoU of the segmenter {self.miou_sources:.3f} in the pictures, "
                f"{self.miou_before:.3f} in all copies, {after}"
            )
            if self.least_miou is not None and self.miou_sources < self.least_miou:
                lines.append(
                    f"the segmenter does not reach the bound of {self.least_miou:g} in the pictures themselves: take a "
                    "lower bound or a better segmenter"
                )
        return "\n".join(lines)


def augment(
    model: SEANPipeline,
    data: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    settings: AugmentSettings | None = None,
    *,
    originals: bool = False,
    check: Filter | None = None,
    validation: float | str | None = None,
    training_prefix: str = "",
    rank: int = 0,
    world_size: int = 1,
    progress: Progress | None = None,
) -> AugmentReport:
    """Make restyled copies of the training part of a set; the held-out part is neither restyled nor a source of styles.

    Args:
        model: of the labels of the data.
        data: a paired folder, or a folder or url of shards.
        destination: a new or empty folder, or the one of an earlier run with the same settings.
        settings: of the augmentation; None takes the defaults.
        originals: also link the pictures themselves, and the held-out ones as the held-out part, so that the folder is
            ready for training.
        check: drops copies in which a segmenter does not find the labels.
        validation, training_prefix: the split, see `sean.data.splits.open_split`.
        rank, world_size: number of this process, and of all.
        progress: called with (copies done, copies in all of this process).

    Raises:
        InputError: other labels, nothing to restyle, or a destination that cannot be used or written.
    """
    settings = settings or AugmentSettings()
    started = time.perf_counter()
    split = open_split(data, model.labels, validation=validation, training_prefix=training_prefix)
    if split.training is None:
        raise InputError(f"{data} has no training pairs; hold out fewer")
    source, root = _Pictures(split.training), Path(destination)
    linked = None
    if originals:
        linked = _Originals.of(data, split)
        linked.check_names(_copy_names(source.names, settings))
    header = _header(model, data, settings, source.names, split.labels, linked, check)
    made = 0
    if not _is_finished(root, header):
        bank = [torch.nonzero(style.present).flatten().tolist() for style in model.style_bank]
        parts = {name: parts_of(source.read(name), model.labels.num_regions, settings) for name in source.names}
        book = RecipeBook(parts, model.labels, settings, bank)
        write_text_atomic(root / UNFINISHED_NAME, json.dumps(header, indent=1) + "\n")
        made = _make_share(root, model, source, book, split.labels, settings, check, (rank, world_size), progress)
        if not _finish(root, source.names, settings, split.labels, header, linked):
            seconds = time.perf_counter() - started
            sources = len(source.names[rank::world_size])
            return AugmentReport(
                root=root, sources=sources, kept=0, dropped=0, made=made, seconds=seconds, finished=False
            )
    return _finished_report(root, made, time.perf_counter() - started)


class _Pictures:
    """Pairs by name."""

    def __init__(self, source: PairSource) -> None:
        self._source = source
        self._indices = {source.name(index): index for index in range(len(source))}
        self.names = tuple(sorted(self._indices))

    def read(self, name: str) -> Pair:
        return self._source.read(self._indices[name])


@dataclass(frozen=True, kw_only=True)
class _Originals:
    """The files of the set itself, and its split."""

    folder: PairedFolder
    training: tuple[str, ...]
    validation: tuple[str, ...]

    @classmethod
    def of(cls, data: str | os.PathLike[str], split: Split) -> "_Originals":
        if holds_shards(data):
            raise InputError(f"expected a paired folder whose pictures can be linked, got shards at {data}")
        names = [
            [] if part is None else map(part.name, range(len(part))) for part in (split.training, split.validation)
        ]
        return cls(folder=PairedFolder.open(data), training=tuple(names[0]), validation=tuple(names[1]))

    def check_names(self, copies: Iterable[str]) -> None:
        """Raise InputError if a copy would have the name of a picture, as in a set that holds copies already."""
        taken = sorted({*self.training, *self.validation}.intersection(copies))
        if taken:
            raise InputError(
                f"expected other names than those of the copies to make, but {self.folder.root} has "
                f"{', '.join(taken[:3])}{', ...' if len(taken) > 3 else ''}; rename these pictures and their maps, or "
                "make the copies without the originals",
                setting="originals",
            )

    def link(self, root: Path) -> None:
        for stem in (*self.training, *self.validation):
            for kind, files in zip(
                _FOLDERS, (self.folder.images, self.folder.instances, self.folder.segmaps), strict=True
            ):
                if files is not None:
                    link_or_copy(files[stem], root / kind / files[stem].name)


def _copy_names(names: Iterable[str], settings: AugmentSettings) -> list[str]:
    """The names of all copies."""
    return [copy_name(name, copy) for name in names for copy in range(1, settings.copies + 1)]


def _header(
    model: SEANPipeline,
    data: str | os.PathLike[str],
    settings: AugmentSettings,
    names: Sequence[str],
    labels: LabelSet,
    linked: _Originals | None,
    check: Filter | None,
) -> dict[str, Any]:
    """The settings that determine the content of the folder.

    The names belong to them, as another split of the data may have as many pictures; held-out ones only if they are
    linked.
    """
    held_out = None if linked is None else sorted(linked.validation)
    return {
        "model": network_digest(model.model),
        "data": str(data),
        "pictures": len(names),
        "split": digest_of({"training": sorted(names), "held_out": held_out}),
        "labels": digest_of({"classes": labels.to_classes_txt()}),
        "settings": json.loads(json.dumps(asdict(settings))),
        "originals": linked is not None,
        "segmenter": None if check is None else check.segmenter.name,
        "least_miou": None if check is None else check.least_miou,
    }


def _is_finished(root: Path, header: Mapping[str, Any]) -> bool:
    """Whether the folder is finished. If not, it is new, empty, or was begun with the same header.

    Raises:
        InputError: it was made with other settings, or holds something else.
    """
    for name in (HEADER_NAME, UNFINISHED_NAME):
        if (root / name).is_file():
            try:
                begun = parse_json((root / name).read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(f"{root / name} is damaged ({error}); remove {root}, and make it anew") from error
            if not isinstance(begun, dict):
                raise InputError(f"{root / name} is damaged (no JSON object); remove {root}, and make it anew")
            other = [key for key in header if key in begun and begun[key] != header[key]]
            if other:
                raise InputError(
                    f"{root} was made with other {', '.join(other)}; give the same settings to finish it, or another "
                    "folder"
                )
            unknown = [key for key in header if key not in begun]
            if unknown:
                raise InputError(
                    f"{root / name} does not say with which {', '.join(unknown)} the folder was made: it is of an "
                    "earlier version or of another command; choose another folder"
                )
            if name == HEADER_NAME and not (root / UNFINISHED_NAME).is_file():
                return True
    there = sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) if root.is_dir() else []
    if there and not (root / UNFINISHED_NAME).is_file():  # a second look, as another process may just have begun
        raise InputError(f"expected a new or empty folder, but {root} holds {', '.join(there[:3])}; choose another")
    if root.exists() and not root.is_dir():
        raise InputError(f"expected a folder to write copies to, but {root} is a file; choose another name")
    return False


def _make_share(
    root: Path,
    model: SEANPipeline,
    source: _Pictures,
    book: RecipeBook,
    labels: LabelSet,
    settings: AugmentSettings,
    check: Filter | None,
    place: tuple[int, int],
    progress: Progress | None,
) -> int:
    """Make the missing copies of this process's pictures; returns their number.

    Maps are written with the labels of the data: those of the model may lack an id for unlabelled pixels, or have
    another one than the linked originals.
    """
    restyler = Restyler(model, source.read, settings)
    rank, world_size = place
    mine = source.names[rank::world_size]
    made = 0
    for done, name in enumerate(mine, start=1):
        recipes = [book.recipe(name, copy) for copy in range(1, settings.copies + 1)]
        missing = [recipe for recipe in recipes if _record(root, recipe.name) is None]
        pair = source.read(name) if missing else None
        score = None if pair is None or check is None else _miou(check.segmenter, pair)
        for recipe in missing:
            assert pair is not None
            _write_copy(root, restyler.copy(pair, recipe), recipe, labels, check, score)
            made += 1
        if progress is not None:
            progress(done * settings.copies, len(mine) * settings.copies)
    return made


def _write_copy(
    root: Path, copy: Pair, recipe: Recipe, labels: LabelSet, check: Filter | None, source_score: float | None
) -> None:
    """Write the copy if it passes the check, and its record in any case."""
    score = None if check is None else _miou(check.segmenter, copy)
    kept = check is None or (score is not None and score >= check.least_miou)
    if kept:
        write_image(root / "images" / f"{recipe.name}.jpg", copy.image)
        if copy.instances is not None:
            numbers = Image.fromarray(copy.instances.astype(np.uint16))
            save_image(root / "instances" / f"{recipe.name}.png", numbers)
        write_segmap(root / "labels" / f"{recipe.name}.png", copy.segmap, labels)
    record = {**recipe.to_dict(labels), "kept": kept, "miou": score, "source_miou": source_score}
    write_text_atomic(root / _RECORDS / f"{recipe.name}.json", json.dumps(record) + "\n")


def _record(root: Path, name: str) -> dict[str, Any] | None:
    """The record of a copy; None if it is not made yet or its files are missing."""
    path = root / _RECORDS / f"{name}.json"
    try:
        record: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    files = (root / "images" / f"{name}.jpg", root / "labels" / f"{name}.png")
    return record if not record["kept"] or all(file.is_file() for file in files) else None


@torch.inference_mode()
def _miou(segmenter: Segmenter, pair: Pair) -> float | None:
    """mIoU of a segmenter's map of the picture and its label map, in 0..1."""
    truth = segmenter.scored(torch.from_numpy(pair.segmap).unsqueeze(0))
    predicted = segmenter(image_to_tensor(pair.image).unsqueeze(0)).cpu()
    matrix = confusion_matrix(predicted, truth, segmenter.labels.num_regions)
    score: float | None = segmentation_scores(matrix, segmenter.labels.names)["miou"]
    return score


def _finish(
    root: Path,
    names: Sequence[str],
    settings: AugmentSettings,
    labels: LabelSet,
    header: Mapping[str, Any],
    linked: _Originals | None,
) -> bool:
    """Write the files that describe the whole folder once all copies exist; returns whether they do.

    Two processes that finish at the same time write the same files.
    """
    stems = _copy_names(names, settings)
    records = [record for stem in stems if (record := _record(root, stem)) is not None]
    if len(records) < len(stems):
        return (root / MANIFEST_NAME).is_file() and not (root / UNFINISHED_NAME).is_file()
    if linked is not None:
        linked.link(root)
    write_text_atomic(root / "classes.txt", labels.to_classes_txt())
    write_text_atomic(root / STYLES_NAME, "".join(json.dumps(record) + "\n" for record in records))
    kept = tuple(record["name"] for record in records if record["kept"])
    training, validation = ((), ()) if linked is None else (linked.training, linked.validation)
    stems_there = {*kept, *training, *validation}
    paths = [
        path
        for folder in _FOLDERS
        if (root / folder).is_dir()
        for path in sorted((root / folder).iterdir())
        if composed(path.stem) in stems_there
    ]
    manifest = Manifest(
        source=f"copies of {Path(str(header['data'])).name}",
        training=tuple(sorted((*kept, *training))),
        validation=tuple(sorted(validation)),
        checksums={path.relative_to(root).as_posix(): file_checksum(path) for path in [*paths, root / "classes.txt"]},
    )
    write_manifest(root, manifest)
    write_text_atomic(root / HEADER_NAME, json.dumps(header, indent=1) + "\n")
    (root / UNFINISHED_NAME).unlink(missing_ok=True)
    shutil.rmtree(root / _RECORDS, ignore_errors=True)
    for folder in filter(Path.is_dir, (root / name for name in _FOLDERS)):
        remove_unfinished(folder)
    return True


def _finished_report(root: Path, made: int, seconds: float) -> AugmentReport:
    """The report on a finished folder."""
    lines = (root / STYLES_NAME).read_text(encoding="utf-8").splitlines()
    records = [parse_json(line) for line in lines]
    sources = {record["source"]: record["source_miou"] for record in records}
    kept = [record for record in records if record["kept"]]

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    return AugmentReport(
        root=root,
        sources=len(sources),
        kept=len(kept),
        dropped=len(records) - len(kept),
        made=made,
        seconds=seconds,
        miou_sources=mean(sources.values()),
        miou_before=mean(record["miou"] for record in records),
        miou_after=mean(record["miou"] for record in kept),
        least_miou=parse_json((root / HEADER_NAME).read_text(encoding="utf-8")).get("least_miou"),
    )
