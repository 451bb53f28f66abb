"""Nested states (of networks, optimizers, random generators) in one safetensors file: no pickle, written atomically.

Tensors go into the file as they are; everything else, and the nesting, into its JSON header.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sean.errors import InputError
from sean.models.weights import write_safetensors

_HEADER = "tree"


def save_tree(path: str | Path, tree: Any) -> None:
    """Write a tree of dicts (of string or integer keys), lists, tuples, tensors, numbers, strings and None."""
    tensors: dict[str, Tensor] = {}
    header = json.dumps(_pack(tree, "", tensors))
    write_safetensors(path, tensors, {_HEADER: header})


def load_tree(path: str | Path) -> Any:
    """The tree back, tensors on the CPU; tuples come back as lists.

    Raises:
        InputError: the file is missing, damaged, or was not written by `save_tree`.
    """
    if not Path(path).is_file():
        raise InputError(f"expected a checkpoint at {path}, found no file")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {})[_HEADER]
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (safe_open is no dict)
        return _unpack(json.loads(header), tensors)
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{path} is not a checkpoint of sean or is damaged ({type(error).__name__}: {error})"
        ) from error


def _pack(node: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, Tensor):
        while name in tensors:  # {"a": {"b": ...}, "a/b": ...}
            name += "'"
        # a copy where memory is shared: safetensors refuses tensors that overlap
        tensors[name] = node.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(node, dict):
        return {"dict": [[key, _pack(value, f"{name}/{key}", tensors)] for key, value in node.items()]}
    if isinstance(node, (list, tuple)):
        return {"list": [_pack(value, f"{name}/{i}", tensors) for i, value in enumerate(node)]}
    if node is None or isinstance(node, (bool, int, float, str)):
        return {"value": node}
    raise TypeError(f"cannot store a {type(node).__name__} at {name or 'the root'}")


def _unpack(node: Any, tensors: dict[str, Tensor]) -> Any:
    ((kind, content),) = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unpack(value, tensors) for key, value in content}
    if kind == "list":
        return [_unpack(value, tensors) for value in content]
    return content
