"""The other program runs in the busy halves only, and ends; every case is one that runs."""

import subprocess
from typing import Any

import pytest
import torch

from sean.bench import busy
from sean.bench.busy import EDIT, STEP, busy_cases, edit_a_photo, quiet_and_busy_seconds
from sean.bench.segmaps import face_segmaps
from sean.models.sean.model import SEANModel


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """The programs that were started."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(busy.subprocess, "Popen", Noted)
    monkeypatch.setattr(busy, "_SETTLING_SECONDS", 0.0)
    return started


def test_half_of_the_runs_have_a_busy_neighbour(
    programs: list["subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, running = 0.0, []

    def case() -> None:
        nonlocal now
        running.append(sum(program.poll() is None for program in programs))
        now += 3.0 if running[-1] else 1.0

    monkeypatch.setattr(busy, "now", lambda: now)
    times = quiet_and_busy_seconds({"case": case}, rounds=2)
    assert running == [0, *([0] * 4 + [1] * 4) * 2]
    assert times == {"case": {"quiet": 1.0, "busy": 3.0}}
    assert len(programs) == 2 and all(program.poll() is not None for program in programs)


def test_the_program_ends_with_a_failure(programs: list["subprocess.Popen[bytes]"]) -> None:
    calls = iter([1] * 5)
    with pytest.raises(StopIteration):
        quiet_and_busy_seconds({"case": lambda: next(calls)}, rounds=1)
    assert len(programs) == 1 and programs[0].poll() is not None


def test_every_case_runs(model: SEANModel) -> None:
    kept = {name: value.clone() for name, value in model.named_parameters()}
    cases = busy_cases(model, face_segmaps(model.config.image_size, 2))
    assert list(cases) == ["new style", "brush stroke", "encoder", STEP, EDIT]
    for name in list(cases)[:-1]:
        cases[name]()
    assert not model.training
    assert all(torch.equal(value, kept[name]) for name, value in model.named_parameters())


@pytest.mark.integration
def test_the_edit_of_the_measurement_runs() -> None:
    edit_a_photo()
