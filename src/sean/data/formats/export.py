"""Export of a data folder to annotation tools, to correct label maps there; `convert` reads the result back."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sean.data.folder import PairedFolder
from sean.data.formats import coco, cvat, labelme, voc
from sean.data.official.prepare import check_apart
from sean.errors import InputError
from sean.files import current_umask, write_text_atomic

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """The writers of a format: for one pair, and for the files that describe all pairs."""

    pair: Callable[[PairedFolder, Path, str], Any]
    finish: Callable[[PairedFolder, Path, Mapping[str, Any]], None]


WRITERS: dict[str, _Writer] = {
    "coco": _Writer(pair=coco.export, finish=coco.finish),
    "voc": _Writer(pair=voc.export, finish=voc.finish),
    "cvat": _Writer(pair=cvat.export, finish=cvat.finish),
    "labelme": _Writer(pair=labelme.export, finish=labelme.finish),
}


def export(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    format: str,
    progress: Progress | None = None,
) -> int:
    """Write the pairs of a data folder in a tool's format, with pictures as links or copies.

    The classes.txt beside them keeps ids, colours and unlabelled pixels for the conversion back.

    Args:
        source: the data folder.
        destination: a new or empty folder.
        format: "coco" (instances), "voc" (CVAT imports it as segmentation mask 1.1), "cvat" (CVAT for images 1.1) or
            "labelme".
        progress: called with (pairs done, pairs in all) after each pair.

    Returns:
        The number of pairs.

    Raises:
        InputError: an unknown format, labels that it cannot hold, a pair that cannot be read, or a destination that
            cannot be used or written.
    """
    if format not in WRITERS:
        raise InputError(f"unknown format {format!r}; those that can be written: {', '.join(WRITERS)}")
    folder = PairedFolder.open(source)
    destination = Path(destination)
    check_apart(Path(source), destination)
    writer = WRITERS[format]
    parts = {}
    with _whole_folder(destination) as beginning:
        for done, stem in enumerate(folder.stems, start=1):
            parts[stem] = writer.pair(folder, beginning, stem)
            if progress is not None:
                progress(done, len(folder.stems))
        write_text_atomic(beginning / "classes.txt", folder.labels.to_classes_txt())
        writer.finish(folder, beginning, parts)
    return len(parts)


@contextmanager
def _whole_folder(destination: Path) -> Iterator[Path]:
    """A temporary folder that replaces the destination when the block ends, and is deleted if it fails."""
    beginning: Path | None = None
    try:
        _check_new(destination)
        destination.parent.mkdir(parents=True, exist_ok=True)
        beginning = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
        yield beginning
        beginning.chmod(0o777 & ~current_umask())
        beginning.replace(destination)
    except OSError as error:
        raise InputError(f"cannot write {destination}: {error.strerror or error}; choose another folder") from error
    finally:
        if beginning is not None:
            shutil.rmtree(beginning, ignore_errors=True)


def _check_new(destination: Path) -> None:
    if destination.exists() and not destination.is_dir():
        raise InputError(f"expected a folder to write to, but {destination} is a file; choose another name")
    there = sorted(path.name for path in destination.iterdir()) if destination.is_dir() else []
    if there:
        raise InputError(
            f"expected a new or empty folder, but {destination} holds {', '.join(there[:3])}"
            f"{', ...' if len(there) > 3 else ''}; choose another"
        )
