"""Checkpoints of a run: how many stay, which one is read, and who may write them."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sean import files
from sean.errors import InputError
from sean.models import weights
from sean.training.checkpoints import checkpoint_files, read_newest, save_checkpoint, sole_user
from sean.training.config import TrainConfig
from sean.training.state import TrainingState

MakeState = Callable[[TrainConfig], TrainingState]


def steps(run: Path) -> list[int]:
    return [int(path.stem.removeprefix("step-")) for path in checkpoint_files(run)]


def test_the_newest_few_stay(tmp_path: Path, make_state: MakeState, config: TrainConfig) -> None:
    state, config = make_state(config), replace(config, keep_last=2)
    for step in (5, 10, 9_999_999):
        state.step = step
        save_checkpoint(tmp_path, state, config)
    assert steps(tmp_path) == [9_999_999, 10]
    newest = read_newest(tmp_path)
    assert newest is not None and newest[1]["step"] == 9_999_999 and newest[2] == []


def test_a_damaged_one_falls_back_to_the_one_before(tmp_path: Path, make_state: MakeState, config: TrainConfig) -> None:
    state = make_state(config)
    for step in (5, 10):
        state.step = step
        save_checkpoint(tmp_path, state, config)
    newest = checkpoint_files(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    found = read_newest(tmp_path)
    assert found is not None
    path, tree, problems = found
    assert (path, tree["step"]) == (checkpoint_files(tmp_path)[1], 5)
    assert len(problems) == 1 and "step-0000010" in problems[0] and "\n" not in problems[0]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert read_newest(tmp_path) is None


def test_a_full_disk_is_one_line_and_the_old_one_stays(
    tmp_path: Path, make_state: MakeState, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, config = make_state(config), replace(config, keep_last=1)
    state.step = 5
    save_checkpoint(tmp_path, state, config)
    before = checkpoint_files(tmp_path)[0].read_bytes()

    def full(tensors: object, path: Path, **_: object) -> None:
        path.write_bytes(bytes(1000))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(weights, "save_file", full)
    state.step = 6
    with pytest.raises(InputError, match="No space left on device; free some space") as caught:
        save_checkpoint(tmp_path, state, config)
    assert "\n" not in str(caught.value)
    assert [path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()] == [before]


def test_one_training_at_a_time(tmp_path: Path) -> None:
    with sole_user(tmp_path), pytest.raises(InputError, match="another training is running in"), sole_user(tmp_path):
        pass
    with sole_user(tmp_path):  # released
        pass


def test_halves_of_a_killed_training_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    halves = [tmp_path / "checkpoints" / name for name in (".step-0000005.ab_d3f6h.safetensors", ".tmp7YpdbI")]
    kept = [tmp_path / ".gitignore", tmp_path / "checkpoints" / ".notes.txt", tmp_path / "a.safetensors"]
    for path in (*halves, *kept):
        path.write_text("x")
    with sole_user(tmp_path):
        assert not any(half.exists() for half in halves)
    assert all(path.exists() for path in kept)


def test_the_names_of_halves_are_those_of_atomic_write(tmp_path: Path) -> None:
    with files.atomic_write(tmp_path / "model.safetensors") as temporary:
        temporary.write_text("x")
        kept = temporary.with_name(temporary.name.upper())
        files.remove_unfinished(tmp_path)
        assert not temporary.exists() and not kept.exists()
        temporary.write_text("y")
    assert (tmp_path / "model.safetensors").read_text() == "y"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(InputError, match=r"cannot write to .*; choose a writable folder"),
        sole_user(tmp_path / "file"),
    ):
        pass
