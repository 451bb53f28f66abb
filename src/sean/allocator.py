"""The C library's heap, which holds the tensors: keep freed memory for the next tensors, or return it to the system.

Both functions have no effect without glibc.
"""

import ctypes
import sys
from typing import Any

# mallopt's numbers, from glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Keep the memory of freed tensors for the next ones from now on.

    By default every large tensor is a new mapping, whose pages the system has to clear each time.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)


def give_back_freed_memory() -> None:
    """Return free memory to the system; for programs that run long.

    The rows of many sessions, freed one by one, leave gaps between those in use.
    """
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
