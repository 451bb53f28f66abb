"""Processes for tests that kill them, or need two: forks of one process that has imported a training already.

The import takes seconds, and the time of a fork is that of its work. The functions that a fork runs stand in a module.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["sean.training.loop", "sean.data.synthetic.scenes"])


def fork(function: Callable[..., Any], *arguments: Any) -> ForkServerProcess:
    """Start a function in a process of its own."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def wait(*processes: ForkServerProcess) -> None:
    """Wait for processes; all must end without an error."""
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def kill(*processes: ForkServerProcess) -> None:
    """Kill processes (SIGKILL) that have not ended; fail if one has."""
    ended = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    for process in processes:
        process.join(600)
    assert ended == [None] * len(processes), f"ended before the kill: {ended}"
