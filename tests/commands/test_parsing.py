"""`sean parse` and `sean list`: what they write is what other commands take."""

from pathlib import Path

import numpy as np
import pytest
import torch

import sean
from sean.cli import main
from sean.images import read_image, write_image
from sean.labels import CELEBAMASK_HQ
from sean.models.configs import UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.weights import save_parser
from sean.segmap import read_segmap


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two photos and a tiny untrained parser of faces."""
    folder = tmp_path_factory.mktemp("parsing")
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for name in ("a.png", "b.jpg"):
        write_image(folder / "in" / name, rng.integers(0, 256, (60, 90, 3), dtype=np.uint8))
    torch.manual_seed(0)
    config = UNetParserConfig(num_regions=19, image_size=(64, 64), widths=(4, 4, 4, 4, 4, 4))
    save_parser(folder / "parser", new_parser(config), CELEBAMASK_HQ)
    return folder


def test_the_map_of_a_photo(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--parser", f"{workplace}/parser", "--crop", "10,5,40"]
    assert main(["parse", f"{workplace}/in/a.png", *options, "-o", f"{tmp_path}/deep/a.png"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/deep/a.png: 90 x 60\n"
    ids = read_segmap(tmp_path / "deep" / "a.png", CELEBAMASK_HQ)
    parser = sean.Segmenter.from_pretrained(f"{workplace}/parser")
    wanted = sean.parse(workplace / "in" / "a.png", parser=parser, crop=(10, 5, 40))
    assert np.array_equal(ids, wanted) and not ids[:, :10].any()


def test_a_folder(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--parser", f"{workplace}/parser", "--crop", "none"]
    assert main(["parse", f"{workplace}/in", *options, "-o", f"{tmp_path}/maps"]) == 0
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["a.png", "b.png"]
    capsys.readouterr()
    for given, reason in (
        ([f"{workplace}/in/a.png", "-o", f"{tmp_path}/a.jpg"], "expected --output as a .png"),
        ([f"{workplace}/in/a.png", "-o", f"{workplace}/in/a.png"], "--overwrite replaces it"),
        ([f"{workplace}/in", "-o", f"{workplace}/in/a.png"], "expected --output as a folder"),
        ([f"{workplace}/in/a.png", "-o", f"{workplace}/in/b.jpg/a.png"], "cannot write"),
        (["-o", f"{tmp_path}/a.png"], "photo"),
    ):
        assert main(["parse", *given, *options]) == 2
        captured = capsys.readouterr()
        assert reason in captured.err.lower() if reason == "photo" else reason in captured.err, captured.err


def test_what_a_model_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-o", f"{tmp_path}/bank.png"]) == 0
    out = capsys.readouterr().out
    assert "regions: background, skin" in out and "lips (u_lip, l_lip)" in out and "bank:brown" in out
    assert read_image(tmp_path / "bank.png").shape[1] > 8 * 64
