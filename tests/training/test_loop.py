"""The loop: what a run leaves behind, what it refuses, and that neither looking nor stopping changes a weight."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from sean.data.synthetic.scenes import SyntheticScenes
from sean.errors import InputError, Interrupted
from sean.losses.weights import LossWeights
from sean.models.weights import load_model
from sean.training import loop, validation
from sean.training.checkpoints import checkpoint_path
from sean.training.config import TrainConfig
from sean.training.data import TrainingData, open_data
from sean.training.log import TrainingLog
from sean.training.loop import train

from .conftest import LABELS, assert_same, last_checkpoint, records

pytestmark = pytest.mark.usefixtures("quick_loop")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its place."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_a_run_leaves_behind(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    config = replace(config, sample_every=2, model=replace(config.model, num_regions=19))
    run = tmp_path / "runs" / "first"
    assert train(config, data, run) == run / "model"
    files = set(contents(run))
    events = {name for name in files if name.startswith("tensorboard")}
    assert len(events) == 1
    assert files - events == {
        ".lock",
        "best/README.md",
        "best/config.json",
        "best/model.safetensors",
        "checkpoints/step-0000004.safetensors",
        "config.json",
        "history.jsonl",
        "metrics.jsonl",
        "model/README.md",
        "model/config.json",
        "model/model.safetensors",
        "samples/step-0000002.png",
        "samples/step-0000004.png",
    }
    resolved = replace(config, model=replace(config.model, num_regions=3))  # of the data
    assert TrainConfig.from_json((run / "config.json").read_text(encoding="utf-8")) == resolved
    kinds = [(record["kind"], record["step"]) for record in records(run)]
    assert kinds == [
        ("train", 1),
        ("train", 2),
        ("validation", 2),
        ("train", 3),
        ("train", 4),
        ("validation", 4),
    ]
    assert {"psnr", "ssim", "rmse", "psnr_of_flat_colors"} <= records(run)[2].keys()


def test_the_exported_model_is_the_average(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    train(config, data, tmp_path / "run")
    model, labels = load_model(tmp_path / "run" / "model")
    assert labels == LABELS
    average = last_checkpoint(tmp_path / "run")["average"]
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    exported = {name: value for name, value in model.state_dict().items() if not name.endswith(statistics)}
    assert_same(exported, {name: value for name, value in average.items() if not name.endswith(statistics)})
    # recomputed, while the state keeps its own
    name = "generator.blocks.0.norm_0.norm.running_mean"
    assert not torch.equal(model.state_dict()[name], average[name])


def test_an_existing_run_is_not_overwritten(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    for name in ("checkpoints/step-0000007.safetensors", "metrics.jsonl"):
        run = tmp_path / name.partition(".")[0].replace("/", "_")
        (run / name).parent.mkdir(parents=True)
        (run / name).write_text("mine")
        with pytest.raises(InputError) as caught:
            train(config, data, run)
        assert str(caught.value) == (f"{run} already holds a training; resume it or choose another folder")
        assert contents(run) == {name: b"mine"}


def test_a_finished_run_returns_at_once(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, steps=1, decay_steps=1)
    train(config, data, tmp_path)
    before = {name: content for name, content in contents(tmp_path).items() if "tensorboard" not in name}
    for name in ("training_step", "validate_and_export"):
        monkeypatch.setattr(loop, name, None)
    assert train(config, data, tmp_path, resume=True) == tmp_path / "model"
    assert {name: content for name, content in contents(tmp_path).items() if "tensorboard" not in name} == before


def test_a_run_is_not_continued_with_other_settings(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    config = replace(config, steps=1, decay_steps=1)
    train(config, data, tmp_path)
    before = contents(tmp_path)
    changed = replace(config, ema_decay=0.5, resize=1.5)
    with pytest.raises(InputError, match=r"ema_decay: 0.999 then, 0.5 now; resize: 1.0 then, 1.5 now"):
        train(changed, data, tmp_path, resume=True)
    four = replace(data, labels=replace(LABELS, names=("a", "b", "c", "d")))
    with pytest.raises(InputError, match=r"the data has 4 labels, the model 3"):
        train(config, four, tmp_path, resume=True)
    assert contents(tmp_path) == before


def test_a_damaged_checkpoint_is_one_line_and_stays(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path, 3)
    path.parent.mkdir()
    path.write_bytes(b"damaged" * 9)
    with pytest.raises(InputError, match=r"no checkpoint of .* can be read: .*is damaged") as caught:
        train(config, data, tmp_path, resume=True)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {".lock": b"", "checkpoints/step-0000003.safetensors": b"damaged" * 9}


def test_looking_changes_nothing(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    """Validation, samples, export, logs and checkpoints at every step, or only at the end: the same training."""
    train(config, data, tmp_path / "blind")
    train(replace(config, sample_every=1, checkpoint_every=1, log_every=3), data, tmp_path / "looking")
    blind, looking = (last_checkpoint(tmp_path / name) for name in ("blind", "looking"))
    for name in ("config", "best"):
        blind.pop(name), looking.pop(name)
    assert_same(blind, looking)
    assert len(list((tmp_path / "looking" / "samples").iterdir())) == 4
    for name in ("model/model.safetensors", "samples/step-0000004.png"):
        assert (tmp_path / "blind" / name).read_bytes() == (tmp_path / "looking" / name).read_bytes()


def test_without_vgg19_the_term_is_off_and_said_to_be(
    config: TrainConfig,
    data: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loop, "load_vgg19", lambda weights: None)
    config = replace(config, losses=LossWeights(), steps=1, decay_steps=0)
    train(config, data, tmp_path)
    assert "the perceptual term is OFF" in capsys.readouterr().err
    assert "perceptual" not in records(tmp_path)[0]


class Broken(Dataset[dict[str, Any]]):
    """Its pictures cannot be read from the fourth on."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        if key[0] == 1:
            raise InputError("expected a picture, but five.png is none")
        return self.whole[key]


def test_a_broken_picture_stops_the_run_which_then_continues(
    config: TrainConfig, data: TrainingData, tmp_path: Path
) -> None:
    config = replace(config, checkpoint_every=1)
    train(config, data, tmp_path / "straight")
    with pytest.raises(InputError) as caught:
        train(config, replace(data, training=Broken(data.training)), tmp_path / "cut")
    assert str(caught.value) == "expected a picture, but five.png is none"
    assert last_checkpoint(tmp_path / "cut")["step"] == 2
    train(config, data, tmp_path / "cut", resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(tmp_path / "cut"))


def test_fine_tuning_starts_from_the_weights_of_a_model(
    config: TrainConfig, data: TrainingData, tmp_path: Path
) -> None:
    """With a rate of almost nothing, the exported model is the one it started from; other widths are refused."""
    first = train(config, data, tmp_path / "first")
    still = replace(config, steps=1, decay_steps=0, seed=7, generator_rate=1e-12)
    second = train(still, data, tmp_path / "second", start_from=first)
    fresh = train(still, data, tmp_path / "fresh")
    weights = [dict(load_model(folder)[0].named_parameters()) for folder in (first, second, fresh)]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=1e-6, rtol=0)
    assert any((weights[2][name] - weight).abs().max() > 1e-3 for name, weight in weights[0].items())
    larger = replace(still, model=replace(config.model, image_size=(64, 64)))  # weights fit any size
    scenes = SyntheticScenes(size=(64, 64), length=2, labels=LABELS)
    third = train(larger, replace(data, training=scenes, validation=scenes), tmp_path / "larger", start_from=first)
    for name, weight in load_model(third)[0].named_parameters():
        torch.testing.assert_close(weight, weights[0][name], atol=1e-6, rtol=0)
    wider = replace(still, model=replace(config.model, style_dim=4))
    with pytest.raises(InputError, match=r"found another \(style_dim \d+ there, 4 here\)"):
        train(wider, data, tmp_path / "third", start_from=first)


def test_a_signal_saves_and_the_run_goes_on_later(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM in step 2, between the updates: the step is finished and saved, and a resume ends as the straight run."""
    train(config, data, tmp_path / "straight")
    step = loop.training_step

    def signalled(state: Any, *args: Any) -> dict[str, float]:
        if state.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(state, *args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "training_step", signalled)
        with pytest.raises(
            Interrupted, match="stopped at step 2, which is saved; no model folder yet; resume"
        ) as caught:
            train(config, data, tmp_path / "cut")
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert last_checkpoint(tmp_path / "cut")["step"] == 2
    train(config, data, tmp_path / "cut", resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(tmp_path / "cut"))


def test_a_signal_in_the_last_step_leaves_a_whole_run(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No continuation would validate and export: the run has done all its steps."""
    straight = train(config, data, tmp_path / "straight")
    step = loop.training_step

    def signalled(state: Any, *args: Any) -> dict[str, float]:
        if state.step == config.steps - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(state, *args)

    monkeypatch.setattr(loop, "training_step", signalled)
    model = train(config, data, tmp_path / "signalled")
    assert last_checkpoint(tmp_path / "signalled")["step"] == config.steps
    assert_same(load_model(straight)[0].state_dict(), load_model(model)[0].state_dict())


class Deadly(Dataset[dict[str, Any]]):
    """Reading it a fourth time kills the process that reads."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        if key[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.whole[key]


@pytest.mark.integration
def test_a_dead_worker_is_one_line(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    config = replace(config, num_workers=1, checkpoint_every=1, steps=20)
    with pytest.raises(InputError, match=r"a process that reads data is gone .*fewer num_workers") as caught:
        train(config, replace(data, training=Deadly(data.training)), tmp_path)
    assert "\n" not in str(caught.value)
    assert last_checkpoint(tmp_path)["step"] >= 1


def test_a_workers_death_amid_another_function_is_one_line(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch raises it out of a signal handler, anywhere in the main process, and others may wrap it."""

    def wrapped(*_: Any) -> dict[str, float]:
        try:
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
        except RuntimeError as error:
            raise TypeError("a check failed") from error

    monkeypatch.setattr(loop, "training_step", wrapped)
    with pytest.raises(InputError, match=r"after step 0: a process that reads data is gone \(DataLoader worker"):
        train(config, data, tmp_path / "dead")
    monkeypatch.setattr(loop, "training_step", lambda *_: {}[1])
    with pytest.raises(KeyError):
        train(config, data, tmp_path / "other")


def test_logs_on_a_full_disk_are_one_line(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(replace(config, steps=1, decay_steps=1), data, tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    log = TrainingLog(tmp_path, 0, 4, 1)
    with pytest.raises(InputError, match=r"cannot write the logs in .*No space left on device"), log:
        log.step(1, {"l1": 1.0})


def test_skipping_does_not_go_on_forever(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_SKIPPED_IN_A_ROW", 3)

    def skipped(state: Any, *_: Any) -> dict[str, float]:
        state.step += 1
        state.skipped += state.step != 2
        return {} if state.step != 2 else {"l1": 1.0}

    monkeypatch.setattr(loop, "training_step", skipped)
    with pytest.raises(InputError, match="step 5: 3 steps in a row"):
        train(replace(config, steps=10, non_finite="skip"), data, tmp_path)


def test_the_best_model_is_kept(
    config: TrainConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PSNR 10, 30, 20, 15 at the four validations: best/ is the model of the second, model/ that of the last."""
    scores = iter([10.0, 30.0, 20.0, 15.0])
    exported: list[bytes] = []

    def scored(*_: Any) -> dict[str, float]:
        path = tmp_path / "run" / "model" / "model.safetensors"
        exported.append(path.read_bytes() if path.exists() else b"")
        return {"psnr": next(scores)}

    monkeypatch.setattr(validation, "reconstruction_scores", scored)
    train(replace(config, sample_every=1), data, tmp_path / "run")
    best = (tmp_path / "run" / "best" / "model.safetensors").read_bytes()
    assert best == exported[2]  # what the second validation had exported
    assert best != (tmp_path / "run" / "model" / "model.safetensors").read_bytes()
    assert last_checkpoint(tmp_path / "run")["best"] == {"step": 2, "psnr": 30.0}


def test_a_damaged_checkpoint_falls_back_and_says_so(
    config: TrainConfig, data: TrainingData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(config, checkpoint_every=2)
    train(config, data, tmp_path)
    want, newest = last_checkpoint(tmp_path), checkpoint_path(tmp_path, 4)
    (tmp_path / "cut").write_bytes(newest.read_bytes()[:1000])
    (tmp_path / "cut").replace(newest)  # not in place: the tensors in `want` are the file
    capsys.readouterr()
    train(config, data, tmp_path, resume=True)
    said = capsys.readouterr().err
    assert "step-0000004.safetensors" in said and "going on from the checkpoint before it" in said
    assert "at step 2" in said
    assert_same(want, last_checkpoint(tmp_path))


@pytest.mark.parametrize(("name", "value"), [("resize", 1.5), ("shrink", 0.8), ("recolor", 0.5)])
def test_settings_that_scenes_cannot_follow_are_refused(
    config: TrainConfig, tmp_path: Path, name: str, value: float
) -> None:
    scenes = open_data(config, None)
    with pytest.raises(InputError, match=f"expected {name} .* for synthetic scenes, .* got {value:g}") as caught:
        train(replace(config, **{name: value}), scenes, tmp_path / "run")
    assert caught.value.setting == f"config.{name}"
    assert not (tmp_path / "run").exists()
