"""`sean evaluate`: its report, what it says, how it goes on, and bad input in one line."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

import sean
import sean.commands.evaluation as command
from sean.cli import main
from sean.data.folder import PairedFolder
from sean.data.shards.writing import write_shards
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.labels import LabelSet
from sean.models.build import build_model
from sean.models.configs import SEANConfig, UNetParserConfig
from sean.models.parsers import UNetParser
from sean.models.weights import save_model, save_parser

from ..support.forks import fork_ranks, wait

LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
TINY = SEANConfig(num_regions=3, image_size=(32, 32), style_dim=8, base_channels=2, mask_dim=4, encoder_channels=4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a parser, and ten pairs, of which the last five are held out below."""
    folder = tmp_path_factory.mktemp("evaluate")
    torch.manual_seed(0)
    save_model(folder / "model", build_model(TINY, init_gain=1.0), LABELS)
    parser = UNetParser(UNetParserConfig(num_regions=3, image_size=(32, 32), widths=(2, 2, 2, 2, 2, 4)))
    save_parser(folder / "parser", parser, LABELS)
    write_paired(folder / "data", SyntheticScenes(size=(32, 32), length=10, labels=LABELS))
    return folder


def options(place: Path, report: Path, *others: str) -> list[str]:
    data = ["--data", f"{place}/data", "--validation", "0.5", "--batch-size", "2"]
    return ["evaluate", "--model", f"{place}/model", *data, "--output", str(report), *others]


def judged(place: Path) -> list[str]:
    return ["--extractor", f"{place}/parser", "--segmenter", f"{place}/parser"]


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Run a command line that must fail; returns its one line."""
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("sean: "), lines
    return lines[0]


def test_reconstruction_and_exchange(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(place, tmp_path / "report.json", "--region", "thing")) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["rows"]) == ["model"]
    row = report["rows"]["model"]
    assert row["pictures"] == 5
    assert row["reconstruction"]["psnr"] > 3
    assert 0 < row["reconstruction"]["rmse"] < 1
    assert report["exchange_thing"]["pairs"] >= 4
    assert set(report["left_out"]) == {"LPIPS", "FID and KID", "mIoU and accuracy"}
    assert "lpips" in report["left_out"]["LPIPS"]
    assert "Gaussian window 11" in report["ssim"]
    said = capsys.readouterr().out
    for word in (
        "PSNR",
        "SSIM",
        "RMSE",
        "exchange of thing",
        "left out: LPIPS",
        "left out: FID and KID (no extractor",
    ):
        assert word in said
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_all_that_the_report_names(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(place, tmp_path / "report.json", *judged(place), "--seed", "3")) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["model"], report["data"], report["labels"]) == ("model", "data", "three")
    assert report["split"] == {
        "validation": 0.5,
        "training_prefix": "",
        "count": None,
        "validation_pictures": 5,
        "training_data": "data",
        "training_pictures": 5,
    }
    assert (report["size"], report["settings"]["seed"], report["settings"]["batch_size"]) == ([32, 32], 3, 2)
    assert report["extractor"] == report["segmenter"]
    assert report["extractor"].startswith("parser parser (")
    assert report["torch"] == torch.__version__ and report["sean"] == sean.__version__
    assert str(place) not in json.dumps(report)
    said = capsys.readouterr().out
    for title in ("model", "real pictures"):
        row = report["rows"][title]
        assert (row["pictures"], row["distances"]["pictures"], row["distances"]["training_pictures"]) == (5, 5, 5)
        assert 0 <= row["segmentation"]["miou"] <= row["segmentation"]["accuracy"] <= 1
        assert list(row["segmentation"]["iou"]) == list(LABELS.names)
        assert row["distances"]["fid"] > 0
        line = next(line for line in said.splitlines() if line.startswith(title))
        assert f"{row['segmentation']['miou']:.2%}" in line and f"{row['distances']['fid']:.4g}" in line
        assert f"FID, KID of {title}: 5 pictures against 5 real training pictures" in said
    assert "reconstruction" not in report["rows"]["real pictures"]
    assert f"mIoU, accuracy: by {report['segmenter']}" in said


def test_twice_the_same(place: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert (
            main(
                options(
                    place,
                    tmp_path / f"{name}.json",
                    *judged(place),
                    "--count",
                    "3",
                    "--training-prefix",
                    "scene_000002",
                )
            )
            == 0
        )
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    split = json.loads((tmp_path / "a.json").read_text())["split"]
    assert (split["validation_pictures"], split["training_pictures"]) == (3, 1)


def split_of(report: Path) -> tuple[int, str | None, int]:
    split = json.loads(report.read_text())["split"]
    return split["validation_pictures"], split["training_data"], split["training_pictures"]


def rows_of(report: Path) -> Any:
    return json.loads(report.read_text())["rows"]


@pytest.fixture(scope="module")
def shards(place: Path) -> Path:
    write_shards(PairedFolder.open(place / "data"), place / "shards", validation=0.5)
    return place / "shards"


@pytest.mark.parametrize("whole", ["1", "1.0", "scene_"])
def test_a_whole_test_folder_is_scored(place: Path, tmp_path: Path, whole: str) -> None:
    assert main(options(place, tmp_path / "report.json", "--validation", whole)) == 0
    assert split_of(tmp_path / "report.json") == (10, None, 0)
    assert rows_of(tmp_path / "report.json")["model"]["pictures"] == 10


def test_a_single_picture_is_scored(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_paired(tmp_path / "one", SyntheticScenes(size=(32, 32), length=1, labels=LABELS))
    command = ["evaluate", "--model", f"{place}/model", "--data", f"{tmp_path}/one"]
    command += ["--output", f"{tmp_path}/report.json"]
    assert "no pair of" in refused(capsys, command)
    assert not (tmp_path / "report.json").exists()
    assert main([*command, "--validation", "1"]) == 0
    assert split_of(tmp_path / "report.json") == (1, None, 0)


def test_distances_of_a_whole_test_folder_need_training_pictures(
    place: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ["--validation", "1", *judged(place)]
    assert "was trained on as the training data" in refused(capsys, options(place, tmp_path / "report.json", *whole))
    assert list(tmp_path.iterdir()) == []
    assert main(options(place, tmp_path / "report.json", *whole, "--training-data", str(shards))) == 0
    assert split_of(tmp_path / "report.json") == (10, "shards", 5)
    distances = rows_of(tmp_path / "report.json")["model"]["distances"]
    assert (distances["pictures"], distances["training_pictures"]) == (10, 5)
    write_paired(
        tmp_path / "others", SyntheticScenes(size=(32, 32), length=2, labels=LabelSet(name="one", names=("sky",)))
    )
    line = refused(capsys, options(place, tmp_path / "r.json", *whole, "--training-data", f"{tmp_path}/others"))
    assert f"the labels of {tmp_path}/others" in line and "1 labels, the model 3" in line


def test_shards_give_the_figures_of_their_folder(
    place: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_shards(report: str, *others: str) -> list[str]:
        command = ["evaluate", "--model", f"{place}/model", "--data", str(shards), "--batch-size", "2"]
        return [*command, "--output", f"{tmp_path}/{report}.json", *others]

    assert main(options(place, tmp_path / "folder.json", *judged(place), "--count", "3")) == 0
    assert main(of_shards("shards", *judged(place), "--count", "3")) == 0
    assert split_of(tmp_path / "shards.json") == (3, "shards", 3)
    assert rows_of(tmp_path / "shards.json") == rows_of(tmp_path / "folder.json")
    assert main(of_shards("whole", "--validation", "1")) == 0
    assert main(options(place, tmp_path / "folder.json", "--validation", "1")) == 0
    assert split_of(tmp_path / "whole.json") == (10, None, 0)
    assert rows_of(tmp_path / "whole.json") == rows_of(tmp_path / "folder.json")
    for wrong in (["--validation", "0.5"], ["--validation", "scene_"], ["--training-prefix", "scene_"]):
        assert "made when they were written" in refused(capsys, of_shards("wrong", *wrong))


def test_ctrl_c_and_the_same_command_again(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options(place, tmp_path / "whole.json", *judged(place))) == 0
    seen: list[int] = []

    def interrupting(items: Any, description: str, total: int) -> Any:
        for item in items:
            seen.append(item)
            if len(seen) == 5:  # in the second batch of the model, after three of training pictures
                raise KeyboardInterrupt
            yield item

    with monkeypatch.context() as patch:
        patch.setattr(command, "tracked", interrupting)
        assert main(options(place, tmp_path / "report.json", *judged(place))) == 130
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "the same command goes on" in said[0]
    parts = {f"report.json.{stage}.part-0-of-1.safetensors" for stage in ("training", "model")}
    assert {path.name for path in tmp_path.iterdir()} == {"whole.json", *parts}
    monkeypatch.setattr(command, "tracked", lambda items, description, total: seen.append(total) or items)
    assert main(options(place, tmp_path / "report.json", *judged(place))) == 0
    assert seen[5:] == [0, 2, 3]
    assert (tmp_path / "report.json").read_text() == (tmp_path / "whole.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"whole.json", "report.json"}


def test_bad_input_is_one_line(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def line(*others: str) -> str:
        return refused(capsys, options(place, tmp_path / "report.json", *others))

    assert "unknown extractor 'nix'" in line("--extractor", "nix")
    assert "unknown parser 'nix'" in line("--segmenter", "nix")
    assert "inception needs torchvision" in line("--extractor", "inception")
    assert "found none at" in line("--extractor", f"{place}/data")
    assert "expected a data folder" in line("--data", f"{tmp_path}/none")
    assert "expected a count of at least 1" in line("--count", "0")
    assert "seed" in line("--seed", "-1")
    assert "unknown region 'beard'" in line("--region", "beard")
    assert "found no file" in line("--label-mapping", f"{tmp_path}/none.json")
    assert ".json" in refused(capsys, options(place, tmp_path / "report.txt"))
    save_parser(
        tmp_path / "two", UNetParser(UNetParserConfig(num_regions=2)), LabelSet(name="two", names=("sky", "sea"))
    )
    assert "no counterpart for 'sky', 'sea'" in line("--segmenter", f"{tmp_path}/two")
    write_paired(
        tmp_path / "pairs", SyntheticScenes(size=(32, 32), length=4, labels=LabelSet(name="two", names=("sky", "sea")))
    )
    assert "are not the model's" in line("--data", f"{tmp_path}/pairs")
    part = tmp_path / "report.json.model.part-0-of-1.safetensors"
    part.write_bytes(b"garbage")
    assert f"{part} is a damaged partial evaluation" in line()
    assert not (tmp_path / "report.json").exists()


def run_command(arguments: list[str], said: Path) -> None:
    """A command on the CPU; what it prints is added to a file."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(1)
    with said.open("a") as file, contextlib.redirect_stdout(file):
        assert main(arguments) == 0


@pytest.mark.integration
def test_two_processes_write_the_report_of_one(place: Path, tmp_path: Path) -> None:
    arguments = options(place, tmp_path / "two.json", *judged(place), "--region", "thing")
    wait(*fork_ranks(2, run_command, arguments, tmp_path / "said.txt"))
    assert (tmp_path / "said.txt").read_text().count("written:") == 1
    assert main(options(place, tmp_path / "one.json", *judged(place), "--region", "thing")) == 0
    two, one = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("two", "one"))
    assert (two.pop("processes"), one.pop("processes")) == (2, 1)
    assert_close(two, one)
    assert {path.name for path in tmp_path.iterdir()} == {"one.json", "two.json", "said.txt"}


def assert_close(ours: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        assert list(ours) == list(wanted)
        for name, value in wanted.items():
            assert_close(ours[name], value)
    else:
        assert ours == (pytest.approx(wanted, rel=1e-6, abs=1e-8) if isinstance(wanted, float) else wanted)
