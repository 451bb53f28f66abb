"""What a run writes down: means between log lines, and a clean file after a kill."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sean.training.log import METRICS_NAME, TrainingLog


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / METRICS_NAME).read_text(encoding="utf-8").splitlines()]


def test_terms_are_averaged_between_records(tmp_path: Path) -> None:
    with TrainingLog(tmp_path, 0, 5, 2) as log:
        for step in range(1, 6):
            log.step(step, {"l1": float(step), "adversarial": -2.0 * step})
    found = records(tmp_path)
    # steps 1 and 2, steps 3 and 4, and the last one although it is no multiple of 2
    assert [(r["kind"], r["step"], r["l1"], r["adversarial"]) for r in found] == [
        ("train", 2, 1.5, -3.0),
        ("train", 4, 3.5, -7.0),
        ("train", 5, 5.0, -10.0),
    ]
    assert all(0 <= r["seconds_per_step"] < 60 for r in found)
    assert list(found[0]) == ["kind", "step", "l1", "adversarial", "seconds_per_step"]


def test_a_line_of_text_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingLog(tmp_path, 0, 300, 1) as log:
        log.step(1, {"l1": 0.12345, "feature_matching": 7.0})
        log.message("a path with [brackets] and a long text " + "x" * 200)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("step 1/300: l1 0.123 feature_matching 7.000 (")
    assert lines[0].endswith(" min left)")
    assert lines[1] == "a path with [brackets] and a long text " + "x" * 200


def test_other_records_stand_between(tmp_path: Path) -> None:
    with TrainingLog(tmp_path, 0, 4, 1) as log:
        log.step(1, {"l1": 1.0})
        log.record("validation", 1, {"psnr": 20.5})
        log.step(2, {"l1": 3.0})
    assert [(r["kind"], r["step"]) for r in records(tmp_path)] == [("train", 1), ("validation", 1), ("train", 2)]
    assert records(tmp_path)[1] == {"kind": "validation", "step": 1, "psnr": 20.5}


def write_lines(run: Path, *lines: str) -> None:
    (run / METRICS_NAME).write_text("".join(lines), encoding="utf-8")


def line(step: int, kind: str = "train") -> str:
    return json.dumps({"kind": kind, "step": step, "l1": math.pi}) + "\n"


def test_records_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    write_lines(tmp_path, line(1), line(2), line(2, "validation"), line(3), line(4), line(4, "validation"))
    with TrainingLog(tmp_path, 2, 9, 1) as log:
        assert (tmp_path / METRICS_NAME).read_text() == line(1) + line(2) + line(2, "validation")
        log.step(3, {"l1": 0.5})
    assert [(r["step"], r["l1"]) for r in records(tmp_path)] == [(1, math.pi), (2, math.pi), (2, math.pi), (3, 0.5)]


@pytest.mark.parametrize("cut", [1, 10, 25, len(line(3)) - 2])
def test_a_line_that_a_kill_cut_off_is_dropped_alone(tmp_path: Path, cut: int) -> None:
    write_lines(tmp_path, line(1), line(2), line(3)[:cut])
    with TrainingLog(tmp_path, 3, 9, 1) as log:
        log.step(4, {"l1": 0.5})
    assert [r["step"] for r in records(tmp_path)] == [1, 2, 4]


def test_a_line_that_lost_only_its_end_of_line_is_kept(tmp_path: Path) -> None:
    write_lines(tmp_path, line(1), line(2).rstrip("\n"))
    with TrainingLog(tmp_path, 2, 9, 1) as log:
        log.step(3, {"l1": 0.5})
    assert [r["step"] for r in records(tmp_path)] == [1, 2, 3]


def test_a_start_over_drops_all(tmp_path: Path) -> None:
    write_lines(tmp_path, line(1), line(2))
    with TrainingLog(tmp_path, 0, 9, 1):
        pass
    assert records(tmp_path) == []


def test_the_outputs_are_closed_on_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), TrainingLog(tmp_path, 0, 9, 1) as log:
        log.step(1, {"l1": 1.0})
        raise KeyboardInterrupt
    assert [r["step"] for r in records(tmp_path)] == [1]
    assert log.writer.file_writer is None  # closed


def test_tensorboard_shows_what_the_records_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also after a kill at step 3 of a run whose checkpoint is of step 2: steps 1 and 2 stay, 3 is replaced."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with TrainingLog(tmp_path, 0, 4, 1) as log:
        for step in (1, 2, 3):
            log.step(step, {"l1": float(step)})
    for events in (tmp_path / "tensorboard").iterdir():  # the time in the name orders the files, in seconds
        events.rename(events.with_name(events.name.replace("tfevents.", "tfevents.0")))
    with TrainingLog(tmp_path, 2, 4, 1) as log:
        for step in (3, 4):
            log.step(step, {"l1": 10.0 * step})
    shown = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    shown.Reload()
    assert [(event.step, event.value) for event in shown.Scalars("train/l1")] == [(1, 1), (2, 2), (3, 30), (4, 40)]
    assert [(r["step"], r["l1"]) for r in records(tmp_path)] == [(1, 1), (2, 2), (3, 30), (4, 40)]
