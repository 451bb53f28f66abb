"""The parser on EfficientNet-Lite's features: sizes, what reaches the logits, its folder."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.configs import PyramidParserConfig, UNetParserConfig
from sean.models.parsers import PyramidParser, UNetParser, new_parser
from sean.models.weights import load_parser, save_parser

LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
CONFIG = PyramidParserConfig(num_regions=3, image_size=(64, 64), encoder="lite0", widths=(4, 5, 6, 7, 8))
IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def parser() -> PyramidParser:
    torch.manual_seed(0)
    return PyramidParser(CONFIG).eval()


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (256, 32)])
@torch.no_grad()
def test_any_multiple_of_32_will_do(parser: PyramidParser, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size) * 2 - 1
    assert parser(image).shape == (2, 3, *size)
    assert parser.predict(image).shape == (2, *size)
    assert parser.features(image).shape == (2, 320)
    with pytest.raises(InputError, match="multiples of 32"):
        parser(image[..., :-1])


def test_every_parameter_and_scale_reaches_the_logits(parser: PyramidParser) -> None:
    features = [feature.detach().requires_grad_() for feature in parser.encoder(IMAGE)]
    parser._decode(features).square().sum().backward()
    assert all(feature.grad is not None and feature.grad.abs().sum() > 0 for feature in features)
    parser.zero_grad()
    parser(IMAGE).square().sum().backward()
    silent = [name for name, value in parser.named_parameters() if value.grad is None or not value.grad.any()]
    assert not silent


@torch.no_grad()
def test_logits_follow_the_picture(parser: PyramidParser) -> None:
    """What moves by 32 pixels in a picture moves by 32 in the logits, away from the edges."""
    wide = torch.rand(1, 3, 256, 512) * 2 - 1
    here, there = parser(wide[..., :416]), parser(wide[..., 32:448])
    torch.testing.assert_close(here[..., 208:224], there[..., 176:192], atol=0.05, rtol=0.05)


@torch.no_grad()
def test_a_folder_is_read_back(parser: PyramidParser, tmp_path: Path) -> None:
    save_parser(tmp_path / "full", parser, LABELS)
    read, labels = load_parser(tmp_path / "full")
    assert isinstance(read, PyramidParser) and read.config == CONFIG and labels == LABELS and not read.training
    torch.testing.assert_close(read(IMAGE), parser(IMAGE))
    save_parser(tmp_path / "half", parser, LABELS, dtype=torch.float16)
    half, _ = load_parser(tmp_path / "half")
    torch.testing.assert_close(half(IMAGE), parser(IMAGE), atol=0.05, rtol=0.05)


def test_the_default_fits_into_12_mb() -> None:
    with torch.device("meta"):
        parser = PyramidParser(PyramidParserConfig())
    assert sum(value.numel() for value in parser.state_dict().values()) * 2 < 12e6


def test_the_config_says_which_parser() -> None:
    assert isinstance(new_parser(CONFIG), PyramidParser)
    assert isinstance(new_parser(UNetParserConfig(widths=(2, 2, 2, 2, 2, 2))), UNetParser)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "lite7"}, "expected an encoder of lite0, lite1, got 'lite7'"),
        ({"widths": (4, 4, 4, 4, 0)}, "expected 5 positive widths"),
    ],
)
def test_bad_sizes_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PyramidParserConfig(**settings)
