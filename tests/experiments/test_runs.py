"""Which runs an experiment has, and that what is missing is trained on equal terms."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sean.errors import InputError
from sean.experiments import runs as runs_module
from sean.experiments.runs import DataSet, Terms, check_trained, is_trained, run_config, runs_of, train_missing
from sean.models.configs import Pix2PixHDConfig, SPADEConfig
from sean.models.weights import load_model

from .conftest import BUDGET, PRESET

TERMS = Terms(preset=PRESET, budget=BUDGET)


def test_folders_of_runs(tmp_path: Path, data: Path) -> None:
    runs = runs_of(tmp_path, DataSet(folder=data), ["sean", "spade"], [3, 4])
    assert [str(run.folder.relative_to(tmp_path)) for run in runs] == [
        "celebamask_drawn/sean/seed-3",
        "celebamask_drawn/spade/seed-3",
        "celebamask_drawn/sean/seed-4",
        "celebamask_drawn/spade/seed-4",
    ]
    assert DataSet().name == "synthetic"


def test_data_sets_as_words(data: Path) -> None:
    assert DataSet.parse("synthetic") == DataSet()
    assert DataSet.parse(str(data)) == DataSet(folder=data)
    assert DataSet.parse(f"{data}:val_:train_") == DataSet(folder=data, validation="val_", training_prefix="train_")
    for text in (f"{data}:val_", f"{data}:a:b:c"):
        with pytest.raises(InputError, match="expected DIR or DIR:VALIDATION:TRAINING"):
            DataSet.parse(text)
    with pytest.raises(InputError, match="expected a folder of training pairs, found none at nowhere"):
        DataSet.parse("nowhere")


def test_all_methods_have_equal_terms() -> None:
    """Data, steps, schedule, rates and seed; parameters are looked at in tests/training/test_methods.py."""
    sean, spade, pix2pixhd = (
        run_config(run, TERMS) for run in runs_of(Path("x"), DataSet(), ["sean", "spade", "pix2pixhd"], [7])
    )
    assert isinstance(spade.model, SPADEConfig) and isinstance(pix2pixhd.model, Pix2PixHDConfig)
    for config in (sean, spade, pix2pixhd):
        assert (config.steps, config.decay_steps, config.seed, config.batch_size) == (2, 1, 7, 2)
        assert config.generator_rate == sean.generator_rate and config.losses.l1 == sean.losses.l1
        assert config.model.image_size == (32, 32) and config.model.num_regions == 19


def test_the_terms_may_name_the_rate() -> None:
    for run in runs_of(Path("x"), DataSet(), ["sean", "pix2pixhd"], [7]):
        own, given = run_config(run, TERMS), run_config(run, replace(TERMS, rate=0.25))
        assert given == replace(own, generator_rate=0.25, discriminator_rate=0.25) != own
    for rate in (0.0, -1.0, 1.0, math.nan):
        with pytest.raises(InputError, match="expected a learning rate between 0 and 1, got"):
            Terms(rate=rate)


@pytest.mark.integration
def test_missing_runs_are_trained_and_others_left(tmp_path: Path, data: Path) -> None:
    (run,) = runs_of(tmp_path, DataSet(folder=data), ["pix2pixhd"], [1])
    message = r"no pix2pixhd of 2 steps on celebamask_drawn in .*; train it, or give the budget"
    with pytest.raises(InputError, match=message):
        check_trained(run, TERMS)
    train_missing([run], TERMS)
    check_trained(run, TERMS)
    model, _ = load_model(run.model)
    assert model.config == run_config(run, TERMS).model
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()}
    train_missing([run], TERMS)
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()} == before
    longer = Terms(preset=PRESET, budget=4)
    assert not is_trained(run, longer)
    with pytest.raises(InputError, match="steps: 2 then, 4 now"):
        train_missing([run], longer)


@pytest.mark.integration
def test_a_finished_run_of_other_terms_or_data_is_refused(tmp_path: Path, data: Path) -> None:
    models = tmp_path / "models"
    (run,) = runs_of(models, DataSet(folder=data), ["pix2pixhd"], [1])
    train_missing([run], TERMS)
    held_out = DataSet(folder=data, validation=0.5)
    other = tmp_path / "other" / data.name
    shutil.copytree(data, other)
    cases = (
        (run, replace(TERMS, rate=0.25), "generator_rate: 0.0005 then, 0.25 now"),
        (*runs_of(models, held_out, ["pix2pixhd"], [1]), TERMS, "validation: None then, 0.5 now"),
        (*runs_of(models, DataSet(folder=other), ["pix2pixhd"], [1]), TERMS, "was trained on .*, and the pictures of"),
    )
    for same_place, terms, message in cases:
        with pytest.raises(InputError, match=message):
            train_missing([same_place], terms)
        with pytest.raises(InputError, match=message):
            check_trained(same_place, terms)
    moved = data.rename(tmp_path / "moved")
    try:
        check_trained(*runs_of(models, DataSet(folder=other), ["pix2pixhd"], [1]), TERMS)
    finally:
        moved.rename(data)


def test_a_budget_is_some_steps() -> None:
    with pytest.raises(InputError, match="at least 2 steps, got 1"):
        Terms(budget=1)


def test_the_device_reaches_the_trainings(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(runs_module, "train", lambda *_, device, **__: asked.append(device))
    train_missing(runs_of(tmp_path, DataSet(folder=data), ["sean"], [0, 1]), TERMS, "cuda:1")
    assert asked == ["cuda:1", "cuda:1"]


def test_runs_on_scenes_have_no_settings_of_photos(tmp_path: Path) -> None:
    (run,) = runs_of(tmp_path, DataSet(), ["sean"], [0])
    config = run_config(run, replace(TERMS, preset="portraits-128"))
    assert (config.resize, config.shrink, config.recolor) == (1.0, 1.0, 0.0)
