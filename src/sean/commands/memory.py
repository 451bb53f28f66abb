"""Memory of a command's process."""

import ctypes
import sys

# mallopt's numbers, from glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Make glibc keep the memory of freed tensors for the next ones instead of handing it back to the system.

    Without it every large tensor is a fresh mapping whose pages the system has to clear, as often as it is made. Does
    nothing where there is no glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
