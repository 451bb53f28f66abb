"""Paired folders from photos without label maps: a parser labels them, and photos with uncertain labels are left out.

The score of a picture is the mean over its regions of the parser's mean probability in the region. A face with certain
hair but uncertain eyes therefore has a low score, as it is a bad example for eyes.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sean.data.folder import IMAGE_SUFFIXES
from sean.errors import InputError
from sean.files import link_or_copy, parse_json, remove_unfinished, write_text_atomic
from sean.images import read_image, write_image
from sean.labels import LabelSet
from sean.parsing.faces.crop import Crop, cut
from sean.parsing.faces.landmarks import has_landmarks
from sean.parsing.faces.search import find_face
from sean.parsing.segmenter import Segmenter
from sean.segmap import write_segmap

RECORD_NAME = "parsing.jsonl"
"""File in the folder: the settings, then a line for each picture."""

_SMALLEST_REGION = 0.001
"""Smaller regions do not count in the score, as their probability is that of their edges."""
_LARGEST_CUT = 1024
_IGNORE_ID = 255
_SHOWN_NAMES = 5

NOT_READABLE = "not readable"
NO_FACE = "no face found"
NOT_SURE = "the parser is not sure"

CropMode = Literal["auto", "none"]


@dataclass(frozen=True, kw_only=True)
class LabellingSettings:
    """Selection of photos and pixels.

    Attributes:
        least_score: pictures with a lower score are left out.
        ignore_below: pixels with a lower probability are left unlabelled; 0 labels all.
        crop: "auto" crops the square of the largest face if the labels are those of faces; "none" keeps whole pictures.
    """

    least_score: float = 0.8
    ignore_below: float = 0.0
    crop: CropMode = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.least_score <= 1 or not 0 <= self.ignore_below < 1:
            raise InputError(
                "expected a least score in 0..1 and a probability below which pixels are ignored in [0, 1), got "
                f"{self.least_score} and {self.ignore_below}"
            )


@dataclass(frozen=True, kw_only=True)
class LabellingReport:
    """The labelled photos and the photos left out.

    Attributes:
        folder: the paired folder.
        kept: score of each labelled picture.
        dropped: reason and, if known, score of each picture left out.
        unlabelled_share: fraction of unlabelled pixels in the labelled pictures.
    """

    folder: Path
    kept: Mapping[str, float]
    dropped: Mapping[str, tuple[str, float | None]]
    unlabelled_share: float

    def text(self) -> str:
        """The report in lines."""
        lines = [f"{self.folder}: {len(self.kept)} pictures labelled, {len(self.dropped)} left out"]
        if self.kept:
            low, middle, high = np.quantile(list(self.kept.values()), (0.05, 0.5, 0.95))
            lines.append(f"  scores of the labelled: median {middle:.3f}, from {low:.3f} to {high:.3f} (5 % and 95 %)")
        if self.unlabelled_share:
            lines.append(f"  {100 * self.unlabelled_share:.1f} % of their pixels are left unlabelled")
        for reason, count in Counter(reason for reason, _ in self.dropped.values()).most_common():
            names = [
                name if score is None else f"{name} ({score:.3f})"
                for name, (why, score) in self.dropped.items()
                if why == reason
            ]
            more = ", ..." if count > _SHOWN_NAMES else ""
            lines.append(f"  left out, {reason}: {count} ({', '.join(names[:_SHOWN_NAMES])}{more})")
        lines.append(f"  each picture's score: {self.folder / RECORD_NAME}")
        return "\n".join(lines)


def label_pictures(
    pictures: Mapping[str, Path],
    parser: Segmenter,
    destination: str | Path,
    settings: LabellingSettings,
    progress: Callable[[int, int], None] | None = None,
) -> LabellingReport:
    """Write pictures with their label maps by a parser as a paired folder, without uncertain pictures.

    Whole pictures are linked, or copied if the file system has no links; cropped faces are written as JPEG of at most
    1024 pixels. After an interrupt the same call continues; a later call labels new photos only.

    Args:
        pictures: files by name, see `sean.data.pictures.find_pictures`.
        parser: parser with the labels of the folder.
        destination: a new folder, or a folder of this function with the same parser and settings.
        settings: selection of photos.
        progress: called with (done, total) after every picture.

    Raises:
        InputError: the destination holds something else, has other settings or other pictures of the same names, or
            cannot be written; or no picture is kept.
    """
    target = Path(destination)
    labels = parser.labels
    if (settings.ignore_below or parser.sees_others) and labels.ignore_id is None:
        labels = replace(labels, ignore_id=max(_IGNORE_ID, labels.num_regions))
    header = {"parser": parser.name, "labels": list(labels.names), **asdict(settings)}
    done = _continued(target, header)
    _check_pictures(target, done, pictures)
    for count, (name, path) in enumerate(pictures.items(), start=1):
        if name not in done:
            done[name] = {**_label(name, path, parser, labels, target, settings), "bytes": path.stat().st_size}
            _append(target / RECORD_NAME, json.dumps({"name": name, **done[name]}) + "\n")
        if progress is not None:
            progress(count, len(pictures))
    report = _report(target, {name: done[name] for name in pictures})
    if not report.kept:
        raise InputError(
            f"no picture is left to label; {'; '.join(line.strip() for line in report.text().splitlines()[1:-1])}"
        )
    write_text_atomic(target / "classes.txt", labels.to_classes_txt())
    return report


def _check_pictures(target: Path, done: dict[str, dict[str, Any]], pictures: Mapping[str, Path]) -> None:
    """Take changed pictures that were left out from what is done, to look at them again.

    Raises:
        InputError: a labelled picture has become another one; its map, perhaps corrected by hand, would be lost.
    """
    for name, path in pictures.items():
        if name not in done or done[name].get("bytes", path.stat().st_size) == path.stat().st_size:
            continue
        if "dropped" not in done[name]:
            raise InputError(
                f"{target} has the label map of another picture named {name} than {path}; rename the picture, or "
                "choose another folder"
            )
        del done[name]


def _append(path: Path, line: str) -> None:
    """Write a line at the end of a file."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space or make the folder writable, and run "
            "this again"
        ) from error


