"""`sean export`: which parser goes along, and what it prints."""

from pathlib import Path

import pytest

from sean import cli
from sean.commands import export as command
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.build import build_model
from sean.models.configs import SEANConfig
from sean.models.weights import save_model


def save_tiny(folder: Path, labels: LabelSet) -> None:
    sizes = {"style_dim": 2, "base_channels": 1, "mask_dim": 2, "encoder_channels": 2, "image_size": (32, 32)}
    save_model(folder, build_model(SEANConfig(num_regions=labels.num_regions, **sizes)), labels)


def test_files_are_listed_with_what_was_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tiny(tmp_path / "tiny", LabelSet(name="two", names=("sky", "sea")))
    assert (
        cli.main(["export", "--model", str(tmp_path / "tiny"), "--output", str(tmp_path / "out"), "--checks", "1"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        str(tmp_path / "out" / name) for name in ("generator.onnx", "generator-dense.onnx", "encoder.onnx")
    ]
    assert all(" MB, within " in line and line.endswith(" of PyTorch") for line in lines)


def test_models_of_faces_take_the_bundled_parser(tmp_path: Path) -> None:
    save_tiny(tmp_path / "faces", CELEBAMASK_HQ)
    save_tiny(tmp_path / "others", LabelSet(name="two", names=("sky", "sea")))
    parser = command._parser_for(tmp_path / "faces")
    assert parser is not None and parser.name == "face-parser"
    assert command._parser_for(tmp_path / "others") is None


def test_without_onnx_one_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sean.extras.find_spec", lambda name: None)
    save_tiny(tmp_path / "tiny", LabelSet(name="two", names=("sky", "sea")))
    assert cli.main(["export", "--model", str(tmp_path / "tiny"), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "sean: sean export needs onnx, onnxruntime, which are not installed; pip install 'seankit[onnx]'\n"
    )
