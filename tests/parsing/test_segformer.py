"""Segmenters by name that judge pictures: parsers from folders, and SegFormer where transformers is installed."""

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
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.parsers import UNetParser
from sean.models.weights import save_parser
from sean.parsing.label_matching import LabelMapping, LabelMatch
from sean.parsing.segmenter import Segmenter

CPU = torch.device("cpu")
LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
TURNED = LabelSet(name="turned", names=("other", "ground", "thing"))
IMAGE = torch.rand(2, 3, 48, 40) * 2 - 1


def parser_folder(folder: Path) -> tuple[Path, UNetParser]:
    torch.manual_seed(0)
    parser = UNetParser(UNetParserConfig(num_regions=3, image_size=(32, 64), widths=(2, 2, 2, 2, 2, 5))).eval()
    save_parser(folder / "judge", parser, TURNED)
    return folder / "judge", parser


@torch.no_grad()
def test_a_parser_segments_in_the_labels_of_the_data(tmp_path: Path) -> None:
    folder, parser = parser_folder(tmp_path)
    segmenter = Segmenter.from_pretrained(str(folder), LABELS, CPU)
    assert segmenter.match.ids == (2, 0, 1)
    own = parser(F.interpolate(IMAGE, size=(32, 64), mode="bilinear", antialias=True)).argmax(dim=1)
    rows, columns = torch.arange(48) * 32 // 48, torch.arange(40) * 64 // 40
    expected = torch.tensor([2, 0, 1])[own[:, rows][:, :, columns]]
    assert torch.equal(segmenter(IMAGE), expected)
    assert expected.unique().numel() > 1
    mapping = LabelMapping(renamed={"thing": None, "other": "ground"}, ignored=("thing", "other"), source="m.json")
    mapped = Segmenter.from_pretrained(str(folder), LABELS, CPU, mapping)
    assert torch.equal(mapped(IMAGE), torch.tensor([0, 3, 0])[expected])
    assert mapped.scored(torch.tensor([[[0, 1, 2, 3]]])).tolist() == [[[0, -1, -1, 3]]]


def test_nothing_is_left_out_of_the_scores_without_a_mapping(tmp_path: Path) -> None:
    folder, _ = parser_folder(tmp_path)
    truth = torch.tensor([[[0, 1, 2, 3]]])
    assert torch.equal(Segmenter.from_pretrained(str(folder), LABELS, CPU).scored(truth), truth)


def test_the_bundled_parser_by_name() -> None:
    parser = Segmenter.from_pretrained()
    assert parser.match.ids == tuple(range(19)) and parser.labels.names == CELEBAMASK_HQ.names


def test_segmenters_that_are_not_there(tmp_path: Path) -> None:
    folder, _ = parser_folder(tmp_path)
    with pytest.raises(InputError, match=r"unknown parser 'nix'; expected bundled, the folder"):
        Segmenter.from_pretrained("nix", LABELS, CPU)
    with pytest.raises(InputError, match=r"config\.json"):
        Segmenter.from_pretrained(str(tmp_path), LABELS, CPU)
    with pytest.raises(InputError, match="no counterpart for"):
        Segmenter.from_pretrained(str(folder), LabelSet(name="two", names=("ground", "sea")), CPU)


def test_segformer_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"needs transformers.*seankit\[segment\]"):
        Segmenter.from_pretrained("segformer:some/where", LABELS, CPU)


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
    segmenter = Segmenter.from_pretrained("segformer:some/where", LABELS, CPU)
    assert segmenter.match.ids == (1, 0, 2) and segmenter.size == (64, 32)
    assert segmenter.name.startswith("segformer some/where (")
    # red (0.6 - 0.5) / 0.1 = 1, green (0.9 - 0.5) / 0.5 = 0.8, blue (1 - 0.9) / 0.5 = 0.2: the first label, "Thing"
    color = torch.tensor([0.6, 0.9, 1.0]).mul(2).sub(1).view(1, 3, 1, 1)
    assert segmenter(color.expand(1, 3, 8, 10)).tolist() == torch.ones(1, 8, 10, dtype=torch.int64).tolist()
    # a 16th less red: 0.4 and green wins
    assert segmenter((color - torch.tensor([0.12, 0, 0]).view(1, 3, 1, 1)).expand(1, 3, 8, 10)).unique().tolist() == [0]


@pytest.mark.usefixtures("transformers")
def test_own_labels_are_taken_where_no_others_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {0: "traffic light", 1: "ground", 2: "other"}
    monkeypatch.setattr(Segformer, "config", types.SimpleNamespace(num_labels=3, id2label=names))
    segmenter = Segmenter.from_pretrained("segformer:some/where", device=CPU)
    assert segmenter.labels.names == ("traffic_light", "ground", "other") and segmenter.match.ids == (0, 1, 2)


@pytest.mark.usefixtures("transformers")
def test_segformers_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot load the SegFormer 'no/where'") as caught:
        Segmenter.from_pretrained("segformer:no/where", LABELS, CPU)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no counterpart for 'Thing'"):
        Segmenter.from_pretrained("segformer:some/where", LabelSet(name="two", names=("ground", "other")), CPU)
    monkeypatch.setattr(Processor, "content", {"size": {"longest_edge": 3}})
    with pytest.raises(InputError, match="a height and a width"):
        Segmenter.from_pretrained("segformer:some/where", LABELS, CPU)


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
    segmenter = Segmenter.from_pretrained(f"segformer:{tmp_path / 'former'}", LABELS, CPU)
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
        Segmenter.from_pretrained(f"segformer:{tmp_path / 'none'}", LABELS, CPU)
