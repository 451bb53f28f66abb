"""What a command does with freed memory: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

import pytest

PAGES = 64 * 2**20 // 4096

SCRIPT = """
import resource, sys
import torch
from sean.commands.memory import keep_freed_memory
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


@pytest.mark.integration
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone can be told to keep memory")
def test_a_freed_tensor_makes_room_for_the_next() -> None:
    def faults(mode: str) -> int:
        result = subprocess.run([sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True)
        return int(result.stdout)

    assert faults("keep") < PAGES
    assert faults("plain") > 5 * PAGES
