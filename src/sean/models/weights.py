"""Model and parser folders: config.json (sizes and labels) and model.safetensors, each written atomically.

Weights larger than a given size are split into several files with an index, under the names of the hub's libraries.

Models and parsers differ only in their configs and in the function that builds a network from a config.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sean.errors import InputError
from sean.files import atomic_write, parse_json, read_text, write_text_atomic
from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.models.build import channels_last, new_model, without_numbers
from sean.models.configs import (
    CONFIGS,
    PARSER_CONFIGS,
    NetworkConfig,
    config_from_dict,
)
from sean.models.parsers import Parser, new_parser
from sean.pretrained import BANK_NAME, CONFIG_NAME, SHARDS, WEIGHTS_INDEX_NAME, WEIGHTS_NAME

MAX_SHARD_SIZE = "5GB"
"""Of a weights file, as the hub's libraries have it."""

_CHECKSUM = "crc32"
"""Where a file's metadata keeps the checksum of everything else in it."""

Config = TypeVar("Config", bound=NetworkConfig)
Network = TypeVar("Network", bound=nn.Module)


def save_model(
    folder: str | Path,
    model: StyledModel,
    labels: LabelSet,
    *,
    dtype: torch.dtype = torch.float32,
    max_shard_size: int | str = MAX_SHARD_SIZE,
) -> None:
    """Write `model` as a model folder.

    Args:
        folder: created if missing. A style bank in it is removed, as its codes are those of other weights.
        model: model whose state dict is written to model.safetensors.
        labels: label set, written to config.json: names, palette, ignored id and flip pairs.
        dtype: dtype of the floating-point weights on disk; float16 halves the file and keeps about 3 decimals.
        max_shard_size: size of a weights file, in bytes or as "20MB"; larger weights are split into several files.

    Raises:
        InputError: the folder cannot be written, or max_shard_size is not a size.
    """
    write_folder(Path(folder), model, model.config, labels, dtype, max_shard_size)
    (Path(folder) / BANK_NAME).unlink(missing_ok=True)


def load_model(folder: str | Path) -> tuple[StyledModel, LabelSet]:
    """Read a model folder.

    Returns:
        The model in evaluation mode, float32, on the CPU, and its labels.

    Raises:
        InputError: a file is missing, damaged, or does not fit the other.
    """
    return load_folder(Path(folder), "model", CONFIGS, new_model)


