"""A discriminator on features of a network trained on ImageNet (Sauer et al. 2021, "Projected GANs Converge Faster").

The network is frozen, as are random convolutions that mix its channels and scales; without mixing, the discriminators
would use a few features only. The published discriminator takes pictures alone; this one also takes the segmap, which
is concatenated to the features.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sean.models.efficientnet import FEATURE_WIDTHS, EfficientNetLite
from sean.models.layers import LEAKY_SLOPE, initialize_weights, spectral_conv

# the features at 1/2 of the size are left out, as published
_TRUNK_WIDTHS = FEATURE_WIDTHS[1:]
_NUM_SCALES = len(_TRUNK_WIDTHS)


class ProjectedDiscriminator(nn.Module):
    """Four small discriminators on mixed features at 1/4, 1/8, 1/16 and 1/32 of the picture's size.

    Args:
        trunk: network with ImageNet weights; it is frozen.
        condition_dim: planes of the condition: k, or k + 1 with instance edges.
        base_channels: mixed channels at 1/4 of the size; every following scale has twice as many.
    """

    def __init__(self, trunk: EfficientNetLite, condition_dim: int, base_channels: int = 64) -> None:
        super().__init__()
        widths = [base_channels * 2**index for index in range(_NUM_SCALES)]
        self.projection = FeatureProjection(trunk, widths).requires_grad_(False)
        self.scales = nn.ModuleList(ScaleDiscriminator(condition_dim, widths[index:]) for index in range(_NUM_SCALES))
        initialize_weights(self.scales, gain=1.0)

    def forward(self, condition: Float[Tensor, "b cin h w"], image: Float[Tensor, "b 3 h w"]) -> list[list[Tensor]]:
        """Outputs of all layers, per scale from fine to coarse; the last of each is a score map at 1/32 of the size.

        Args:
            condition: see `sean.models.discriminator.Discriminator`. It is averaged down to each scale, so that its
                planes hold the share of each label.
            image: RGB in [-1, 1].
        """
        outputs = []
        for scale, features in zip(self.scales, self.projection(image), strict=True):
            shares = F.adaptive_avg_pool2d(condition, features.shape[-2:]).to(features.dtype)
            outputs.append(scale(torch.cat([shares, features], dim=1)))
        return outputs


class FeatureProjection(nn.Module):
    """The trunk's features, each channel divided by its spread, mixed across channels and from coarse to fine scales.

    Args:
        trunk: network whose features from 1/4 of the size on are used.
        widths: mixed channels of each scale, from fine to coarse.
    """

    def __init__(self, trunk: EfficientNetLite, widths: list[int]) -> None:
        super().__init__()
        self.trunk = trunk
        self.across_channels = nn.ModuleList(
            nn.Conv2d(dim, width, 1, bias=False) for dim, width in zip(_TRUNK_WIDTHS, widths, strict=True)
        )
        self.across_scales = nn.ModuleList(
            nn.Conv2d(coarse, fine, 3, padding=1, bias=False) for fine, coarse in pairwise(widths)
        )
        for conv in (*self.across_channels, *self.across_scales):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
        for index, spread in enumerate(trunk.feature_spreads()[1:]):
            self.register_buffer(f"scale_{index}", spread.reciprocal().view(-1, 1, 1))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The mixed features from fine to coarse; their variances over natural pictures are near 1."""
        features = self.trunk(image)[1:]
        mixed = [
            conv(feature * self.get_buffer(f"scale_{index}"))
            for index, (conv, feature) in enumerate(zip(self.across_channels, features, strict=True))
        ]
        for index in reversed(range(_NUM_SCALES - 1)):
            coarse = self.across_scales[index](mixed[index + 1])
            raised = F.interpolate(coarse, size=mixed[index].shape[-2:], mode="bilinear", align_corners=False)
            mixed[index] = (mixed[index] + raised) * math.sqrt(0.5)
        return mixed


class ScaleDiscriminator(nn.Module):
    """One scale: a 3 x 3 convolution, one of stride 2 down to each coarser scale, then scores; all with spectral norm.

    Args:
        condition_dim: planes of the condition.
        widths: channels of this scale's features and of the layers at each coarser scale.
    """

    def __init__(self, condition_dim: int, widths: list[int]) -> None:
        super().__init__()
        dims = [condition_dim + widths[0], *widths]
        layers: list[nn.Module] = [
            nn.Sequential(
                spectral_conv(in_dim, out_dim, 3, stride=2 if index else 1, padding=1), nn.LeakyReLU(LEAKY_SLOPE)
            )
            for index, (in_dim, out_dim) in enumerate(pairwise(dims))
        ]
        self.layers = nn.ModuleList([*layers, spectral_conv(widths[-1], 1, 3, padding=1)])

    def forward(self, x: Float[Tensor, "b cin h w"]) -> list[Tensor]:
        """The outputs of all layers; the last is the score map [b, 1, h', w']."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs
