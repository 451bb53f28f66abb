"""`sean data prepare`, `sean data check` and `sean data parse`: what they say, and the exit codes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sean.cli import main
from sean.data.folder import PairedFolder
from sean.images import write_image
from sean.labels import LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.parsers import UNetParser
from sean.models.weights import save_parser
from sean.parsing import labelling

from ..data.official.miniature import cityscapes, cmp_facades


def test_a_download_becomes_a_checked_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cityscapes(tmp_path / "download"), tmp_path / "pairs"
    command = ["data", "prepare", "cityscapes", str(source), str(root), "--size", "16", "--workers", "1"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines() == [
        f"{root}: cityscapes, 8 pairs: 6 training, 2 validation",
        "labels that occur: 23 of 35",
    ]
    assert main(command) == 0
    assert capsys.readouterr().out == (
        f"{root} is prepared already as cityscapes, 8 pairs: 6 training, 2 validation; "
        f"to verify it: sean data check {root}\n"
    )
    assert main(["data", "check", str(root)]) == 0
    said = capsys.readouterr()
    assert said.err == "" and "sizes (h x w): 16 x 32 (8)\nsplit: 6 training, 2 validation\n" in said.out
    assert said.out.rstrip().endswith("no problems")


def test_what_changed_in_a_prepared_folder_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    assert main(["data", "prepare", "cmp-facades", str(source), str(root), "--workers", "1"]) == 0
    capsys.readouterr()
    (root / "images" / "cmp_b0001.jpg").write_bytes((root / "images" / "cmp_b0002.jpg").read_bytes())
    (root / "labels" / "cmp_x0001.png").unlink()
    assert main(["data", "check", str(root)]) == 2
    said = capsys.readouterr()
    assert said.err == (f"sean: {root} has problems, listed above; mend or remove these files before training\n")
    assert "1 files of manifest.json that are missing:\n  labels/cmp_x0001.png\n" in said.out
    assert "1 files that changed since they were prepared:\n  images/cmp_b0001.jpg\n" in said.out
    assert "1 names in the split of manifest.json that have no pair:\n  cmp_x0001\n" in said.out


def test_an_unfinished_folder_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    (source / "base" / "cmp_b0001.jpg").write_bytes(b"nothing")
    assert main(["data", "prepare", "cmp-facades", str(source), str(root), "--workers", "1"]) == 2
    assert (
        f"  expected a picture (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF), but {source / 'base' / 'cmp_b0001.jpg'} is none"
        in (capsys.readouterr().out)
    )
    assert main(["data", "check", str(root)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"sean: {root} is not prepared to the end; run the same `sean data prepare` again to finish it\n"
    )


@pytest.fixture
def parser_folder(tmp_path: Path) -> Path:
    """A parser of two labels with random weights."""
    torch.manual_seed(0)
    parser = UNetParser(UNetParserConfig(num_regions=2, image_size=(32, 32), widths=(2, 2, 2, 2, 2, 2)))
    save_parser(tmp_path / "parser", parser, LabelSet(name="two", names=("sky", "sea")))
    for number in range(3):
        write_image(tmp_path / "pictures" / f"{number}.png", np.full((40, 48, 3), 60 * number, dtype=np.uint8))
    return tmp_path / "parser"


def test_pictures_are_parsed(parser_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "parse", f"{tmp_path}/pictures", "--output", f"{tmp_path}/pairs", "--parser", str(parser_folder)]
    assert main([*command, "--least-score", "0.5"]) == 0
    said = capsys.readouterr()
    assert f"{tmp_path}/pairs: 3 pictures labelled, 0 left out" in said.out and said.err == ""
    folder = PairedFolder.open(tmp_path / "pairs")
    assert folder.stems == ("0", "1", "2") and folder.labels.names == ("sky", "sea")
    assert main(["data", "check", f"{tmp_path}/pairs"]) == 0
    capsys.readouterr()
    assert main([*command, "--least-score", "0.6"]) == 2
    assert "begun with other settings (least_score)" in capsys.readouterr().err


def test_labels_can_be_given(parser_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "classes.txt").write_text("0 water\n1 sky\n")
    (tmp_path / "match.json").write_text('{"map": {"sea": "water"}}')
    command = ["data", "parse", f"{tmp_path}/pictures", "--output", f"{tmp_path}/pairs", "--parser", str(parser_folder)]
    command += ["--labels", f"{tmp_path}/classes.txt", "--least-score", "0.5"]
    assert main(command) == 2
    assert "no counterpart for" in capsys.readouterr().err
    assert main([*command, "--label-mapping", f"{tmp_path}/match.json"]) == 0
    assert PairedFolder.open(tmp_path / "pairs").labels.names == ("water", "sky")


def test_an_interrupted_parsing_says_how_to_go_on(
    parser_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(labelling, "label_pictures", interrupted)
    command = ["data", "parse", f"{tmp_path}/pictures", "--output", f"{tmp_path}/pairs", "--parser", str(parser_folder)]
    assert main(command) == 130
    assert f"what is done is in {tmp_path}/pairs, and the same command goes on" in capsys.readouterr().err
