"""The parser that starts from ImageNet: EfficientNet-Lite's features, and a feature pyramid that joins their scales.

The pyramid is that of Lin et al. 2017, "Feature Pyramid Networks for Object Detection": from coarse to fine, the
coarser level is enlarged and added to a 1 x 1 convolution of the finer features. It narrows towards the finer levels,
where most pixels are, and a residual block mixes each level.
"""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from sean.models.configs import PyramidParserConfig
from sean.models.efficientnet import FEATURE_WIDTHS, EfficientNetLite
from sean.models.parser import Parser, ResidualBlock


class PyramidParser(Parser):
    """Logits at half the size, enlarged bilinearly. Its features have 320 numbers.

    A fresh one has random weights; a training copies those of ImageNet into `encoder`.

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
            # fewer channels first: enlarging is the dear part
            larger = F.interpolate(reduction(x), size=lateral.shape[-2:], mode="bilinear", align_corners=False)
            x = block(F.relu(lateral + larger))
        return F.interpolate(self.head(x), scale_factor=2, mode="bilinear", align_corners=False)
