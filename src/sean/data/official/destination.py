"""The folder that a download is prepared into: new, begun with the same settings, or finished; anything else is
refused, so that nothing of another origin is overwritten or mixed in.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from sean.data.manifest import MANIFEST_NAME, UNFINISHED_NAME, Manifest, read_manifest
from sean.errors import InputError
from sean.files import remove_unfinished, write_text_atomic

FOLDERS = ("images", "instances", "labels")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides on the content of a prepared folder; written into it for as long as it is not finished.

    Attributes:
        source: the data set's name.
        size: shorter side in pixels to shrink to; None keeps the size.
        download: the folder of the download, absolute.
    """

    source: str
    size: int | None
    download: str

    def text(self) -> str:
        """The settings in words."""
        return f"{_words(self.source, self.size)} from {self.download}"


def check_apart(source: Path, destination: Path) -> None:
    """Raise InputError where one of the two folders is the other or lies in it."""
    inner, outer = destination.resolve(), source.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise InputError(
            f"expected two folders apart from each other, but {destination} and {source} are the same or one holds "
            "the other; prepare into a folder outside the download"
        )


def finished(destination: Path, source: str, size: int | None) -> Manifest | None:
    """The manifest of a folder that is prepared to the end; None where it is not.

    Raises:
        InputError: it is finished, but as something else, or its manifest is damaged.
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
    """Mark the folder as begun, and clear away the temporary files of a run that was killed.

    Args:
        destination: the folder.
        settings: what it is begun with.
        outputs: the files that will be there in the end, relative to it.

    Raises:
        InputError: it holds a file that is none of them.
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
    """Raise InputError unless exactly the `outputs` lie in the folder."""
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
        raw = json.loads(path.read_text(encoding="utf-8"))
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
