"""The checkpoints of a run. The newest few are kept, written atomically; a damaged one is replaced by its predecessor.

A checkpoint is a tree of states (networks, optimizers) in one safetensors file, without pickle. Tensors are stored
directly; other values and the nesting are stored in the JSON header.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from sean.errors import InputError
from sean.files import parse_json, remove_unfinished
from sean.models.weights import READ_ERRORS, read_content, write_safetensors
from sean.training.config import Changes, RunConfig, check_steps

CHECKPOINTS_FOLDER = "checkpoints"
LOCK_NAME = ".lock"
_NAME = "step-{:07d}.safetensors"
_HEADER = "tree"


@dataclass(kw_only=True)
class RunState(ABC):
    """Networks and optimizers of a training, and the number of steps done.

    The position in the data and the random numbers need no state, as both follow from the step.

    Attributes:
        step: optimizer steps done.
    """

    step: int = 0

    config_type: ClassVar[type[RunConfig]]
    config_key: ClassVar[str]
    """Key of the settings in a checkpoint; every kind of training has its own key."""

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Networks and optimizers by name."""

    def counts(self) -> dict[str, Any]:
        """The numbers of the state, by attribute name."""
        return {"step": self.step}

    def save(self, path: Path, config: RunConfig) -> None:
        """Write a checkpoint atomically: after a kill, either the old file or the new file exists."""
        tree = {name: dict(part.state_dict()) for name, part in self.parts().items()}
        save_tree(path, {**tree, **self.counts(), self.config_key: config.to_json()})

    def load(self, path: Path, config: RunConfig) -> Changes:
        """Continue from a checkpoint.

        Returns:
            The settings that differ from the checkpoint's.

        Raises:
            InputError: the file is missing or damaged, or its run cannot continue with these settings.
        """
        return self.restore(load_tree(path), path, config)

    def restore(self, tree: Any, path: Path, config: RunConfig) -> Changes:
        """Continue from the content of the checkpoint at `path`; see `load`."""
        try:
            saved = self.config_type.from_json(tree[self.config_key])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} is not a checkpoint of this kind of training and version of sean ({error})"
            ) from error
        changes = config.changes_of(saved)
        try:
            check_steps(tree["step"], config.steps)
            for name, part in self.parts().items():
                part.load_state_dict(tree[name])
            for name in self.counts():
                setattr(self, name, tree[name])
        except InputError:
            raise
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} does not fit the networks of this version of sean ({reason})") from error
        return changes


def checkpoint_path(run: Path, step: int) -> Path:
    """Path of the checkpoint of a step."""
    return run / CHECKPOINTS_FOLDER / _NAME.format(step)


def checkpoint_files(run: Path) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    return sorted((run / CHECKPOINTS_FOLDER).glob("step-*.safetensors"), reverse=True)


def newest_step(run: Path) -> int:
    """The step of a run's newest checkpoint; 0 without a checkpoint."""
    files = checkpoint_files(run)
    return int(files[0].stem.removeprefix("step-")) if files else 0


def save_checkpoint(run: Path, state: RunState, config: RunConfig) -> None:
    """Write the state, then remove all but the newest `config.keep_last` checkpoints.

    Raises:
        InputError: the disk is full or the folder cannot be written; the older checkpoints are unchanged.
    """
    state.save(checkpoint_path(run, state.step), config)
    for old in checkpoint_files(run)[config.keep_last :]:
        old.unlink(missing_ok=True)


def read_newest(run: Path) -> tuple[Path, Any, list[str]] | None:
    """The newest readable checkpoint: its path, its content, and the errors of newer checkpoints.

    None if there is no checkpoint.

    Raises:
        InputError: there are checkpoints, but none is readable.
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
    """Lock a run's folder against other trainings, and remove files that a killed training left half-written.

    Raises:
        InputError: another training uses the folder, or it cannot be written.
    """
    lock = FileLock(run / LOCK_NAME, mode=0o666)
    try:
        run.mkdir(parents=True, exist_ok=True)
        with suppress(NotImplementedError):  # a file system without locks
            lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(
            f"another training is running in {run}; wait for it or choose another folder", setting="output"
        ) from error
    except OSError as error:
        raise InputError(
            f"cannot write to {run}: {error.strerror}; choose a writable folder", setting="output"
        ) from error
    try:
        for folder in (run, *(path for path in run.iterdir() if path.is_dir())):
            remove_unfinished(folder)
        yield
    finally:
        lock.release()  # the end of a killed process releases it too


def save_tree(path: str | Path, tree: Any) -> None:
    """Write a tree of dicts (with string or integer keys), lists, tuples, tensors, numbers, strings and None."""
    tensors: dict[str, Tensor] = {}
    header = json.dumps(_pack(tree, "", tensors))
    write_safetensors(path, tensors, {_HEADER: header})


def load_tree(path: str | Path) -> Any:
    """Read a tree; tensors are on the CPU, and tuples become lists.

    Raises:
        InputError: the file is missing, damaged, or was not written by `save_tree`.
    """
    if not Path(path).is_file():
        raise InputError(f"expected a checkpoint at {path}, found no file")
    try:
        tensors, metadata = read_content(path)
        return _unpack(parse_json(metadata[_HEADER]), tensors)
    except (*READ_ERRORS, AttributeError, KeyError, RecursionError, TypeError) as error:
        raise InputError(
            f"{path} is not a checkpoint of sean or is damaged ({type(error).__name__}: {error})"
        ) from error


def _pack(node: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, Tensor):
        while name in tensors:  # {"a": {"b": ...}, "a/b": ...}
            name += "'"
        # copied if memory is shared, as safetensors refuses overlapping tensors
        tensors[name] = node.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(node, dict):
        return {"dict": [[key, _pack(value, f"{name}/{key}", tensors)] for key, value in node.items()]}
    if isinstance(node, (list, tuple)):
        return {"list": [_pack(value, f"{name}/{i}", tensors) for i, value in enumerate(node)]}
    if node is None or isinstance(node, (bool, int, float, str)):
        return {"value": node}
    raise TypeError(f"cannot store a {type(node).__name__} at {name or 'the root'}")


def _unpack(node: Any, tensors: dict[str, Tensor]) -> Any:
    ((kind, content),) = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unpack(value, tensors) for key, value in content}
    if kind == "list":
        return [_unpack(value, tensors) for value in content]
    return content
