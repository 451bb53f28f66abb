"""The parser: shapes at every size, what its features are, and its folders with their errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.parsers import ResidualBlock, UNetParser
from sean.models.weights import load_parser, save_parser

CONFIG = UNetParserConfig(num_regions=3, image_size=(32, 64), widths=(2, 3, 4, 5, 6, 7))
LABELS = LabelSet(name="eyes", names=("sky", "left eye", "right eye"), ignore_id=255, flip_pairs=((1, 2),))


@pytest.fixture
def parser() -> UNetParser:
    """Random weights and statistics, in evaluation mode; the norms shift to where no ReLU is dead."""
    parser = UNetParser(CONFIG)
    for name, value in parser.state_dict().items():
        if value.is_floating_point():
            positive = value.ndim == 1 and "mean" not in name
            value.copy_(torch.rand_like(value) + 0.5 if positive else torch.randn_like(value) * 0.3)
    return parser.eval()


@pytest.fixture
def folder(parser: UNetParser, tmp_path: Path) -> Path:
    save_parser(tmp_path / "parser", parser, LABELS)
    return tmp_path / "parser"


@pytest.mark.parametrize("size", [(32, 32), (32, 64), (96, 64), (160, 32)])
def test_any_multiple_of_32_will_do(parser: UNetParser, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size) * 2 - 1
    with torch.no_grad():
        logits, features, ids = parser(image), parser.features(image), parser.predict(image)
    assert logits.shape == (2, 3, *size)
    assert features.shape == (2, 7)
    assert ids.shape == (2, *size) and ids.dtype == torch.int64
    assert torch.equal(logits.gather(1, ids.unsqueeze(1))[:, 0], logits.amax(dim=1))
    # evaluation mode: a picture's output is its own
    assert torch.allclose(parser(image[:1]), logits[:1], atol=1e-3)


@pytest.mark.parametrize("size", [(33, 32), (32, 48), (16, 32), (0, 32)])
def test_other_sizes_are_refused(parser: UNetParser, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"multiples of 32, got {size[0]} x {size[1]}; resize"):
        parser(torch.zeros(1, 3, *size))
    with pytest.raises(InputError, match="multiples of 32"):
        parser.features(torch.zeros(1, 3, *size))


def test_features_are_the_mean_of_the_deepest_level(parser: UNetParser) -> None:
    image = torch.rand(1, 3, 64, 96) * 2 - 1
    x = parser.stem(image)
    for down in parser.downs:
        x = down(x)
    assert x.shape == (1, 7, 2, 3)
    assert torch.allclose(parser.features(image), x.flatten(2).sum(dim=2) / 6, atol=1e-6)


def test_every_level_reaches_the_logits(parser: UNetParser) -> None:
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    before = parser(image)
    for module in (parser.stem, *parser.downs, *parser.ups):
        norm = next(part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d))
        norm.bias.data += 0.5
        assert not torch.allclose(parser(image), before), module
        norm.bias.data -= 0.5


def test_a_new_block_is_the_identity_on_what_is_positive() -> None:
    network = UNetParser(CONFIG)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 10
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(network.downs[0][1](x), x)


def test_the_preset_sizes_fit_the_package() -> None:
    parameters = sum(parameter.numel() for parameter in UNetParser(UNetParserConfig()).parameters())
    assert 2e6 < parameters < 4e6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": (48, 64)}, "multiples of 32, got"),
        ({"image_size": (0, 32)}, "multiples of 32, got"),
        ({"num_regions": 0}, "expected positive sizes of at most 65536, got"),
        ({"widths": (4, 4, 4, 0, 4, 4)}, "6 positive widths"),
        ({"widths": (4, 4, 4, 2**63, 4, 4)}, "6 positive widths of at most 65536"),
    ],
)
def test_bad_sizes_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        UNetParserConfig(**settings)


def test_a_folder_is_read_back(parser: UNetParser, folder: Path) -> None:
    loaded, labels = load_parser(folder)
    assert (loaded.config, labels, loaded.training) == (CONFIG, LABELS, False)
    image = torch.rand(2, 3, 32, 64) * 2 - 1
    assert torch.allclose(loaded(image), parser(image), atol=1e-5)
    for (name, value), (other_name, other) in zip(
        parser.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        assert name == other_name and torch.equal(value, other)
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_half_precision_halves_the_file(parser: UNetParser, tmp_path: Path) -> None:
    save_parser(tmp_path / "half", parser, LABELS, dtype=torch.float16)
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16, torch.int64}
    loaded, _ = load_parser(tmp_path / "half")
    assert loaded.head.weight.dtype == torch.float32
    assert torch.allclose(loaded.head.weight, parser.head.weight, atol=1e-3)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def config(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        raw = json.loads((folder / "config.json").read_text())
        change(raw)
        (folder / "config.json").write_text(json.dumps(raw))

    return damage


def lost_weight(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["head.bias"]
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (without("config.json"), ["expected a parser folder with a config.json"]),
        (without("model.safetensors"), ["expected a weights file", "model.safetensors"]),
        (text("config.json", "{"), ["not readable JSON"]),
        (text("config.json", "[]"), ["not a parser configuration"]),
        (text("model.safetensors", "junk"), ["not a readable safetensors file"]),
        (config(lambda raw: raw.update(architecture="sean")), ["architecture of parser, pyramid-parser, got 'sean'"]),
        (config(lambda raw: raw.pop("labels")), ["not a parser configuration", "labels"]),
        (config(lambda raw: raw.update(model=3)), ["not a parser configuration"]),
        (config(lambda raw: raw["model"].update(depth=3)), ["unknown model settings depth"]),
        (config(lambda raw: raw["model"].pop("widths")), ["not a parser configuration", "widths"]),
        (config(lambda raw: raw["model"].update(widths=[4, 4])), ["not a parser configuration"]),
        (config(lambda raw: raw["model"].update(num_regions=3.0)), ["expected whole numbers"]),
        (config(lambda raw: raw["model"].update(num_regions=4)), ["names 3 labels for a parser of 4 regions"]),
        (config(lambda raw: raw["model"].update(widths=[2, 3, 4, 5, 6, 8])), ["do not fit config.json"]),
        (lost_weight, ["do not fit config.json", "head.bias"]),
    ],
)
def test_a_damaged_folder_gives_one_line(folder: Path, damage: Callable[[Path], None], parts: list[str]) -> None:
    damage(folder)
    with pytest.raises(InputError) as error:
        load_parser(folder)
    assert len(str(error.value).splitlines()) == 1
    for part in (*parts, str(folder)):
        assert part in str(error.value)
