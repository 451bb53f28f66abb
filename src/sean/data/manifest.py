"""manifest.json of a prepared folder: its source, its split, and a checksum of every file."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sean.errors import InputError
from sean.files import is_file, parse_json, read_text, write_text_atomic

MANIFEST_NAME = "manifest.json"
UNFINISHED_NAME = "preparing.json"
"""Marks a folder under preparation; the manifest replaces it at the end."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of a prepared folder.

    Attributes:
        source: the data set's name.
        training, validation: stems of the pairs of either part, sorted.
        checksums: SHA-256 of every file of the pairs and of classes.txt, by its path in the folder.
        size: shorter side in pixels that the pairs were shrunk to; None if they kept their size.
        origin: a digest that tells the files that a conversion was made of from others; None if there is none.
    """

    source: str
    training: tuple[str, ...]
    validation: tuple[str, ...]
    checksums: Mapping[str, str]
    size: int | None = None
    origin: str | None = None

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems of both parts, sorted."""
        return tuple(sorted((*self.training, *self.validation)))


def file_checksum(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file in hexadecimal digits.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error


def write_manifest(root: str | os.PathLike[str], manifest: Manifest) -> None:
    """Write the manifest into its folder, atomically."""
    write_text_atomic(Path(root) / MANIFEST_NAME, json.dumps(asdict(manifest), indent=1) + "\n")


def read_manifest(root: str | os.PathLike[str]) -> Manifest | None:
    """The manifest of a folder; None if it has none, as folders made by hand.

    Raises:
        InputError: the folder was not prepared to the end, or its manifest is damaged.
    """
    path = Path(root) / MANIFEST_NAME
    if is_file(Path(root) / UNFINISHED_NAME):
        raise InputError(f"{root} is not prepared to the end; run the same `sean data prepare` again to finish it")
    if not is_file(path):
        return None
    try:
        raw = parse_json(read_text(path))
        return Manifest(
            source=str(raw["source"]),
            training=_stems(raw["training"]),
            validation=_stems(raw["validation"]),
            checksums={str(name): str(digest) for name, digest in raw["checksums"].items()},
            size=None if raw.get("size") is None else int(raw["size"]),
            origin=None if raw.get("origin") is None else str(raw["origin"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); prepare the folder again") from error


def _stems(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list of stems, got {type(value).__name__}")
    return tuple(map(str, value))
