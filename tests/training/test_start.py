"""`sean.train`: settings by name, a run that goes on, and what is refused."""

import json
from pathlib import Path

import pytest

import sean
from sean.pretrained import CONFIG_NAME
from sean.training.config import TrainConfig
from sean.training.log import METRICS_NAME


def steps_of(run: Path) -> list[int]:
    lines = map(json.loads, (run / METRICS_NAME).read_text().splitlines())
    return [line["step"] for line in lines if "step" in line]


@pytest.mark.integration
def test_settings_and_a_run_that_goes_on(config: TrainConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    model = sean.train(None, run, config=config, device="cpu", steps=2)
    assert model == run / "model" and (model / CONFIG_NAME).is_file() and max(steps_of(run)) == 2
    assert sean.train(None, str(run), resume=True, device="cpu", steps=3) == model
    assert max(steps_of(run)) == 3
    with pytest.raises(sean.InputError, match="already holds a training"):
        sean.train(None, run, config=config, device="cpu")


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sean.InputError, match="unknown setting 'epochs' of a training; expected some of accumulate, "):
        sean.train(tmp_path, tmp_path / "run", epochs=3)
    with pytest.raises(sean.InputError, match="expected a data folder for the preset 'mini-128', got none"):
        sean.train(None, tmp_path / "run")
    with pytest.raises(sean.InputError, match="unknown preset 'large'"):
        sean.train(tmp_path, tmp_path / "run", preset="large")
    with pytest.raises(sean.InputError, match="unknown method 'gan'"):
        sean.train(tmp_path, tmp_path / "run", method="gan")
    with pytest.raises(sean.InputError, match="device"):
        sean.train(tmp_path, tmp_path / "run", device="gpu")
    assert not (tmp_path / "run").exists()
