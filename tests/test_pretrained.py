"""What comes with the package, by name."""

from pathlib import Path

import pytest

from sean import pretrained
from sean.errors import InputError
from sean.pretrained import bundled_models, find_model, find_parser, folder_title


def test_the_parser_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_bundled_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="this installation has no bundled face parser") as caught:
        find_parser("bundled", other="nothing")
    assert "\n" not in str(caught.value)
    for name in ("faces", "face-parser", "notes"):
        (tmp_path / name).mkdir()
    for name in ("faces", "face-parser"):
        (tmp_path / name / "config.json").write_text("{}")
    assert bundled_models() == ["faces"]
    assert find_parser("bundled", other="nothing") == tmp_path / "face-parser"
    assert find_parser(str(tmp_path / "notes"), other="nothing") == tmp_path / "notes"
    with pytest.raises(InputError, match="unknown judge 'nix'; expected bundled, the folder of a parser, or a friend"):
        find_parser("nix", "judge", other="a friend")
    assert find_model("faces") == tmp_path / "faces"
    with pytest.raises(InputError, match=r"unknown model 'face-parser'; expected a bundled one \(faces\)"):
        find_model("face-parser")


def test_a_network_is_called_by_its_folder_or_its_training(tmp_path: Path) -> None:
    assert folder_title(tmp_path / "small-parser") == "small-parser"
    assert folder_title(tmp_path / "faces" / "parser" / "model") == "faces/parser"
