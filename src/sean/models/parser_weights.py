"""Parser folders: those of networks that make label maps of pictures."""

from pathlib import Path

import torch

from sean.labels import LabelSet
from sean.models.configs import PARSER_CONFIGS, ParserConfig, PyramidParserConfig, UNetParserConfig
from sean.models.parser import Parser, UNetParser
from sean.models.pyramid_parser import PyramidParser
from sean.models.weights import load_folder, write_folder


def save_parser(folder: str | Path, parser: Parser, labels: LabelSet, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a parser as a folder.

    Args:
        folder: made when missing.
        parser: its state dict goes into model.safetensors.
        labels: names, palette, ignored id and flip pairs, kept in config.json.
        dtype: of the floating-point weights on disk; float16 halves the file.
    """
    write_folder(Path(folder), parser, parser.config, labels, dtype)


def load_parser(folder: str | Path) -> tuple[Parser, LabelSet]:
    """Read a parser's folder.

    Returns:
        The parser in evaluation mode, float32, on the CPU, and its labels.

    Raises:
        InputError: a file is missing, damaged, or does not fit the other.
    """
    return load_folder(Path(folder), "parser", PARSER_CONFIGS, new_parser)


def new_parser(config: ParserConfig) -> Parser:
    """A parser with fresh weights, of the kind that the config is of."""
    if isinstance(config, PyramidParserConfig):
        return PyramidParser(config)
    assert isinstance(config, UNetParserConfig), "the two kinds of parsers"
    return UNetParser(config)
