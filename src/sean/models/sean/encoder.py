"""The style encoder: one style code per region from an image and its segmap (SEAN paper, section 3.1 and Fig. 4)."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.models.configs import COLOR_DIM, NORM_GROUPS, EncoderNorm
from sean.models.layers import LEAKY_SLOPE
from sean.ops.region_pooling import region_mean
from sean.segmap import onehot, resize_segmap


class StyleEncoder(nn.Module):
    """A bottleneck network (two down, one up) whose features are averaged over every region.

    Args:
        num_regions: labels k.
        style_dim: width d of a code; codes lie in (-1, 1).
        base_channels: channels of the first layer (32 in the paper); the next layers are 2, 4 and 8 times as wide.
        norm: see `SEANConfig.encoder_norm`; group norms have learned scales and shifts.
        mean_color: see `SEANConfig.mean_color`.
        downsampling: whether there is a bottleneck; without it the same layers work at full size (a row of Table 3).
    """

    def __init__(
        self,
        num_regions: int,
        style_dim: int = 512,
        base_channels: int = 32,
        *,
        norm: EncoderNorm = "instance",
        mean_color: bool = False,
        downsampling: bool = True,
    ) -> None:
        super().__init__()
        self.num_regions = num_regions
        self.mean_color = mean_color
        e = base_channels

        def make_norm(channels: int) -> nn.Module:
            if norm == "instance":
                return nn.InstanceNorm2d(channels)
            return nn.GroupNorm(math.gcd(NORM_GROUPS, channels), channels)

        stride = 2 if downsampling else 1
        self.features = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(3, e, 3),
            make_norm(e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(e, 2 * e, 3, stride=stride, padding=1),
            make_norm(2 * e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(2 * e, 4 * e, 3, stride=stride, padding=1),
            make_norm(4 * e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.ConvTranspose2d(4 * e, 8 * e, 3, stride=stride, padding=1, output_padding=stride - 1),
            make_norm(8 * e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.ReflectionPad2d(1),
            nn.Conv2d(8 * e, style_dim - COLOR_DIM if mean_color else style_dim, 3),
            nn.Tanh(),
        )

    def forward(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        """Encode the style of every region.

        Args:
            image: RGB in [-1, 1].
            segmap: label ids; the id k means "no region".

        Returns:
            codes: [b, k, d]; zero for regions without a pixel at the size of the features, half of the picture's.
            present: [b, k].
        """
        features = self.features(image)
        resized = resize_segmap(segmap, (features.shape[-2], features.shape[-1]))
        codes, present = region_mean(features, onehot(resized, self.num_regions).to(features.dtype))
        if self.mean_color:
            colors, _ = region_mean(image, onehot(segmap, self.num_regions).to(image.dtype))
            codes = torch.cat([colors.to(codes.dtype) * present.unsqueeze(-1), codes], dim=-1)
        return codes, present


class StyleEncoders(nn.ModuleList):
    """Several style encoders, one for each ResBlk or SEAN norm (Table 3); their codes are concatenated.

    Args:
        encoders: encoders with the same number of regions.
    """

    def __init__(self, encoders: Iterable[StyleEncoder]) -> None:
        super().__init__(encoders)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k all_d"], Bool[Tensor, "b k"]]:
        """The codes of all encoders; see `StyleEncoder.forward`."""
        codes, present = zip(*(encoder(image, segmap) for encoder in self), strict=True)
        return torch.cat(codes, dim=-1), present[0]
