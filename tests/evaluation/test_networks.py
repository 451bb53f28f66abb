"""Judging networks by name: parsers from folders, Inception and SegFormer where their packages are, LPIPS."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.errors import InputError
from sean.evaluation import extractors
from sean.evaluation.digests import folder_title
from sean.evaluation.extractors import load_extractor, resize_bilinear
from sean.evaluation.label_matching import LabelMapping, LabelMatch
from sean.evaluation.lpips import load_lpips
from sean.evaluation.segmenters import load_segmenter
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.efficientnet import EfficientNetLite
from sean.models.parser import UNetParser
from sean.models.parser_weights import save_parser

from .stand_ins import LABELS, BrightnessSegmenter

CPU = torch.device("cpu")
TURNED = LabelSet(name="turned", names=("other", "ground", "thing"))
IMAGE = torch.rand(2, 3, 48, 40) * 2 - 1


def parser_folder(folder: Path, seed: int = 0) -> tuple[Path, UNetParser]:
    torch.manual_seed(seed)
    parser = UNetParser(UNetParserConfig(num_regions=3, image_size=(32, 64), widths=(2, 2, 2, 2, 2, 5))).eval()
    save_parser(folder / "judge", parser, TURNED)
    return folder / "judge", parser


@torch.no_grad()
def test_a_parser_gives_features(tmp_path: Path) -> None:
    folder, parser = parser_folder(tmp_path)
    extractor = load_extractor(str(folder), CPU)
    small = F.interpolate(IMAGE, size=(32, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(extractor(IMAGE), parser.features(small))
    assert extractor(IMAGE).shape == (2, 5)
    assert extractor.name.startswith("parser judge (")
    assert load_extractor(str(folder), CPU).name == extractor.name
    parser_folder(tmp_path, seed=1)
    assert load_extractor(str(folder), CPU).name != extractor.name


@torch.no_grad()
def test_a_parser_segments_in_the_labels_of_the_data(tmp_path: Path) -> None:
    folder, parser = parser_folder(tmp_path)
    segmenter = load_segmenter(str(folder), LABELS, CPU)
    assert segmenter.match.ids == (2, 0, 1)
    own = parser(F.interpolate(IMAGE, size=(32, 64), mode="bilinear", antialias=True)).argmax(dim=1)
    rows, columns = torch.arange(48) * 32 // 48, torch.arange(40) * 64 // 40
    expected = torch.tensor([2, 0, 1])[own[:, rows][:, :, columns]]
    assert torch.equal(segmenter(IMAGE), expected)
    assert expected.unique().numel() > 1
    mapping = LabelMapping(renamed={"thing": None, "other": "ground"}, ignored=("thing", "other"), source="m.json")
    mapped = load_segmenter(str(folder), LABELS, CPU, mapping)
    assert torch.equal(mapped(IMAGE), torch.tensor([0, 3, 0])[expected])
    assert mapped.scored(torch.tensor([[[0, 1, 2, 3]]])).tolist() == [[[0, -1, -1, 3]]]


def test_pictures_of_the_right_size_are_left_alone() -> None:
    assert resize_bilinear(IMAGE, (48, 40)) is IMAGE
    truth = torch.tensor([[[0, 1, 2, 3]]])
    assert torch.equal(BrightnessSegmenter().scored(truth), truth)


def test_the_bundled_parser_by_name() -> None:
    assert load_extractor("bundled", CPU).name.startswith("parser face-parser ")
    assert load_segmenter("bundled", CELEBAMASK_HQ, CPU).match.ids == tuple(range(19))


def test_networks_that_are_not_there(tmp_path: Path) -> None:
    folder, _ = parser_folder(tmp_path)
    for load in (lambda name: load_extractor(name, CPU), lambda name: load_segmenter(name, LABELS, CPU)):
        with pytest.raises(InputError, match=r"unknown (extractor|parser) 'nix'; expected bundled, the folder"):
            load("nix")
        with pytest.raises(InputError, match=r"config\.json"):
            load(str(tmp_path))
    with pytest.raises(InputError, match="no counterpart for"):
        load_segmenter(str(folder), LabelSet(name="two", names=("ground", "sea")), CPU)
    (folder / "model.safetensors").write_bytes(b"garbage")
    with pytest.raises(InputError, match=r"model\.safetensors is not a readable"):
        load_extractor(str(folder), CPU)


class Inception(nn.Module):
    """Stands for torch-fidelity's: its constructor's arguments, 8-bit pictures in, a tuple out."""

    def __init__(self, name: str, features_list: list[str]) -> None:
        super().__init__()
        assert (name, features_list) == ("inception-v3-compat", ["2048"])

    def forward(self, image: Tensor) -> tuple[Tensor]:
        assert image.dtype == torch.uint8
        return (image.flatten(1)[:, :4].float(),)


class Colours(EfficientNetLite):
    """Stands for the network: its last features are the squares of the picture, whose mean depends on the size."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image[:, :1], image.square()]


