"""What comes with the package, by name."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from sean import SEANPipeline, pretrained
from sean.cli import main
from sean.errors import InputError, Replaced
from sean.pretrained import DEFAULT_MODEL, bundled_models, find_model, find_parser, folder_title, read_card


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


@pytest.mark.parametrize("name", ["README.md", "LICENSE"])
def test_a_card_in_another_encoding(tmp_path: Path, name: str) -> None:
    """As Windows programs write it, and as no program should."""
    (tmp_path / name).write_bytes("Schön".encode("utf-16"))
    assert "Schön" in read_card(tmp_path)
    (tmp_path / name).write_bytes("Schön".encode("latin-1"))
    with pytest.raises(InputError, match=f"{name} is not UTF-8 text"):
        read_card(tmp_path)


def test_the_name_of_an_earlier_model_gives_the_one_that_replaced_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(Replaced, match="celebamask-mini-128 was replaced by portraits-256"):
        assert find_model("celebamask-mini-128") == find_model(DEFAULT_MODEL)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["list", "celebamask-mini-128"]) == 0
    said = capsys.readouterr().err
    assert said == "sean: the model celebamask-mini-128 was replaced by portraits-256, which is taken\n"
    show = warnings.showwarning
    assert main(["list"]) == 0
    assert warnings.showwarning is show


def test_the_bundled_model_renders_the_colours_of_its_styles() -> None:
    """Hair beside background; the network alone misses some of these colours by 20 levels."""
    pipe = SEANPipeline.from_pretrained()
    hair = pipe.labels.id_of("hair")
    segmap = np.zeros(pipe.image_size, np.uint8)
    segmap[:, 128:] = hair
    for styles in pipe.style_bank[::8]:
        made = pipe(segmap, styles, output_type="np")[:, 128:].mean(axis=(0, 1))
        np.testing.assert_allclose(made, 127.5 * (styles.codes[hair, :3].numpy() + 1), atol=2)
