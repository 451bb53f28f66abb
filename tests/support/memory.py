"""The memory that an object keeps alive, found by walking the garbage collector: slow, but it misses nothing."""

import gc
import types
from collections.abc import Container
from typing import Any

import numpy as np
import torch
from PIL import Image

# what belongs to the program, not to an object that uses it
_PROGRAM = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)


def reachable(root: Any, shared: Container[int] = frozenset()) -> dict[int, Any]:
    """All objects that `root` leads to, by id, without those of `shared` and what only they lead to."""
    found: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in found or id(item) in shared or isinstance(item, _PROGRAM):
            continue
        found[id(item)] = item
        if isinstance(item, np.ndarray):
            if item.base is not None:  # the collector does not see it
                waiting.append(item.base)
        else:
            waiting += gc.get_referents(item)
    return found


def data_bytes(root: Any, shared: Any) -> int:
    """Bytes of the tensors, arrays, pictures and byte strings that `root` leads to and `shared` does not."""
    sizes: dict[int, int] = {}
    for item in reachable(root, reachable(shared)).values():
        if isinstance(item, torch.Tensor):
            sizes[item.untyped_storage().data_ptr()] = item.untyped_storage().nbytes()
        elif isinstance(item, np.ndarray) and item.base is None:
            sizes[item.ctypes.data] = item.nbytes
        elif isinstance(item, Image.Image):
            sizes[id(item)] = item.width * item.height * len(item.getbands())
        elif isinstance(item, bytes):
            sizes[id(item)] = len(item)
    return sum(sizes.values())
