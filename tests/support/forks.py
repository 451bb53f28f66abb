"""Processes for tests that kill them, need two, or need a clean one: forks of a process that has imported the package.

The import takes seconds, a fork milliseconds. Unlike the process of the tests, a fork has no run-time type checks. The
functions that a fork runs stand in a module; their errors are in pytest's captured output.
"""

import contextlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

OUTPUT = "output.txt"
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["sean.training.loop", "sean.data.synthetic.scenes", "sean.editing.editor"])


def fork(function: Callable[..., Any], *arguments: Any) -> ForkServerProcess:
    """Start a function in a process of its own."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def fork_ranks(count: int, function: Callable[..., Any], *arguments: Any) -> list[ForkServerProcess]:
    """Start a function in `count` processes with the environment that torchrun gives them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [fork(_as_rank, rank, count, port, function, arguments) for rank in range(count)]


def _as_rank(rank: int, count: int, port: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    if count > 1:
        os.environ.update({name: str(value) for name, value in {**names, "MASTER_PORT": port}.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", TORCHELASTIC_RUN_ID="test")
    function(*arguments)


def run_code(code: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run Python code as a program in a folder, on one thread; what it prints goes to the file `OUTPUT` there."""
    import torch

    torch.set_num_threads(1)
    os.environ.update(environment or {})
    os.chdir(folder)
    with Path(OUTPUT).open("w") as file, contextlib.redirect_stdout(file):
        exec(compile(code, "<code of a test>", "exec"), {"__name__": "__main__"})


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
