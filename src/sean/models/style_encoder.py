"""The style encoder: an image and its segmap to one style code per region (SEAN paper, section 3.1 and Fig. 4)."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.models.layers import LEAKY_SLOPE
from sean.ops.region_pooling import region_mean
from sean.segmap import onehot, resize_segmap


class StyleEncoder(nn.Module):
    """A bottleneck network (two down, one up) whose features are averaged over every region.

    Args:
        num_regions: labels k.
        style_dim: width d of a code; codes lie in (-1, 1).
        base_channels: channels of the first layer (32 in the paper); the others are 2, 4 and 8 times as wide.
    """

    def __init__(self, num_regions: int, style_dim: int = 512, base_channels: int = 32) -> None:
        super().__init__()
        self.num_regions = num_regions
        e = base_channels
        self.features = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(3, e, 3),
            nn.InstanceNorm2d(e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(e, 2 * e, 3, stride=2, padding=1),
            nn.InstanceNorm2d(2 * e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(2 * e, 4 * e, 3, stride=2, padding=1),
            nn.InstanceNorm2d(4 * e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.ConvTranspose2d(4 * e, 8 * e, 3, stride=2, padding=1, output_padding=1),
            nn.InstanceNorm2d(8 * e),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.ReflectionPad2d(1),
            nn.Conv2d(8 * e, style_dim, 3),
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
            codes: [b, k, d], zero where the region has no pixel at the features' (half) size.
            present: [b, k].
        """
        features = self.features(image)
        half = resize_segmap(segmap, (features.shape[-2], features.shape[-1]))
        return region_mean(features, onehot(half, self.num_regions).to(features.dtype))
