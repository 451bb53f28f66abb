"""One-line errors, with advice, for data-loading processes that died."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from sean.errors import InputError


@runtime_checkable
class _Stepping(Protocol):
    """The state of a training."""

    step: int


@contextmanager
def dead_workers_as_input_errors(state: _Stepping) -> Iterator[None]:
    """Convert torch's error about a dead loader process into an InputError with the step of the training."""
    try:
        yield
    except Exception as error:
        worker_error = _worker_error(error)
        if worker_error is None:
            raise
        reason = _reason(worker_error)
        advice = "often there is too little memory: resume the run with fewer num_workers"
        if "shared memory" in reason:
            advice = "/dev/shm is too small: make it larger, to 2 GB, say, or resume the run with num_workers 0"
        raise InputError(
            f"after step {state.step}: a process that reads data is gone ({reason}); {advice}",
            setting="config.num_workers",
        ) from error


def _reason(error: BaseException) -> str:
    """The message of an error in one line; for an error passed on by a worker, without the traceback."""
    lines = str(error).strip().splitlines()
    if any(line.startswith("Traceback") or line.startswith("Original Traceback") for line in lines):
        starts = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception): ", line)]
        lines = lines[starts[-1] :] if starts else lines[-1:]
    return " ".join(" ".join(lines).split())


def _worker_error(error: BaseException | None) -> BaseException | None:
    """The error of torch's signal handler for a dead worker, which any function may have wrapped."""
    while error is not None and not (isinstance(error, RuntimeError) and "DataLoader" in str(error)):
        error = error.__cause__ or error.__context__
    return error
