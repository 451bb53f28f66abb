"""Model folders by name: bundled with the package, local, or from the Hugging Face hub."""

import os
import warnings
from importlib.resources import files
from pathlib import Path

from sean.errors import InputError, Replaced
from sean.files import is_folder, read_text, write_text_atomic
from sean.hub import download_folder

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
WEIGHTS_INDEX_NAME = "model.safetensors.index.json"
"""Index of weights in several files: the file of each tensor, in the format of the hub's libraries."""

SHARDS = "model-*-of-*.safetensors"
BANK_NAME = "style_bank.safetensors"
CARD_NAME = "README.md"
LICENCE_NAME = "LICENSE"
PARSER_NAME = "face-parser"
BUNDLED = "bundled"
DEFAULT_MODEL = "portraits-256"
REPLACED = {"celebamask-mini-128": DEFAULT_MODEL}
"""Bundled models of earlier versions, and those that stand in for them."""

_WEIGHT_FILES = (WEIGHTS_NAME, WEIGHTS_INDEX_NAME, SHARDS)


def bundled_models() -> list[str]:
    """Names of the bundled models, without the parser, which does not render."""
    folder = _bundled_folder()
    names = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG_NAME}")) if folder.is_dir() else []
    return [name for name in names if name != PARSER_NAME]


def find_parser(name: str, what: str = "parser", *, other: str) -> Path:
    """The folder of a parser by name.

    Args:
        name: "bundled" for the face parser that comes with the package, a folder, or a hub id owner/name.
        what: the role of the network, for the message.
        other: other names that the caller accepts, for the message.

    Raises:
        InputError: no such folder, or this installation has no bundled parser.
    """
    if name != BUNDLED:
        if is_folder(name):
            return Path(name)
        if _is_hub_id(name):
            return download_folder(name, [CONFIG_NAME, *_WEIGHT_FILES, CARD_NAME, LICENCE_NAME])
        raise InputError(f"unknown {what} {name!r}; expected {BUNDLED}, the folder of a parser, or {other}")
    folder = _bundled_folder() / PARSER_NAME
    if not (folder / CONFIG_NAME).is_file():
        raise InputError(
            f"this installation has no bundled face parser ({folder} is not there); give another one (the folder of a "
            "parser or segformer:HUB_ID), or a label map"
        )
    return folder


def find_model(
    name: str,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder of a model.

    The name of a bundled model of an earlier version gives the one that stands in for it, with a warning (`Replaced`).

    Args:
        name: a bundled model, a local model folder, or a Hugging Face hub id (owner/name), which is downloaded.
        revision: of a hub id: the branch, tag or commit; None takes the main branch.
        cache_dir: of a hub id: the folder for downloads; None takes the hub client's own.
        token, local_files_only: of a hub id: see `sean.hub.download_folder`.

    Raises:
        InputError: no such model.
    """
    if name in REPLACED and not is_folder(name):
        warnings.warn(f"the model {name} was replaced by {REPLACED[name]}, which is taken", Replaced, stacklevel=2)
        name = REPLACED[name]
    if name in bundled_models():
        return _bundled_folder() / name
    if is_folder(name):
        return Path(name)
    if _is_hub_id(name):
        return download_folder(
            name,
            [CONFIG_NAME, *_WEIGHT_FILES, BANK_NAME, CARD_NAME, LICENCE_NAME],
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
        )
    raise InputError(
        f"unknown model {name!r}; expected a bundled one ({', '.join(bundled_models()) or 'none here'}), "
        "a model folder, or a hub id owner/name"
    )


def read_card(folder: Path) -> tuple[str, str]:
    """The model card of a network's folder and the terms of its weights; "" where there is none."""
    paths = (folder / CARD_NAME, folder / LICENCE_NAME)
    card, terms = (read_text(path) if path.is_file() else "" for path in paths)
    return card, terms


def write_card(folder: Path, card: str, terms: str) -> None:
    """Write the model card and the terms of a network's folder, as far as they are not empty."""
    for name, text in ((CARD_NAME, card), (LICENCE_NAME, terms)):
        if text:
            write_text_atomic(folder / name, text)


def folder_title(folder: str | Path) -> str:
    """The name of a network in reports: that of its folder, or of the run for RUN/model."""
    path = Path(folder).resolve()
    return "/".join(path.parts[-3:-1]) if path.name == "model" else path.name


def _bundled_folder() -> Path:
    return Path(str(files("sean"))) / "bundled"


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))
