"""Freed memory, kept (counted in page faults) and given back (counted in pages), each in a process of its own."""

import ctypes
import platform
import subprocess
import sys

import pytest

from sean.allocator import give_back_freed_memory, keep_freed_memory

PAGES = 64 * 2**20 // 4096

KEPT = """
import resource, sys
import torch
from sean.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def make():
    return torch.ones(16 * 2**20)  # 64 MiB
for _ in range(30):  # until the pool has settled
    make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    make()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

GIVEN_BACK = """
import numpy as np
from sean.allocator import give_back_freed_memory, keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

keep_freed_memory()
pieces = [np.ones(100_000, np.uint8) for _ in range(2000)]
pieces = pieces[::20]
before = resident()
give_back_freed_memory()
print(before - resident())
"""

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries cannot be told")


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.integration
@on_glibc
def test_a_freed_tensor_makes_room_for_the_next() -> None:
    assert int(printed(KEPT, "keep")) < PAGES
    assert int(printed(KEPT, "plain")) > 5 * PAGES


@on_glibc
def test_free_memory_between_pieces_in_use_is_given_back() -> None:
    assert float(printed(GIVEN_BACK)) > 100  # MiB, of the 181 that are free


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherLibrary:
        pass

    monkeypatch.setattr(ctypes, "CDLL", lambda name: OtherLibrary())
    keep_freed_memory()
    give_back_freed_memory()