def save_parser(folder: str | Path, parser: Parser, labels: LabelSet, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a parser as a folder.

    Args:
        folder: created if missing.
        parser: parser whose state dict is written to model.safetensors.
        labels: label set, written to config.json: names, palette, ignored id and flip pairs.
        dtype: dtype of the floating-point weights on disk; float16 halves the file.
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


def write_folder(
    folder: Path,
    network: nn.Module,
    config: NetworkConfig,
    labels: LabelSet,
    dtype: torch.dtype,
    max_shard_size: int | str = MAX_SHARD_SIZE,
) -> None:
    """Write the folder of a network; shared by `save_model` and `save_parser`."""
    values = {"architecture": config.architecture, "model": asdict(config), "labels": labels.to_dict()}
    state = {
        key: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for key, value in network.state_dict().items()
    }
    _write_weights(folder, state, max_shard_size)
    write_text_atomic(folder / CONFIG_NAME, json.dumps(values, indent=1) + "\n")


def load_folder(
    folder: Path, what: str, configs: Mapping[str, type[Config]], make: Callable[[Config], Network]
) -> tuple[Network, LabelSet]:
    """Read the folder of a network; shared by `load_model` and `load_parser`.

    Args:
        folder: folder with both files.
        what: the kind of network, for messages.
        configs: the accepted configs, by architecture.
        make: builds a network from a config; all its weights are then replaced.
    """
    config, labels = read_config(folder / CONFIG_NAME, what, configs)
    state = _read_weights(folder)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    try:
        with without_numbers():
            network = make(config)
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise InputError(
            f"the weights in {folder / WEIGHTS_NAME} do not fit {CONFIG_NAME} beside them: {reason[:200]}"
        ) from error
    return channels_last(network).eval(), labels


def read_config(path: Path, what: str, configs: Mapping[str, type[Config]]) -> tuple[Config, LabelSet]:
    """The sizes and labels in a folder's config.json; InputError if the file is missing or wrong."""
    try:
        raw: dict[str, Any] = parse_json(read_text(path))
    except FileNotFoundError as error:
        raise InputError(f"expected a {what} folder with a {CONFIG_NAME}, found none at {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON ({error}); restore the file") from error
    try:
        if raw["architecture"] not in configs:
            raise InputError(f"expected an architecture of {', '.join(configs)}, got {raw['architecture']!r}")
        config = config_from_dict(configs[raw["architecture"]], dict(raw["model"]))
        labels = LabelSet.from_dict(raw["labels"])
    except InputError as error:
        raise InputError(f"{path} is not a {what} configuration: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is not a {what} configuration ({type(error).__name__}: {reason})") from error
    if labels.num_regions != config.num_regions:
        raise InputError(f"{path} names {labels.num_regions} labels for a {what} of {config.num_regions} regions")
    return config, labels


def _write_weights(folder: Path, state: dict[str, Tensor], max_shard_size: int | str) -> None:
    from huggingface_hub import split_torch_state_dict_into_shards

    try:
        if isinstance(max_shard_size, int) and max_shard_size < 1:
            raise ValueError("no size")
        split = split_torch_state_dict_into_shards(
            state, filename_pattern="model{suffix}.safetensors", max_shard_size=max_shard_size
        )
    except ValueError as error:
        raise InputError(f"expected a size in bytes or as 20MB, got {max_shard_size!r}") from error
    shards = {
        name: {key: state[key] for key in sorted(keys)} for name, keys in sorted(split.filename_to_tensors.items())
    }
    with ExitStack() as files:  # all are complete before one takes the place of an old file
        for name, tensors in shards.items():
            _save(files.enter_context(atomic_write(folder / name)), tensors, {})
    written = set(shards)
    if split.is_sharded:
        checksums = {name: _checksum(tensors, {}) for name, tensors in shards.items()}
        index = {
            "metadata": {**split.metadata, _CHECKSUM: checksums},
            "weight_map": dict(sorted(split.tensor_to_filename.items())),
        }
        write_text_atomic(folder / WEIGHTS_INDEX_NAME, json.dumps(index, indent=1) + "\n")
        written.add(WEIGHTS_INDEX_NAME)
    for path in (folder / WEIGHTS_NAME, folder / WEIGHTS_INDEX_NAME, *folder.glob(SHARDS)):
        if path.name not in written:  # of the weights that were here before
            path.unlink(missing_ok=True)


def _read_weights(folder: Path) -> dict[str, Tensor]:
    index = folder / WEIGHTS_INDEX_NAME
    if (folder / WEIGHTS_NAME).is_file() or not index.is_file():
        return read_safetensors(folder / WEIGHTS_NAME)
    try:
        raw: dict[str, Any] = parse_json(read_text(index))
        names = sorted({str(name) for name in raw["weight_map"].values()})
        checksums: dict[str, str] = raw.get("metadata", {}).get(_CHECKSUM, {})
    except (AttributeError, KeyError, TypeError, OSError, ValueError) as error:
        raise InputError(f"{index} is not a readable index of weights ({error}); download or train it again") from error
    state: dict[str, Tensor] = {}
    for name in names:
        if Path(name).name != name:
            raise InputError(f"expected names of files beside it in {index}, got {name!r}")
        tensors = read_safetensors(folder / name)
        if name in checksums and _checksum(tensors, {}) != checksums[name]:
            raise InputError(f"{folder / name} is not the file that {index.name} names; download or train them again")
        state |= tensors
    return state


def write_safetensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file with a checksum of its content, atomically.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    with atomic_write(path) as temporary:
        _save(temporary, tensors, metadata or {})


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata={**metadata, _CHECKSUM: _checksum(tensors, metadata)})
    except SafetensorError as error:  # raised if the disk is full
        raise OSError(str(error)) from error
    _sort_metadata(path)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata in a file's header, which is written in an order that differs from process to process."""
    with open(path, "r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= size:  # the format fills a header up with spaces
            file.seek(8)
            file.write(text.ljust(size))


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file; InputError if the file is missing or damaged."""
    if not path.is_file():
        raise InputError(f"expected a weights file, found none at {path}")
    try:
        return read_content(path)[0]
    except READ_ERRORS as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); download or train it again") from error


READ_ERRORS = (SafetensorError, OSError, ValueError)
"""What `read_content` raises where a file is damaged."""


def read_content(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file, as they were written.

    A file of another program, or of an older version, has no checksum; its tensors are taken as they are.

    Raises:
        SafetensorError, OSError, ValueError: it is damaged; see `READ_ERRORS`.
    """
    with safe_open(path, framework="pt") as file:
        metadata: dict[str, str] = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
    checksum = metadata.pop(_CHECKSUM, None)
    if checksum is not None and checksum != _checksum(tensors, metadata):
        raise ValueError("its content is not what was written: the checksum differs")
    return tensors, metadata


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    value = zlib.crc32(json.dumps(sorted(metadata.items())).encode())
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        value = zlib.crc32(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data, value)
    return f"{value:08x}"


def network_digest(network: nn.Module) -> str:
    """A digest of a network's class and weights, by which two evaluations are recognized as of the same network."""
    digest = hashlib.sha256(type(network).__qualname__.encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
