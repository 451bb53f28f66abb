"""The experiments end to end, by their command: from a data folder to tables and pictures, and what stops them."""

import json
from pathlib import Path

import pytest
from PIL import Image

from sean.cli import main
from sean.experiments import tables

from .conftest import BUDGET, PRESET


def run(name: str, tmp_path: Path, *options: str) -> int:
    common = ["--models", str(tmp_path / "models"), "--output", str(tmp_path / "out"), "--preset", PRESET]
    return main(["experiment", name, *common, "--budget", str(BUDGET), *options])


@pytest.mark.integration
def test_everything_from_a_data_folder(
    tmp_path: Path, data: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, with half of the ablation, trained here; then a table from what is there already."""
    monkeypatch.setattr(tables, "ABLATION", ("pix2pixhd", "spade", "sean", "sean-no-noise"))
    remarks = tmp_path / "remarks.md"
    remarks.write_text("Nothing here means anything.")
    options = ["--data", str(data), "--model", str(model), "--pairs", "2", "--remarks", str(remarks)]
    assert run("results", tmp_path, "--train", *options) == 0
    text = (tmp_path / "out" / "results.md").read_text()
    for wanted in (
        "Table 1, reconstruction, celebamask_drawn",
        "Table 2",
        "Table 3",
        "Edit benchmark",
        "real pictures",
    ):
        assert wanted in text
    assert text.index("Edit benchmark") < text.index("Nothing here means anything.") < text.index("## Figures")
    command = (
        f"sean experiment results --data celebamask_drawn --pairs 2 --model {model} --preset tiny --budget 2 --seed 0 "
        "--train --remarks remarks.md"
    )
    assert command in text and str(tmp_path) not in text
    pictures = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 6
    for picture in pictures:
        with Image.open(tmp_path / "out" / picture) as image:
            assert image.width > 300
    values = json.loads((tmp_path / "out" / "results" / "results.json").read_text())
    assert values["terms"] == {"preset": PRESET, "budget": BUDGET, "rate": None}
    ablation = values["Table 3: the ablation"]["celebamask_drawn"]
    assert len(ablation["runs"]) == 4 and ablation["real"]["pictures"] == 2
    spade = ablation["runs"]["spade"]
    assert spade["config"]["model"]["architecture"] == "spade" and spade["seeds"]["0"]["pictures"] == 2
    assert str(tmp_path) not in json.dumps(values)
    capsys.readouterr()

    assert run("table2", tmp_path, "--data", str(data)) == 0  # nothing is trained any more
    assert capsys.readouterr().out.strip() == f"written: {tmp_path / 'out' / 'table2.md'}"
    assert "Table 1" not in (tmp_path / "out" / "table2.md").read_text()


def test_what_cannot_be_told_apart_or_read_is_refused_before_any_work(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / data.name
    other.mkdir()
    assert run("table1", tmp_path, "--data", str(data), "--data", str(other), "--train") == 2
    said = capsys.readouterr().err
    assert said == (
        "sean: expected data folders of different names, got celebamask_drawn, celebamask_drawn; rename one of them\n"
    )
    remarks = tmp_path / "remarks.md"
    remarks.write_bytes("Schön".encode("latin-1"))
    assert run("table1", tmp_path, "--data", str(data), "--train", "--remarks", str(remarks)) == 2
    assert capsys.readouterr().err == f"sean: {remarks} is not UTF-8 text (see byte 3); save it as UTF-8\n"
    assert not (tmp_path / "models").exists()


@pytest.mark.integration
def test_two_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "COMPARED", ("spade",))
    assert run("edit-benchmark", tmp_path, "--train", "--seed", "1", "--seed", "2", "--pairs", "1") == 0
    values = json.loads((tmp_path / "out" / "edit-benchmark" / "edit-benchmark.json").read_text())["edit-benchmark"]
    assert {name: sorted(seeds) for name, seeds in values["methods"].items()} == {
        name: ["1", "2"] for name in ("spade", "spade, whole style")
    }
    assert " ± " in (tmp_path / "out" / "edit-benchmark.md").read_text()


def test_the_photo_benchmark_of_a_model(tmp_path: Path, data: Path, model: Path) -> None:
    assert run("photo-benchmark", tmp_path, "--data", str(data), "--model", str(model)) == 0
    text = (tmp_path / "out" / "photo-benchmark.md").read_text()
    assert "sean experiment photo-benchmark --data celebamask_drawn --model" in text
    values = json.loads((tmp_path / "out" / "photo-benchmark" / "photo-benchmark.json").read_text())["photo-benchmark"]
    assert values["pictures"] == 2 and values["self_edits"] == 0
    assert f"| hair | composite (default) | {values['regions']['hair']['detail']['error']:.3f} |" in text


def test_style_fidelity_of_a_model(tmp_path: Path, data: Path, model: Path) -> None:
    assert run("style-fidelity", tmp_path, "--data", str(data), "--model", str(model)) == 0
    text = (tmp_path / "out" / "style-fidelity.md").read_text()
    assert "sean experiment style-fidelity --data celebamask_drawn --model" in text
    values = json.loads((tmp_path / "out" / "style-fidelity" / "style-fidelity.json").read_text())["style-fidelity"]
    assert values["pictures"] == 2 and values["regions"]["face"]["color_error"] > 0
    row = next(line for line in text.splitlines() if line.startswith("| face "))
    assert f"| {values['regions']['face']['color_error']:.1f} |" in row


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("table1", (), "expected a data folder"),
        ("style-fidelity", (), "expected a data folder"),
        ("style-fidelity", ("--data", "synthetic"), "expected a data folder with photos"),
        ("table1", ("--data", "nowhere"), "expected a folder of training pairs, found none at nowhere"),
        ("table1", ("--data", "DATA"), "no pix2pixhd of 2 steps on celebamask_drawn in"),
        ("edit-benchmark", (), "no pix2pixhd of 2 steps on synthetic in"),
        ("edit-benchmark", ("--pairs", "0"), "at least 1 pair of scenes, got 0"),
        ("table1", ("--seed", "1", "--seed", "1"), "expected different seeds of at least 0, got 1, 1"),
        ("table4", (), "table4"),
        ("figure1", ("--model", "nowhere"), "unknown model 'nowhere'"),
        ("table1", ("--remarks", "nowhere.md"), "found none at nowhere.md"),
    ],
)
def test_bad_input_is_one_line(
    name: str,
    options: tuple[str, ...],
    reason: str,
    tmp_path: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(name, tmp_path, *(str(data) if option == "DATA" else option for option in options)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sean: ") and reason in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
