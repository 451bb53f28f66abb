"""A run that goes on with its own settings, or with others: what may change, and the history that says so."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sean.cli import main
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.errors import InputError, Interrupted
from sean.labels import LabelSet
from sean.training import loop
from sean.training.checkpoints import checkpoint_files
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.loop import train
from sean.training.resume import HISTORY_NAME, last_entry, note

from .conftest import LABELS, SIZE, assert_same, last_checkpoint, records

pytestmark = pytest.mark.usefixtures("quick_loop")

# 32 px, few channels, three steps without a discriminator
TINY = [
    "--config.model.image-size",
    "32",
    "32",
    "--config.model.style-dim",
    "8",
    "--config.model.base-channels",
    "4",
    "--config.model.max-channels",
    "16",
    "--config.model.mask-dim",
    "8",
    "--config.model.encoder-channels",
    "4",
    "--config.losses.adversarial",
    "0",
    "--config.losses.feature-matching",
    "0",
    "--config.batch-size",
    "2",
    "--config.num-workers",
    "0",
    "--config.log-every",
    "1",
]


def history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / HISTORY_NAME).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_paired(tmp_path / "pairs", SyntheticScenes(size=SIZE, length=4, labels=LABELS))
    return tmp_path / "pairs"


def test_more_steps_are_those_of_a_run_that_had_them_from_the_start(
    config: TrainConfig, data: TrainingData, tmp_path: Path
) -> None:
    """Before the rates begin to fall, a longer run takes the same steps."""
    long, short = replace(config, steps=6, decay_steps=2), replace(config, steps=3, decay_steps=0)
    train(long, data, tmp_path / "straight")
    train(short, data, tmp_path / "longer")
    train(long, data, tmp_path / "longer", resume=True)
    straight, longer = last_checkpoint(tmp_path / "straight"), last_checkpoint(tmp_path / "longer")
    straight.pop("best"), longer.pop("best")  # the short one was validated at its end, too
    assert_same(straight, longer)
    start, change = history(tmp_path / "longer")
    assert (start["step"], start["labels"], start["changes"]) == (0, list(LABELS.names), {})
    assert (change["step"], change["changes"]) == (3, {"steps": [3, 6], "decay_steps": [0, 2]})
    assert TrainConfig.of_run(tmp_path / "longer") == replace(long, model=replace(long.model, num_regions=3))


def test_rate_batch_accumulation_and_precision_may_change(
    config: TrainConfig, data: TrainingData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(replace(config, steps=2, decay_steps=0), data, tmp_path)
    now = replace(config, steps=4, generator_rate=5e-4, batch_size=4, accumulate=2, precision="bf16-mixed")
    train(now, data, tmp_path, resume=True)
    assert set(history(tmp_path)[-1]["changes"]) == {
        *("steps", "decay_steps", "generator_rate", "batch_size", "accumulate", "precision")
    }
    (told,) = (
        line for line in capsys.readouterr().err.splitlines() if line.startswith("from here on with other settings")
    )
    assert "batch_size 2 -> 4" in told and "accumulate 1 -> 2" in told
    assert last_checkpoint(tmp_path)["step"] == 4
    groups = last_checkpoint(tmp_path)["generator_optimizer"]["param_groups"]
    assert groups[0]["lr"] == pytest.approx(5e-4 / 2)  # half of it, in the last step of the decay


def test_nothing_changed_is_not_noted_twice(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(replace(config, steps=1, decay_steps=0), data, tmp_path)
    for _ in range(2):  # a change that is interrupted before the next checkpoint, and taken up again
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(loop, "training_step", interrupt)
            train(replace(config, steps=2, decay_steps=0), data, tmp_path, resume=True)
    assert [(entry["step"], entry["changes"]) for entry in history(tmp_path)] == [(0, {}), (1, {"steps": [1, 2]})]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_what_makes_another_training_is_refused(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    train(replace(config, steps=2, decay_steps=0), data, tmp_path)
    with pytest.raises(InputError, match=r"other settings \(seed: 0 then, 1 now\); resume with the same"):
        train(replace(config, seed=1), data, tmp_path, resume=True)
    with pytest.raises(InputError, match="expected at least 2 steps, as the run has done so many, got 1"):
        train(replace(config, steps=1, decay_steps=0), data, tmp_path, resume=True)
    assert len(history(tmp_path)) == 1


def test_data_of_other_labels_is_refused(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    train(replace(config, steps=1, decay_steps=0), data, tmp_path)
    before = checkpoint_files(tmp_path)[0].read_bytes()
    roads = replace(data, labels=LabelSet(name="roads", names=("road", "sky", "tree")))
    with pytest.raises(InputError, match=r"the data has 'road' as label 0, the model 'ground'"):
        train(config, roads, tmp_path, resume=True)
    assert checkpoint_files(tmp_path)[0].read_bytes() == before


def test_a_damaged_history_is_one_line(tmp_path: Path) -> None:
    (tmp_path / HISTORY_NAME).write_text('{"step": "two"}\n')
    with pytest.raises(InputError, match=r"cannot read .*history.jsonl \(a line names no step\)"):
        last_entry(tmp_path)
    assert last_entry(tmp_path / "nowhere") is None


def test_moved_data_is_noted(tmp_path: Path) -> None:
    for step, place in ((0, "here"), (2, "here"), (5, "there")):
        note(tmp_path, step, data=place, labels=LABELS, device="cpu", changes={})
    assert [(entry["step"], entry["data"]) for entry in history(tmp_path)] == [(0, "here"), (5, "there")]


def test_the_command_goes_on_with_the_runs_own_settings_and_data(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start = ["train", "--preset", "mini-64", *TINY, "--data", str(folder), "--output", str(run)]
    assert main([*start, "--config.steps", "2", "--config.seed", "3"]) == 0
    first = TrainConfig.of_run(run)
    assert first is not None and (first.steps, first.seed, first.decay_steps) == (2, 3, 1)
    assert main(["train", "-o", str(run), "--resume", "--config.steps=4"]) == 0
    assert TrainConfig.of_run(run) == replace(first, steps=4, decay_steps=2)
    assert [record["step"] for record in records(run) if record["kind"] == "train"] == [1, 2, 3, 4]
    assert [entry["data"] for entry in history(run)] == [str(folder.resolve())] * 2


def test_resume_starts_a_run_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    command = ["train", "--preset", "mini-64", *TINY, "--data", str(folder), "--output", str(tmp_path / "run")]
    assert main([*command, "--resume", "--config.steps", "1"]) == 0
    assert last_checkpoint(tmp_path / "run")["step"] == 1


def test_settings_that_cannot_be_read_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("{")
    assert main(["train", "--output", str(tmp_path), "--resume"]) == 2
    assert "cannot read the settings of the run in" in capsys.readouterr().err


@pytest.mark.parametrize(("steps", "decay"), [(20, 12), (6000, 3600), (1, 1)])
def test_steps_alone_scale_the_schedule(steps: int, decay: int, config: TrainConfig) -> None:
    assert replace(config, steps=3000, decay_steps=1800).with_steps(steps) == replace(
        config, steps=steps, decay_steps=decay
    )


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows knows no SIGHUP")
def test_a_closed_terminal_saves_and_the_run_ends_as_the_straight_one(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attended: None
) -> None:
    train(config, data, tmp_path / "straight")
    with (
        monkeypatch.context() as patch,
        pytest.raises(Interrupted, match="stopped at step 2, which is saved") as caught,
    ):
        patch.setattr(loop, "training_step", hanging_up_at(2, loop.training_step))
        train(config, data, tmp_path / "cut")
    assert caught.value.exit_code == 128 + signal.SIGHUP
    train(config, data, tmp_path / "cut", resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(tmp_path / "cut"))
    assert records(tmp_path / "straight") == records(tmp_path / "cut")
    assert history(tmp_path / "straight") == history(tmp_path / "cut")


def hanging_up_at(step: int, training_step: Callable[..., Any]) -> Callable[..., Any]:
    def signalled(state: Any, *args: Any) -> Any:
        if state.step + 1 == step:
            signal.raise_signal(signal.SIGHUP)
        return training_step(state, *args)

    return signalled


def test_a_bundled_model_is_a_start(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three labels are not nineteen: the name is found, and the sizes are compared."""
    command = ["train", "--preset", "mini-128", "--data", str(folder), "--output", str(tmp_path / "run")]
    assert main([*command, "--start-from", "portraits-256"]) == 2
    assert "num_regions 19 there, 3 here" in capsys.readouterr().err
    assert main([*command, "--start-from", "portraits-256", "--method", "spade"]) == 2
    assert "architecture sean there, spade here" in capsys.readouterr().err
    assert main([*command, "--start-from", "nothing"]) == 2
    assert "unknown model 'nothing'; expected a bundled one" in capsys.readouterr().err


def test_without_held_out_pictures_the_scores_are_those_of_training_pictures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = ["train", "--preset", "mini-64", *TINY, "--config.validation", "0.0", "--config.steps", "1"]
    assert main([*command, "--data", str(folder), "--output", str(run)]) == 0
    assert "no pictures are held out: the scores are those of training pictures" in capsys.readouterr().err
    assert [record["kind"] for record in records(run)] == ["train", "training pictures"]
    assert (run / "model").is_dir() and not (run / "best").exists()


def test_one_picture_is_enough(tmp_path: Path) -> None:
    write_paired(tmp_path / "one", SyntheticScenes(size=SIZE, length=1, labels=LABELS))
    run = tmp_path / "run"
    command = ["train", "--preset", "mini-64", *TINY, "--config.steps", "1", "--output", str(run)]
    assert main([*command, "--data", str(tmp_path / "one")]) == 0
    assert (run / "model").is_dir()


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_networks_that_see_edges_need_instances(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert main(["train", "--preset", "cityscapes", "--data", str(folder), "--output", str(tmp_path / "r"), *more]) == 2
    assert "expected instance maps (instances/*.png) in" in capsys.readouterr().err
