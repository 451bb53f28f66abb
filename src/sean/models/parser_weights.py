"""Parser folders: config.json (sizes and labels) and model.safetensors, written atomically, read with clear errors."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.parser import Parser, ParserConfig
from sean.models.weights import read_safetensors, write_folder
from sean.pretrained import CONFIG_NAME, WEIGHTS_NAME

ARCHITECTURE = "parser"


def save_parser(folder: str | Path, parser: Parser, labels: LabelSet, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a parser as a model folder.

    Args:
        folder: made when missing.
        parser: its state dict goes into model.safetensors.
        labels: names, palette, ignored id and flip pairs, kept in config.json.
        dtype: of the floating-point weights on disk; float16 halves the file.
    """
    write_folder(Path(folder), ARCHITECTURE, parser, parser.config, labels, dtype)


def load_parser(folder: str | Path) -> tuple[Parser, LabelSet]:
    """Read a parser's folder.

    Returns:
        The parser in evaluation mode, float32, on the CPU, and its labels.

    Raises:
        InputError: a file is missing, damaged, or does not fit the other.
    """
    config, labels = read_parser_config(Path(folder) / CONFIG_NAME)
    state = read_safetensors(Path(folder) / WEIGHTS_NAME)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    with torch.device("meta"):  # the weights are all replaced: spares the initialization
        parser = Parser(config)
    try:
        parser.load_state_dict(state, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1:2]).strip()
        raise InputError(
            f"the weights in {Path(folder) / WEIGHTS_NAME} do not fit {CONFIG_NAME} beside them: {reason[:200]}"
        ) from error
    parser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return parser.requires_grad_(True).eval(), labels


def read_parser_config(path: Path) -> tuple[ParserConfig, LabelSet]:
    """The sizes and labels in a parser's config.json; InputError when it is missing or wrong."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"expected a parser's folder with a {CONFIG_NAME}, found none at {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON ({error}); restore the file") from error
    try:
        if raw["architecture"] != ARCHITECTURE:
            raise InputError(f"expected architecture '{ARCHITECTURE}', got {raw['architecture']!r}")
        sizes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in raw["model"].items()
        }
        unknown = sizes.keys() - {field.name for field in fields(ParserConfig)}
        if unknown:
            raise InputError(f"unknown model settings {', '.join(sorted(unknown))}")
        numbers = (sizes["num_regions"], *sizes["image_size"], *sizes["widths"])
        if not all(type(number) is int for number in numbers):
            raise InputError(f"expected whole numbers as model sizes, got {raw['model']}")
        config, labels = ParserConfig(**sizes), LabelSet.from_dict(raw["labels"])
    except InputError as error:
        raise InputError(f"{path} is no parser configuration: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is no parser configuration ({type(error).__name__}: {reason})") from error
    if labels.num_regions != config.num_regions:
        raise InputError(f"{path} names {labels.num_regions} labels for a parser of {config.num_regions} regions")
    return config, labels
