"""`sean bench` from the command line: tables on the terminal, all figures in a file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sean.bench.report import as_markdown
from sean.cli import main
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.editing.pipeline import SEANPipeline
from sean.labels import CELEBAMASK_HQ
from sean.models.build import build_model

from .conftest import TINY

FEW = ["--rounds", "1", "--no-training", "--no-growth"]


def figures(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    """What is in the file; the same is printed."""
    output = tmp_path / "figures.json"
    assert main(["bench", *arguments, "--output", str(output)]) == 0
    result = json.loads(output.read_text())
    assert capsys.readouterr().out == as_markdown(result) + "\n"
    return result


def test_of_a_model_folder_on_own_label_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = build_model(replace(TINY, image_size=(32, 32), base_channels=1))
    SEANPipeline(model, CELEBAMASK_HQ).save_pretrained(tmp_path / "model")
    write_paired(tmp_path / "data", SyntheticScenes(size=(48, 48), length=2))
    arguments = ["--model", f"{tmp_path}/model", "--data", f"{tmp_path}/data", *FEW]
    machine = figures(arguments, tmp_path, capsys)["machine"]
    assert machine["image_size"] == [32, 32]
    assert machine["style_dim"] == 8
    assert machine["segmaps"] == f"{tmp_path}/data"


@pytest.mark.integration
def test_of_random_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--base-channels", "2", "--size", "32", "--labels", "20"]
    machine = figures([*sizes, *FEW], tmp_path, capsys)["machine"]
    assert (machine["base_channels"], machine["image_size"], machine["num_regions"]) == (2, [32, 32], 20)
    assert machine["style_dim"] == 512


def test_an_output_below_a_file_is_refused_before_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "note.txt").write_text("a note")
    monkeypatch.setattr("sean.bench.suite.phases", lambda *given, **options: pytest.fail("it was measured"))
    sizes = ["--base-channels", "2", "--size", "32", "--labels", "20"]
    assert main(["bench", *sizes, *FEW, "--output", f"{tmp_path}/note.txt/figures.json"]) == 2
    assert "note.txt is no folder that can be written to" in capsys.readouterr().err
