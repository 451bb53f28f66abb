"""Small stand-ins for models and judging networks, whose answers can be told by hand."""

from typing import Any

import torch
from torch import Tensor, nn

from sean.data.synthetic.scenes import SyntheticScenes
from sean.evaluation.extractors import FeatureExtractor
from sean.evaluation.settings import Sums
from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.models.configs import ModelConfig
from sean.parsing.label_matching import LabelMatch
from sean.parsing.segmenter import Segmenter

LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
SIZE = (32, 32)


class MeanPainter(StyledModel):
    """Encodes a region as its mean colour and paints it in that; noise is added as it comes."""

    def __init__(self, brightness: float = 0.0) -> None:
        super().__init__()
        self.config = ModelConfig(num_regions=3, image_size=SIZE)
        self.brightness = nn.Parameter(torch.tensor(brightness))

    @property
    def code_dim(self) -> int:
        return 3

    def encode(self, image: Tensor, segmap: Tensor) -> tuple[Tensor, Tensor]:
        regions = torch.stack([segmap == region for region in range(3)], dim=1)
        sums = torch.einsum("bkhw,bchw->bkc", regions.float(), image)
        return sums / regions.sum(dim=(2, 3)).clamp_min(1).unsqueeze(2), regions.any(dim=(2, 3))

    def render(self, segmap: Tensor, style_codes: Any, *, noise: bool = False, rng: Any = None, **_: object) -> Tensor:
        index = segmap.flatten(1).unsqueeze(2).expand(-1, -1, 3)
        flat = style_codes.gather(1, index).transpose(1, 2).unflatten(2, segmap.shape[1:]) + self.brightness
        if not noise:
            return flat
        return flat + torch.stack([torch.randn(flat.shape[1:], generator=each) for each in rng])


class ColorFeatures(FeatureExtractor):
    """Means of the three colours and of three products of them."""

    name = "colors"

    def __call__(self, image: Tensor) -> Tensor:
        means = image.mean(dim=(2, 3))
        return torch.cat([means, (image * image.roll(1, dims=1)).mean(dim=(2, 3))], dim=1)


def brightness_segmenter() -> Segmenter:
    """Dark, medium, bright."""

    def logits(image: Tensor) -> Tensor:
        assert image.shape[-2:] == (16, 16)
        grey = image.mean(dim=1)
        return torch.stack([-(grey - level).abs() for level in (-0.5, 0.0, 0.5)], dim=1)

    return Segmenter(logits, LABELS, LabelMatch(ids=(0, 1, 2)), size=(16, 16), name="brightness")


def scenes(length: int, seed: int = 0) -> SyntheticScenes:
    """Scenes of three labels, 32 x 32."""
    return SyntheticScenes(size=SIZE, length=length, seed=seed, labels=LABELS)


def added(parts: list[Sums]) -> Sums:
    """The sums of several processes together."""
    return {name: torch.stack([part[name] for part in parts]).sum(dim=0) for name in parts[0]}
