"""The files of an export, and manifest.json, which describes them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sean.errors import InputError
from sean.files import parse_json, read_text
from sean.labels import LabelSet

FORMAT = 1
"""Format version of manifest.json; increases with every change that old readers do not understand."""

MANIFEST_NAME = "manifest.json"
ENCODER_NAME = "encoder.onnx"
FAST_NAME = "generator.onnx"
DENSE_NAME = "generator-dense.onnx"
PARSER_NAME = "parser.onnx"

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of manifest.json.

    Attributes:
        folder: of the export.
        labels: of the model.
        image_size: height and width, in pixels, of the model's input and output.
        parser_size: height and width of the parser's input; None without a parser.
        code_dim: numbers of a style code.
        num_blocks: SEAN ResBlks that take styles.
        instance_edges: whether the generator takes the edges of instances.
        digests: SHA-256 of every ONNX file, by name.
    """

    folder: Path
    labels: LabelSet
    image_size: Size
    parser_size: Size | None
    code_dim: int
    num_blocks: int
    instance_edges: bool
    digests: dict[str, str]

    def read(self, name: str) -> bytes:
        """A file of the export; InputError if it is missing or has changed since the export."""
        path = self.folder / name
        if name not in self.digests or not path.is_file():
            raise InputError(f"expected {name} in the export {self.folder}, found none; export the model again")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.digests[name]:
            raise InputError(f"{path} is damaged or is not the file that {MANIFEST_NAME} speaks of; copy it again")
        return data


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an export.

    Raises:
        InputError: no such folder, no export, or one of a newer version.
    """
    path = folder / MANIFEST_NAME
    try:
        raw: dict[str, Any] = parse_json(read_text(path))
        if raw["format"] != FORMAT:
            raise InputError(f"{path} has the format {raw['format']}, expected {FORMAT}; update sean")
        return Manifest(
            folder=folder,
            labels=LabelSet.from_dict(raw["labels"]),
            image_size=_size(raw["image_size"]),
            parser_size=None if raw["parser_size"] is None else _size(raw["parser_size"]),
            code_dim=_positive(raw["code_dim"]),
            num_blocks=_positive(raw["num_blocks"]),
            instance_edges=bool(raw["instance_edges"]),
            digests={str(name): str(row["sha256"]) for name, row in raw["files"].items()},
        )
    except FileNotFoundError as error:
        raise InputError(f"expected a folder that sean export has written, found no {path}") from error
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); export the model again") from error


def _size(values: Any) -> Size:
    height, width = values
    return _positive(height), _positive(width)


def _positive(value: Any) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(f"expected a positive size, got {value!r}")
    return number
