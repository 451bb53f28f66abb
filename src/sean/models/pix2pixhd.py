"""pix2pixHD as compared in the SEAN paper: a global generator on the segmap and a few features of every region.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", CVPR 2018: the global
generator of section 3.1 and the instance-wise feature encoder of section 3.3, whose features are averaged here over the
regions of the segmap. Both networks have the same hourglass architecture.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.base import NoiseSource, StyledModel
from sean.models.configs import Pix2PixHDConfig
from sean.models.sean.generator import check_edges, check_size
from sean.ops.region_pooling import region_mean
from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges
from sean.segmap import onehot


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions of x, with reflection padding and instance norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The output, of the size of `x`."""
        return x + self.layers(x)


def hourglass(in_dim: int, out_dim: int, base_channels: int, num_downsamplings: int, num_blocks: int) -> nn.Sequential:
    """7x7 convolution, convolutions of stride 2, residual blocks, transposed convolutions, 7x7 convolution, tanh.

    Instance norm and ReLU after every convolution but the last; reflection padding around the 7x7 ones.
    """

    def normalized(convolution: nn.Module, channels: int) -> list[nn.Module]:
        return [convolution, nn.InstanceNorm2d(channels), nn.ReLU()]

    dim = base_channels
    layers = [nn.ReflectionPad2d(3), *normalized(nn.Conv2d(in_dim, dim, 7), dim)]
    for _ in range(num_downsamplings):
        layers += normalized(nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1), 2 * dim)
        dim *= 2
    layers += [ResidualBlock(dim) for _ in range(num_blocks)]
    for _ in range(num_downsamplings):
        up = nn.ConvTranspose2d(dim, dim // 2, 3, stride=2, padding=1, output_padding=1)
        layers += normalized(up, dim // 2)
        dim //= 2
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(dim, out_dim, 7), nn.Tanh())


class FeatureEncoder(nn.Module):
    """A few features for every region of an image: those of an hourglass, averaged over the region (section 3.3).

    Args:
        num_regions: labels k.
        feature_dim: features of a region, in (-1, 1).
        base_channels: width of the outermost layers of the hourglass.
        num_downsamplings: halvings in the hourglass; height and width must be multiples of 2 to this power.
    """

    def __init__(
        self, num_regions: int, feature_dim: int = 3, base_channels: int = 16, num_downsamplings: int = 4
    ) -> None:
        super().__init__()
        self.num_regions = num_regions
        self.features = hourglass(3, feature_dim, base_channels, num_downsamplings, num_blocks=0)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k f"], Bool[Tensor, "b k"]]:
        """Features [b, k, f] of the regions, zero for regions without a pixel, and presence of the regions [b, k]."""
        features = self.features(image)
        return region_mean(features, onehot(segmap, self.num_regions).to(features.dtype))


class Pix2PixHDModel(StyledModel):
    """Feature encoder and global generator."""

    config: Pix2PixHDConfig

    def __init__(self, config: Pix2PixHDConfig) -> None:
        super().__init__()
        self.config = config
        if any(size % 2**config.num_downsamplings for size in config.image_size):
            raise InputError(
                f"expected an image_size that {config.num_downsamplings} halvings divide, got {config.image_size}"
            )
        self.style_encoder = FeatureEncoder(
            config.num_regions, config.feature_dim, config.encoder_channels, config.num_downsamplings
        )
        self.generator = hourglass(
            config.num_regions + config.instance_edges + config.feature_dim,
            3,
            config.base_channels,
            config.num_downsamplings,
            config.num_blocks,
        )

    @property
    def code_dim(self) -> int:
        """Number of features of a region."""
        return self.config.feature_dim

    def encode(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k f"], Bool[Tensor, "b k"]]:
        """Features and presence of all regions."""
        return self.style_encoder(image, segmap)

    def render(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "b k f"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [-1, 1] from segmaps and one feature matrix per picture; noise and plan are not used."""
        check_size(segmap)
        if not isinstance(style_codes, Tensor):
            raise ValueError(f"expected one style per picture for pix2pixHD, got {len(style_codes)}")
        edges = edges if plan is None else plan.edges
        check_edges(edges, self.config.instance_edges)
        planes = [onehot(segmap, self.config.num_regions).to(style_codes.dtype)]
        if edges is not None:
            planes.append(edges.unsqueeze(1).to(style_codes.dtype))
        return self.generator(torch.cat([*planes, region_feature_map(style_codes, segmap)], dim=1))


def region_feature_map(features: Float[Tensor, "b k f"], segmap: Int[Tensor, "b h w"]) -> Float[Tensor, "b f h w"]:
    """The features of every pixel's region; zero for pixels without a region (ids from k on)."""
    with_none = torch.cat([features, features.new_zeros(len(features), 1, features.shape[2])], dim=1)
    ids = segmap.clamp(max=features.shape[1]).flatten(1).unsqueeze(-1).expand(-1, -1, features.shape[2])
    return with_none.gather(1, ids).transpose(1, 2).unflatten(2, segmap.shape[1:])
