"""How much memory an object holds: an estimate of what would be free without it."""

import gc
import sys
import time
import types
from abc import ABC, abstractmethod
from collections.abc import Container
from typing import Any

import numpy as np
import torch
from PIL import Image

# what belongs to the program, not to an object that uses it
_PROGRAM = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)


def reachable(root: Any) -> set[int]:
    """The ids of all objects that `root` leads to; valid as long as it lives and does not change."""
    return set(_reach(root, frozenset()))


def held_bytes(root: Any, shared: Container[int] = frozenset()) -> int:
    """Bytes of all objects that `root` leads to, with the tensors', arrays' and pictures' data; files count nothing.

    Args:
        root: where to begin.
        shared: ids of objects that others hold as well (see `reachable`): they and what they lead to count nothing.
    """
    total, stores = 0, set()
    for item in _reach(root, shared).values():
        total += sys.getsizeof(item)
        if isinstance(item, torch.Tensor):
            storage = item.untyped_storage()
            if storage.data_ptr() not in stores:
                stores.add(storage.data_ptr())
                total += storage.nbytes()
        elif isinstance(item, Image.Image):
            total += item.width * item.height * len(item.getbands())
    return total


def _reach(root: Any, shared: Container[int]) -> dict[int, Any]:
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


class Measured(ABC):
    """What has a size that is looked at now and then."""

    num_bytes: int
    measured_at: float

    @abstractmethod
    def held(self) -> Any:
        """The objects that count."""


class MemoryWatch:
    """Keeps the estimated sizes of things up to date.

    Args:
        shared: what they hold in common, which counts for none of them; must not change from here on.
        seconds: how long an estimate is good for.
    """

    def __init__(self, shared: Any, seconds: float = 5.0) -> None:
        self._root = shared  # kept alive: its ids would pass to others
        self._shared = reachable(shared)
        self._seconds = seconds

    def measure(self, item: Measured, *, now: bool = False) -> None:
        """Estimate the size of `item` again if that is due, or if it is to be done `now`; takes milliseconds."""
        if now or time.monotonic() - item.measured_at >= self._seconds:
            item.num_bytes = held_bytes(item.held(), self._shared)
            item.measured_at = time.monotonic()
