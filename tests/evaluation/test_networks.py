"""Networks for features by name: parsers from folders, Inception where its packages are, LPIPS."""

import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.errors import InputError
from sean.evaluation import extractors
from sean.evaluation.extractors import load_extractor
from sean.evaluation.metrics import load_lpips
from sean.images import resize_bilinear
from sean.labels import LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.efficientnet import EfficientNetLite
from sean.models.parsers import UNetParser
from sean.models.weights import save_parser

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


def test_pictures_of_the_right_size_are_left_alone() -> None:
    assert resize_bilinear(IMAGE, (48, 40)) is IMAGE


def test_the_bundled_parser_by_name() -> None:
    assert load_extractor("bundled", CPU).name.startswith("parser face-parser ")


def test_networks_that_are_not_there(tmp_path: Path) -> None:
    folder, _ = parser_folder(tmp_path)
    with pytest.raises(InputError, match=r"unknown extractor 'nix'; expected bundled, the folder"):
        load_extractor("nix", CPU)
    with pytest.raises(InputError, match=r"config\.json"):
        load_extractor(str(tmp_path), CPU)
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
