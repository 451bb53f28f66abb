"""Resuming: a training that was killed, wherever it was, ends bit for bit as if nothing had happened."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sean.training import loop
from sean.training.checkpoints import checkpoint_files, checkpoint_path
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.loop import train

from ..support.forks import fork, kill, wait
from . import separate_runs
from .conftest import assert_same, last_checkpoint, records
from .separate_runs import CONFIG, train_and_hang

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick_loop")]


def kill_at(run: Path, place: str, step: int) -> None:
    """Train until the process hangs there, and kill it (SIGKILL)."""
    sign = run.with_name("hangs")
    process = fork(train_and_hang, run, sign, place, step)
    try:
        deadline = time.monotonic() + 600
        while not sign.exists():
            assert process.is_alive(), f"ended before {place} of step {step}: {process.exitcode}"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        kill(process)
    sign.unlink()


def test_a_run_killed_again_and_again_ends_as_the_straight_one(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    wait(fork(separate_runs.train, CONFIG, straight))

    kill_at(killed, "update", 2)
    assert not checkpoint_files(killed)
    kill_at(killed, "update", 5)
    old = checkpoint_path(killed, 3).read_bytes()
    assert last_checkpoint(killed)["step"] == 3
    assert [record["step"] for record in records(killed) if record["kind"] == "train"] == [1, 2, 3, 4]
    for place in ("write", "move"):  # of the checkpoint of step 6
        kill_at(killed, place, 6)
        assert [path.read_bytes() for path in checkpoint_files(killed)] == [old]
    kill_at(killed, "samples", 12)  # the checkpoint of the last step must come after all that is made from it
    assert last_checkpoint(killed)["step"] == 9
    assert records(killed)[-1]["kind"] == "validation" and records(killed)[-1]["step"] == 12
    wait(fork(separate_runs.train, CONFIG, killed))

    one, other = last_checkpoint(straight), last_checkpoint(killed)
    assert one["step"] == 12
    assert_same(one, other)
    for name in (
        "checkpoints/step-0000009.safetensors",
        "checkpoints/step-0000012.safetensors",
        "config.json",
        "best/model.safetensors",
        "model/config.json",
        "model/model.safetensors",
        "samples/step-0000004.png",
        "samples/step-0000008.png",
        "samples/step-0000012.png",
    ):
        assert (straight / name).read_bytes() == (killed / name).read_bytes(), name
    hidden = [path for path in killed.rglob(".*") if path.name != ".lock"]
    assert not hidden, "the halves that the kills left are gone"
    assert len(records(straight)) == 12 + 3
    assert records(straight) == records(killed)


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next trainings be interrupted in the step after so many."""
    step = loop.training_step

    def counted(state: Any, *args: Any) -> dict[str, float]:
        if state.step == steps:
            raise KeyboardInterrupt
        return step(state, *args)

    monkeypatch.setattr(loop, "training_step", counted)


def interrupted(run: Callable[..., Any], steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until the interruption."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(steps, patch)
        run()


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_an_interrupted_run_ends_as_the_straight_one(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Interrupted before the first checkpoint, right after it, and one step after it; `resume` also starts."""
    config = replace(config, checkpoint_every=1 if steps == 1 else 2, sample_every=3)
    train(config, data, tmp_path / "straight", resume=True)
    interrupted(lambda: train(config, data, tmp_path / "cut"), steps, monkeypatch)
    assert bool(checkpoint_files(tmp_path / "cut")) == (steps > 0)
    torch.manual_seed(99)
    train(config, data, tmp_path / "cut", resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(tmp_path / "cut"))
    assert records(tmp_path / "straight") == records(tmp_path / "cut")


def test_a_run_continues_with_other_surroundings(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, checkpoint_every=2)
    train(config, data, tmp_path / "straight")
    interrupted(lambda: train(config, data, tmp_path / "cut"), 3, monkeypatch)
    other = replace(config, sample_every=1, log_every=2, checkpoint_every=1)
    train(other, data, tmp_path / "cut", resume=True)
    straight, cut = (last_checkpoint(tmp_path / name) for name in ("straight", "cut"))
    assert TrainConfig.from_json(cut.pop("config")) == other != TrainConfig.from_json(straight.pop("config"))
    straight.pop("best"), cut.pop("best")  # found at other steps
    assert_same(straight, cut)
