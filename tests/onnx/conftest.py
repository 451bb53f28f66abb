"""A tiny model of twelve labels with random weights, as a folder and as its ONNX files."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from sean.labels import LabelSet
from sean.models.build import new_model
from sean.models.configs import SEANConfig, UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.sean.model import SEANModel
from sean.models.weights import save_model, save_parser
from sean.onnx.export import export_model

from ..models.reference import randomize

K = 12
SIZE = (64, 96)
LABELS = LabelSet(
    name="twelve",
    names=("sky", "l_eye", "r_eye", *(f"label {number}" for number in range(3, K))),
    palette=tuple((20 * number, 255 - number, number) for number in range(K)),
    ignore_id=255,
    flip_pairs=((1, 2),),
)


def tiny_model(num_regions: int = K, **sizes: object) -> SEANModel:
    """Nothing hides behind a 0: weights, blends and running statistics are random."""
    torch.manual_seed(0)
    settings = {"style_dim": 6, "base_channels": 2, "mask_dim": 5, "encoder_channels": 4, "image_size": SIZE}
    model = new_model(SEANConfig(num_regions=num_regions, **(settings | sizes)))
    assert isinstance(model, SEANModel)
    return randomize(model).float().eval()


@dataclass(frozen=True)
class Folders:
    model: Path
    parser: Path
    onnx: Path


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    root = tmp_path_factory.mktemp("export")
    made = Folders(root / "tiny", root / "parser", root / "onnx")
    save_model(made.model, tiny_model(), LABELS)
    (made.model / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# tiny\n", encoding="utf-8")
    torch.manual_seed(0)
    parser = new_parser(UNetParserConfig(num_regions=K, image_size=(32, 64), widths=(3, 4, 5, 6, 7, 8)))
    randomize(parser).float().eval()
    with torch.no_grad():  # no label wins everywhere
        logits = parser(torch.rand(4, 3, 32, 64) * 2 - 1)
        parser.head.bias.sub_(logits.mean(dim=(0, 2, 3)))
    save_parser(made.parser, parser, LABELS)
    export_model(made.model, made.onnx, parser=made.parser, checks=20)
    return made