def _label(
    name: str, path: Path, parser: Segmenter, labels: LabelSet, target: Path, settings: LabellingSettings
) -> dict[str, Any]:
    """Label one photo; returns its entry in the record."""
    try:
        image = read_image(path)
    except InputError as error:
        return {"dropped": NOT_READABLE, "detail": str(error)}
    crop = None
    if settings.crop == "auto" and has_landmarks(labels):
        crop = find_face(image, parser)
        if crop is None:
            return {"dropped": NO_FACE}
        height, width = image.shape[:2]
        if crop == Crop.whole((height, width)):
            crop = None
        else:
            image = cut(image, crop, min(_LARGEST_CUT, max(1, round(crop.size))))
    parsed = parser.parse(image)
    score = picture_score(parsed.segmap, parsed.confidence, labels.num_regions)
    if score < settings.least_score:
        return {"dropped": NOT_SURE, "score": score}
    unsure = parsed.confidence < settings.ignore_below
    segmap = np.where(unsure, labels.num_regions, parsed.segmap)
    unlabelled = float((segmap == labels.num_regions).mean())
    if crop is not None or path.suffix.lower() not in IMAGE_SUFFIXES:
        write_image(target / "images" / f"{name}.jpg", image)
    else:
        link_or_copy(path, target / "images" / path.name)
    write_segmap(target / "labels" / f"{name}.png", segmap, labels)
    return {"score": score, "unlabelled": unlabelled}


def picture_score(segmap: np.ndarray, confidence: np.ndarray, num_regions: int) -> float:
    """The mean over the regions of a picture of the mean probability in the region, without tiny regions.

    Args:
        segmap: int64 [h, w].
        confidence: [h, w], probability of the label.
        num_regions: k; the id k, "no region", counts as a region.
    """
    pixels = np.bincount(segmap.ravel(), minlength=num_regions + 1)
    sums = np.bincount(segmap.ravel(), weights=confidence.ravel(), minlength=num_regions + 1)
    counted = pixels >= max(1, _SMALLEST_REGION * segmap.size)
    return float((sums[counted] / pixels[counted]).mean())


def _continued(target: Path, header: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries that an earlier call recorded; starts the record if there is no earlier call."""
    path = target / RECORD_NAME
    if not path.exists():
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(f"expected a new or empty folder, or one begun by this command, but got {target}")
        write_text_atomic(path, json.dumps(header) + "\n")
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        begun = parse_json(lines[0])
        entries = []
        for number, line in enumerate(lines[1:], start=2):
            try:
                entries.append(parse_json(line))
            except ValueError:
                if number < len(lines):
                    raise
                # the last line is cut off; its picture is labelled again
                write_text_atomic(path, "\n".join(lines[:-1]) + "\n")
        done = {str(entry.pop("name")): entry for entry in entries}
    except (OSError, IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}); remove the folder and label anew") from error
    if begun != header:
        differing = [name for name in header if begun.get(name) != header[name]]
        raise InputError(
            f"{target} was begun with other settings ({', '.join(differing)}); give the same, or another folder"
        )
    for folder in filter(Path.is_dir, (target / "images", target / "labels")):
        remove_unfinished(folder)
    return {
        name: entry for name, entry in done.items() if "dropped" in entry or (target / f"labels/{name}.png").is_file()
    }


def _report(target: Path, done: Mapping[str, dict[str, Any]]) -> LabellingReport:
    kept = {name: entry for name, entry in done.items() if "dropped" not in entry}
    return LabellingReport(
        folder=target,
        kept={name: entry["score"] for name, entry in kept.items()},
        dropped={name: (entry["dropped"], entry.get("score")) for name, entry in done.items() if "dropped" in entry},
        unlabelled_share=float(np.mean([entry["unlabelled"] for entry in kept.values()])) if kept else 0.0,
    )
