"""The checkpoints of a run: the newest few, written atomically; a damaged one falls back to the one before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sean.errors import InputError
from sean.files import remove_unfinished
from sean.training.config import TrainConfig
from sean.training.state import TrainingState
from sean.training.tree_file import load_tree

CHECKPOINTS_FOLDER = "checkpoints"
LOCK_NAME = ".lock"
_NAME = "step-{:07d}.safetensors"


def checkpoint_path(run: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return run / CHECKPOINTS_FOLDER / _NAME.format(step)


def checkpoint_files(run: Path) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    return sorted((run / CHECKPOINTS_FOLDER).glob("step-*.safetensors"), reverse=True)


def newest_step(run: Path) -> int:
    """The step of a run's newest checkpoint; 0 where there is none."""
    files = checkpoint_files(run)
    return int(files[0].stem.removeprefix("step-")) if files else 0


def save_checkpoint(run: Path, state: TrainingState, config: TrainConfig) -> None:
    """Write the state, then remove all but the newest `config.keep_last` checkpoints.

    Raises:
        InputError: the disk is full or the folder cannot be written; the older checkpoints are as they were.
    """
    state.save(checkpoint_path(run, state.step), config)
    for old in checkpoint_files(run)[config.keep_last :]:
        old.unlink(missing_ok=True)


def read_newest(run: Path) -> tuple[Path, Any, list[str]] | None:
    """The newest checkpoint that can be read: its path, its content, and what is wrong with newer ones.

    None where there is no checkpoint.

    Raises:
        InputError: there are checkpoints, but none can be read.
    """
    problems: list[str] = []
    for path in checkpoint_files(run):
        try:
            return path, load_tree(path), problems
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(f"no checkpoint of {run} can be read: {'; '.join(problems)}; start a new run")
    return None


@contextmanager
def sole_user(run: Path) -> Iterator[None]:
    """Keep other trainings out of a run's folder, and remove what a killed one left half-written.

    Raises:
        InputError: another training uses the folder, or it cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = os.open(run / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"cannot write to {run}: {error.strerror}; choose a writable --output") from error
    try:
        _lock(lock, run)
        for folder in (run, *(path for path in run.iterdir() if path.is_dir())):
            remove_unfinished(folder)
        yield
    finally:
        os.close(lock)  # which releases the lock; so does the end of a killed process


def _lock(file: int, run: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: no such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"another training is running in {run}; wait for it or choose another --output") from error
