"""Parsers: segmentation networks that turn a photo into a segmap. They also score pictures and provide features.

There are two kinds. The small one is an encoder-decoder with skip connections (U-Net, Ronneberger et al. 2015) of
residual blocks (He et al. 2016) with batch norm (Ioffe and Szegedy 2015): six levels from full size down to a 32nd,
with few channels at the large sizes. The larger one starts from ImageNet: EfficientNet-Lite's features and a feature
pyramid (Lin et al. 2017, "Feature Pyramid Networks for Object Detection"), where from coarse to fine each coarser level
is enlarged and added to a 1 x 1 convolution of the finer features. The pyramid narrows towards the finer levels, which
have most pixels, and a residual block mixes each level.
"""

import itertools
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.configs import SIZE_MULTIPLE, ParserConfig, PyramidParserConfig, UNetParserConfig
from sean.models.efficientnet import FEATURE_WIDTHS, EfficientNetLite


class Parser(nn.Module, ABC):
    """Logits of every label at every pixel.

    Attributes:
        config: the sizes.
    """

    config: ParserConfig

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k h w"]:
        """Logits of a picture in [-1, 1] whose height and width are multiples of 32.

        Raises:
            InputError: height or width is not a multiple of 32.
        """
        return self._decode(self._levels(image))

    def features(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """The deepest features, averaged over the picture: [b, d], the input of FID and KID."""
        return self._levels(image)[-1].mean(dim=(2, 3))

    def predict(self, image: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b h w"]:
        """The most likely label of every pixel."""
        return self(image).argmax(dim=1)

    @abstractmethod
    def _encode(self, image: Tensor) -> list[Tensor]:
        """Features at several scales, from fine to coarse."""

    @abstractmethod
    def _decode(self, levels: list[Tensor]) -> Tensor:
        """Logits of those features."""

    def _levels(self, image: Tensor) -> list[Tensor]:
        if any(extent < SIZE_MULTIPLE or extent % SIZE_MULTIPLE for extent in image.shape[-2:]):
            raise InputError(
                f"expected pictures whose height and width are positive multiples of {SIZE_MULTIPLE}, got "
                f"{image.shape[-2]} x {image.shape[-1]}; resize them"
            )
        return self._encode(image)


class UNetParser(Parser):
    """The small parser: six levels, from the full size down. Its features have `widths[-1]` numbers."""

    def __init__(self, config: UNetParserConfig) -> None:
        super().__init__()
        self.config: UNetParserConfig = config
        pairs = list(itertools.pairwise(config.widths))
        self.stem = _conv(3, config.widths[0], 3)
        self.downs = nn.ModuleList(
            nn.Sequential(_conv(finer, coarser, 3, stride=2), ResidualBlock(coarser)) for finer, coarser in pairs
        )
        self.ups = nn.ModuleList(
            nn.Sequential(_conv(finer + coarser, finer, 1), ResidualBlock(finer)) for finer, coarser in reversed(pairs)
        )
        self.head = nn.Conv2d(config.widths[0], config.num_regions, 1)
        for module in self.modules():
            if isinstance(module, ResidualBlock):  # so that blocks start as the identity
                nn.init.zeros_(module.second_norm.weight)

    def _encode(self, image: Tensor) -> list[Tensor]:
        levels = [self.stem(image)]
        for down in self.downs:
            levels.append(down(levels[-1]))
        return levels

    def _decode(self, levels: list[Tensor]) -> Tensor:
        *skips, x = levels
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            larger = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([larger, skip], dim=1))
        return self.head(x)


class PyramidParser(Parser):
    """Logits at half the size, enlarged bilinearly. Its features have 320 numbers.

    A new network has random weights; a training copies ImageNet weights into `encoder`.

    Args:
        config: the sizes.
    """

    def __init__(self, config: PyramidParserConfig) -> None:
        super().__init__()
        self.config: PyramidParserConfig = config
        self.encoder = EfficientNetLite(config.encoder)
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(features, width, 1, bias=False), nn.BatchNorm2d(width))
            for features, width in zip(FEATURE_WIDTHS, config.widths, strict=True)
        )
        self.reductions = nn.ModuleList(
            nn.Conv2d(coarser, finer, 1, bias=False) for finer, coarser in itertools.pairwise(config.widths)
        )
        self.blocks = nn.ModuleList(ResidualBlock(width) for width in config.widths)
        self.head = nn.Conv2d(config.widths[0], config.num_regions, 1)

    def _encode(self, image: Tensor) -> list[Tensor]:
        features: list[Tensor] = self.encoder(image)
        return features

    def _decode(self, levels: list[Tensor]) -> Tensor:
        laterals = [lateral(level) for lateral, level in zip(self.laterals, levels, strict=True)]
        x = self.blocks[-1](F.relu(laterals[-1]))
        for lateral, reduction, block in reversed(
            list(zip(laterals[:-1], self.reductions, self.blocks[:-1], strict=True))
        ):
            # reduce the channels first, as enlarging is expensive
            larger = F.interpolate(reduction(x), size=lateral.shape[-2:], mode="bilinear", align_corners=False)
            x = block(F.relu(lateral + larger))
        return F.interpolate(self.head(x), scale_factor=2, mode="bilinear", align_corners=False)


def new_parser(config: ParserConfig) -> Parser:
    """A parser with random weights, of the architecture that the config belongs to."""
    if isinstance(config, PyramidParserConfig):
        return PyramidParser(config)
    assert isinstance(config, UNetParserConfig), "parsers have two architectures"
    return UNetParser(config)


class ResidualBlock(nn.Module):
    """x -> relu(x + norm(conv(relu(norm(conv(x)))))), 3 x 3 convolutions of one width (He et al. 2016, Fig. 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width, 3)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """See the class."""
        return F.relu(x + self.second_norm(self.second(self.first(x))))


def _conv(in_dim: int, out_dim: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(in_dim, out_dim, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(out_dim), nn.ReLU())
