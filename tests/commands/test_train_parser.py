"""`sean train-parser`: presets and settings reach the training, and bad input is one line and exit code 2."""

import json
from pathlib import Path

import pytest

from sean.cli import main
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.models.weights import load_parser
from sean.training.parser import data, loop

TINY = [
    *("--config.steps", "2", "--config.warmup-steps", "0", "--config.batch-size", "2"),
    *("--config.model.image-size", "32", "32", "--config.model.widths", "4", "4", "4", "4", "4", "4"),
]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ACCELERATOR", "cpu")
    monkeypatch.setattr(data, "SYNTHETIC_SCENES", 4)
    monkeypatch.setattr(data, "SYNTHETIC_VALIDATION", 2)


def test_a_folder_is_trained_on_and_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_paired(tmp_path / "faces", SyntheticScenes(size=(32, 32), length=4, layouts=["faces"]))
    command = ["train-parser", "--data", f"{tmp_path}/faces", "--output", f"{tmp_path}/run", *TINY]
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "step 2: validation miou" in said and f"the parser is in {tmp_path}/run/model" in said
    parser, labels = load_parser(tmp_path / "run" / "model")
    assert parser.config.image_size == (32, 32) and labels.num_regions == parser.config.num_regions == 19
    assert main(command) == 2
    assert "already holds a training" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert f"continuing {tmp_path}/run at step 2" in capsys.readouterr().err


def test_a_run_goes_on_without_its_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_paired(tmp_path / "pairs", SyntheticScenes(size=(32, 32), length=4, layouts=["faces"]))
    run = f"{tmp_path}/run"
    assert main(["train-parser", "--data", f"{tmp_path}/pairs", "--output", run, *TINY]) == 0
    first = json.loads((tmp_path / "run" / "config.json").read_text())
    assert main(["train-parser", "--output", run, "--resume", "--config.steps", "4", "--config.rate", "0.001"]) == 0
    assert "steps 2 -> 4" in capsys.readouterr().err
    second = json.loads((tmp_path / "run" / "config.json").read_text())
    assert second == {**first, "steps": 4, "rate": 0.001}
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [entry["data"] for entry in history] == [f"{tmp_path}/pairs"] * 2


def test_the_warm_up_follows_the_number_of_steps(tmp_path: Path) -> None:
    options = [option for option in TINY if option not in ("--config.warmup-steps", "0")]
    assert main(["train-parser", "--output", f"{tmp_path}/run", *options]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["warmup_steps"] == 0  # 200 of 4000


def test_a_single_picture_is_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_paired(tmp_path / "one", SyntheticScenes(size=(32, 32), length=1, layouts=["faces"]))
    assert main(["train-parser", "--data", f"{tmp_path}/one", "--output", f"{tmp_path}/run", *TINY]) == 0
    said = capsys.readouterr().err
    assert "no pictures are held out" in said and "training pictures miou" in said


def test_the_preset_gives_the_defaults_and_scenes_stand_in_for_data(tmp_path: Path) -> None:
    assert main(["train-parser", "--preset", "mini-256", "--output", f"{tmp_path}/run", *TINY]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["augmentation"]["oversampling"] == 1 and config["steps"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "huge"], "unknown preset 'huge'; expected one of: mini-64"),
        (["--data", "nowhere"], "nowhere"),
        (["--config.model.image-size", "40", "40"], "multiples of 32"),
        (["--config.depth", "3"], "train-parser --help"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["train-parser", "--output", f"{tmp_path}/run", *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("sean: ") and message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "run").exists()
