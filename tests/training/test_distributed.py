"""Several processes do what one does with the whole batch, also after a kill; and what is said when one is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from sean.errors import InputError
from sean.training.checkpoints import checkpoint_files, load_tree
from sean.training.config import TrainConfig
from sean.training.distributed import largest, lost_processes_as_input_errors, on_first, start_processes

from ..support.forks import kill, wait
from .conftest import assert_same, last_checkpoint, records
from .separate_runs import CONFIG, start

FIVE_STEPS = replace(CONFIG, batch_size=4, steps=5, decay_steps=2)
SOURCE = Path(__file__).resolve().parents[2] / "src"


def numbers(record: dict[str, Any]) -> dict[str, float]:
    """A record without its kind."""
    return {name: value for name, value in record.items() if name != "kind"}


@pytest.mark.integration
def test_two_processes_are_one_with_the_double_batch(tmp_path: Path) -> None:
    """Five steps in float64: batch norm, gradients, noise and losses are those of the whole batch.

    In float32 the first step agrees to rounding; then Adam, which the paper runs without a mean, turns the rounding of
    gradients that are zero in truth (biases ahead of a batch norm) into steps of its full rate.
    """
    for processes in (1, 2):
        wait(*start(FIVE_STEPS, tmp_path / f"{processes}", processes, double=True))
    one, two = (last_checkpoint(tmp_path / name) for name in ("1", "2"))
    assert one["step"] == two["step"] == 5
    for part in ("model", "discriminator", "average"):
        torch.testing.assert_close(two[part], one[part], rtol=1e-5, atol=1e-8)
    for ours, want in zip(records(tmp_path / "2"), records(tmp_path / "1"), strict=True):
        assert ours["l1"] > 1 and numbers(ours) == pytest.approx(numbers(want), rel=1e-9)


@pytest.mark.integration
def test_two_processes_in_float32(tmp_path: Path) -> None:
    for processes in (1, 2):
        wait(*start(FIVE_STEPS, tmp_path / f"{processes}", processes))
    ours, want = records(tmp_path / "2"), records(tmp_path / "1")
    assert [(record["kind"], record["step"]) for record in ours] == [(r["kind"], r["step"]) for r in want]
    assert numbers(ours[0]) == pytest.approx(numbers(want[0]), rel=1e-5)  # the first step


def assert_same_runs(straight: Path, killed: Path, *names: str) -> None:
    """Fail unless two runs have the same last checkpoint, records and files."""
    assert_same(last_checkpoint(straight), last_checkpoint(killed))
    for name in ("model/model.safetensors", "best/model.safetensors", *names):
        assert (straight / name).read_bytes() == (killed / name).read_bytes()
    assert records(straight) == records(killed)


@pytest.mark.integration
def test_two_processes_killed_and_resumed_end_as_the_straight_ones(tmp_path: Path) -> None:
    config, run = replace(CONFIG, batch_size=4), tmp_path / "killed"
    wait(*start(config, tmp_path / "straight", 2))
    processes = start(config, run, 2)
    while last_step(run) < 6:
        assert all(process.is_alive() for process in processes)
        time.sleep(0.01)
    kill(*processes)
    wait(*start(config, run, 2))
    assert_same_runs(tmp_path / "straight", run, "samples/step-0000012.png")


def last_step(run: Path) -> int:
    """The step of the newest checkpoint by its name; 0 if there is none."""
    return max((int(path.stem[5:]) for path in checkpoint_files(run)), default=0)


def kills_at_random_moments(config: TrainConfig, run: Path, kills: int) -> tuple[list[int], int]:
    """Kill a training at random moments, every second time while a checkpoint is being written.

    The first kill is when the first checkpoint is there, which tells how fast this machine is. Returns the steps of
    the newest checkpoints after each kill, and how many kills left a half-written one.
    """
    rng = random.Random(1)
    folder = run / "checkpoints"
    steps, writing, pace = [], 0, 0.0
    for number in range(kills):
        begin = time.monotonic()
        (process,) = start(config, run)
        while not number and not checkpoint_files(run):
            time.sleep(0.001)
        pace = pace or time.monotonic() - begin
        time.sleep(rng.uniform(0.0, 2 * pace) if number else 0.0)
        if number % 2:
            deadline = time.monotonic() + 8 * pace
            while not list(folder.glob(".*")) and time.monotonic() < deadline:
                time.sleep(0.0003)
            time.sleep(rng.uniform(0.0, 0.004))
        kill(process)
        writing += bool(list(folder.glob(".*")))
        steps.append(max((load_tree(path)["step"] for path in checkpoint_files(run)), default=0))  # all can be read
    return steps, writing


@pytest.mark.integration
@pytest.mark.parametrize(("kills", "least"), [(6, 0), pytest.param(20, 3, marks=pytest.mark.slow)])
def test_kills_at_random_moments_change_nothing(kills: int, least: int, tmp_path: Path) -> None:
    """SIGKILL, every second time while a checkpoint is being written; after each, all checkpoints can be read.

    `least` of the kills fall into the writing, and on different steps.
    """
    length = 4 * kills + 10
    config = replace(CONFIG, steps=length, decay_steps=length // 2, checkpoint_every=1, sample_every=15)
    wait(*start(config, tmp_path / "straight"))
    steps, writing = kills_at_random_moments(config, tmp_path / "killed", kills)
    assert steps == sorted(steps), "no checkpoint is lost"
    assert writing >= least
    assert len(set(steps)) >= least
    wait(*start(config, tmp_path / "killed"))
    assert_same_runs(tmp_path / "straight", tmp_path / "killed")
    assert [path.name for path in (tmp_path / "killed").rglob(".*")] == [".lock"]


@pytest.mark.integration
def test_torchrun_trains_and_sigterm_saves(tmp_path: Path) -> None:
    """The command as users start it, on two processes; SIGTERM to torchrun ends it after a checkpoint."""
    command = [
        *(
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            "-m",
            "sean",
            "train",
        ),
        *("--preset", "synthetic", "--output", str(tmp_path / "run"), "--config.batch-size", "2"),
        *("--config.log-every", "1", "--config.model.image-size", "32", "32", "--config.model.base-channels", "4"),
        *("--config.model.max-channels", "8", "--config.model.style-dim", "8"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    seen = []
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            seen.append(line)
            if line.startswith("step 2/"):
                process.send_signal(signal.SIGTERM)
    text = "".join(seen)
    assert process.returncode != 0
    assert "no model folder yet; resume the run to go on (--resume)" in text, text
    step = last_checkpoint(tmp_path / "run")["step"]
    assert step >= 2 and f"stopped at step {step}," in text
    assert records(tmp_path / "run")[-1]["step"] == step


class OneOfTwo(Fabric):
    """A process of two that nobody answers: it receives what was laid ready for it."""

    def __init__(self, rank: int, ready: Any = None) -> None:
        self.rank = rank
        self.ready = ready

    world_size = 2

    @property
    def global_rank(self) -> int:
        return self.rank

    @property
    def is_global_zero(self) -> bool:
        return self.rank == 0

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        return self.ready if self.rank else obj


def test_the_first_processs_mistake_is_told_once() -> None:
    def fail() -> None:
        raise InputError("expected a, got b")

    with pytest.raises(InputError, match="expected a, got b"):
        on_first(OneOfTwo(0), fail)
    with pytest.raises(SystemExit) as ended:
        on_first(OneOfTwo(1, (InputError("expected a, got b"), None)), lambda: pytest.fail("not the other one's work"))
    assert ended.value.code == 2
    assert on_first(OneOfTwo(1, (None, 7)), lambda: 0) == 7


def test_a_lost_process_is_one_line() -> None:
    lost = "[pair.cc:534] gloo: Connection closed by peer"
    with (
        pytest.raises(InputError, match="process 1 lost the connection"),
        lost_processes_as_input_errors(OneOfTwo(1)),
    ):
        raise RuntimeError(lost)
    with pytest.raises(RuntimeError, match="shapes"), lost_processes_as_input_errors(OneOfTwo(1)):
        raise RuntimeError("shapes do not fit")
    with (
        pytest.raises(RuntimeError, match="gloo"),
        lost_processes_as_input_errors(Fabric(accelerator="cpu", devices=1)),
    ):
        raise RuntimeError(lost)


def test_one_process_needs_no_others() -> None:
    fabric = start_processes("32-true", "cpu")
    assert fabric.world_size == 1
    assert largest(15, fabric) == 15
    assert on_first(fabric, lambda: "here") == "here"


def test_unequal_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(InputError, match="as many processes on every machine, got 3 in all and 2 here"):
        start_processes("32-true", "cpu")