@torch.no_grad()
def test_efficientnet_sees_its_own_size_and_gives_its_last_features(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Colours("lite1")
    asked = []

    def load(variant: str) -> EfficientNetLite:
        asked.append(variant)
        return network

    monkeypatch.setattr(extractors, "load_efficientnet", load)
    extractor = load_extractor("efficientnet-lite1", CPU)
    larger = F.interpolate(IMAGE, size=(240, 240), mode="bilinear", antialias=True)
    torch.testing.assert_close(extractor(IMAGE), larger.square().mean(dim=(2, 3)), atol=1e-6, rtol=0)
    assert (extractor(IMAGE) - IMAGE.square().mean(dim=(2, 3))).abs().max() > 1e-4 and asked == ["lite1"]
    assert extractor.name.startswith("efficientnet-lite1 pool 320 (")
    with pytest.raises(InputError, match=r"unknown extractor 'efficientnet'; expected .*efficientnet-lite1"):
        load_extractor("efficientnet", CPU)


def test_inception_gets_8_bit_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = Inception  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    extractor = load_extractor("inception", CPU)
    picture = torch.tensor([-1.0, 1.0, 0.0, 1.5]).repeat(1, 3, 1, 1)
    assert extractor(picture).tolist() == [[0, 255, 128, 255]]
    assert "inception" in extractor.name


def test_inception_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(InputError, match="inception needs torchvision and torch-fidelity") as caught:
        load_extractor("inception", CPU)
    assert "\n" not in str(caught.value)


class Lpips(nn.Module):
    """Stands for the package's network."""

    def __init__(self, net: str, verbose: bool) -> None:
        super().__init__()
        assert (net, verbose) == ("alex", False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        return (fake - real).abs().mean(dim=(1, 2, 3), keepdim=True)


def test_lpips_is_taken_or_its_absence_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    distance, reason = load_lpips(CPU)
    assert distance is None and "needs torchvision" in reason
    module = types.ModuleType("lpips")
    module.LPIPS = Lpips  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lpips", module)
    distance, kind = load_lpips(CPU)
    assert distance is not None and "AlexNet" in kind
    assert distance(IMAGE, IMAGE + 0.5).tolist() == pytest.approx([0.5, 0.5])


def test_segformer_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"needs transformers.*sean\[segment\]"):
        load_segmenter("segformer:some/where", LABELS, CPU)


class Segformer(nn.Module):
    """Stands for transformers' SegFormer: a quarter of the size, the normalized colours as logits."""

    device = CPU
    config = types.SimpleNamespace(num_labels=3, id2label={0: "Thing", 1: "ground", 2: "other"})

    @classmethod
    def from_pretrained(cls, source: str) -> "Segformer":
        if source == "no/where":
            raise OSError("no/where is not\na local folder")
        return cls()

    def forward(self, pixel_values: Tensor) -> Any:
        assert pixel_values.shape[-2:] == (64, 32)
        return types.SimpleNamespace(logits=F.avg_pool2d(pixel_values, 4))


class Processor:
    """Stands for transformers' reader of preprocessor_config.json."""

    content: dict[str, Any] = {}  # noqa: RUF012

    @classmethod
    def get_image_processor_dict(cls, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return cls.content, {}


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for transformers, which the tests' environment lacks."""
    module = types.ModuleType("transformers")
    module.SegformerForSemanticSegmentation = Segformer  # type: ignore[attr-defined]
    module.ImageProcessingMixin = Processor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers", module)
    content = {"size": {"height": 64, "width": 32}, "image_mean": [0.5, 0.5, 0.9], "image_std": [0.1, 0.5, 0.5]}
    monkeypatch.setattr(Processor, "content", content)


@pytest.mark.usefixtures("transformers")
def test_segformer_normalizes_and_speaks_our_labels() -> None:
    segmenter = load_segmenter("segformer:some/where", LABELS, CPU)
    assert segmenter.match.ids == (1, 0, 2) and segmenter.size == (64, 32)
    assert segmenter.name.startswith("segformer some/where (")
    # red (0.6 - 0.5) / 0.1 = 1, green (0.9 - 0.5) / 0.5 = 0.8, blue (1 - 0.9) / 0.5 = 0.2: the first label, "Thing"
    color = torch.tensor([0.6, 0.9, 1.0]).mul(2).sub(1).view(1, 3, 1, 1)
    assert segmenter(color.expand(1, 3, 8, 10)).tolist() == torch.ones(1, 8, 10, dtype=torch.int64).tolist()
    # a 16th less red: 0.4 and green wins
    assert segmenter((color - torch.tensor([0.12, 0, 0]).view(1, 3, 1, 1)).expand(1, 3, 8, 10)).unique().tolist() == [0]


@pytest.mark.usefixtures("transformers")
def test_segformers_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot load the SegFormer 'no/where'") as caught:
        load_segmenter("segformer:no/where", LABELS, CPU)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no counterpart for 'Thing'"):
        load_segmenter("segformer:some/where", LabelSet(name="two", names=("ground", "other")), CPU)
    monkeypatch.setattr(Processor, "content", {"size": {"longest_edge": 3}})
    with pytest.raises(InputError, match="a height and a width"):
        load_segmenter("segformer:some/where", LABELS, CPU)


@pytest.mark.integration
def test_transformers_own_segformer(tmp_path: Path) -> None:
    """Where transformers is installed: a tiny SegFormer of its own, saved and loaded without a network."""
    package = pytest.importorskip("transformers")
    config = package.SegformerConfig(
        num_labels=3,
        id2label={0: "other", 1: "ground", 2: "thing"},
        hidden_sizes=[4, 4, 4, 4],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
    )
    torch.manual_seed(0)
    network = package.SegformerForSemanticSegmentation(config).eval()
    network.save_pretrained(tmp_path / "former")
    (tmp_path / "former" / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 64, "width": 64}}))
    segmenter = load_segmenter(f"segformer:{tmp_path / 'former'}", LABELS, CPU)
    assert segmenter.size == (64, 64)
    assert segmenter.match == LabelMatch(ids=(2, 0, 1))
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalized = ((image + 1) / 2 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    with torch.no_grad():
        small = network(pixel_values=normalized).logits
        own = F.interpolate(small, size=(64, 64), mode="bilinear", align_corners=False).argmax(dim=1)
        assert torch.equal(segmenter(image), torch.tensor([2, 0, 1])[own])
    with pytest.raises(InputError, match="cannot load the SegFormer"):
        load_segmenter(f"segformer:{tmp_path / 'none'}", LABELS, CPU)


def test_a_network_is_called_by_its_folder_or_its_training(tmp_path: Path) -> None:
    assert folder_title(tmp_path / "small-parser") == "small-parser"
    assert folder_title(tmp_path / "faces" / "parser" / "model") == "faces/parser"
