"""Median times of interleaved rounds, and the peak memory of a separate process."""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch


def median_seconds(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median time of every contender, in seconds.

    Every round runs each of them once, so that a slow phase of the machine affects all; the first round is discarded.

    Args:
        contenders: what to run, by name.
        rounds: number of measured rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    try:
        for index in range(rounds + 1):
            for name, run in contenders.items():
                start = now()
                run()
                elapsed = now() - start
                if index:
                    seconds[name].append(elapsed)
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory(run: Callable[..., Any], *arguments: Any) -> int | None:
    """Peak memory in bytes of a fresh process that calls run(*arguments); None if the system does not report it.

    Args:
        run: a function at the top of a module.
        arguments: of `run`, picklable.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_peak_of, run, arguments, torch.get_num_threads()).result()


def _peak_of(run: Callable[..., Any], arguments: tuple[Any, ...], num_threads: int) -> int | None:
    torch.set_num_threads(num_threads)
    run(*arguments)
    # not getrusage: its maximum starts with that of the parent process
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
