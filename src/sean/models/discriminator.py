"""The multi-scale patch discriminator of SEAN (and of SPADE and pix2pixHD before it)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sean.models.layers import LEAKY_SLOPE, initialize_weights, spectral_conv
from sean.segmap import onehot


class PatchDiscriminator(nn.Module):
    """One scale: 4x4 convolutions of stride 2, then a one-channel map of scores.

    Args:
        in_dim: channels of the input: k + 3, or k + 1 + 3 with instance edges.
        base_channels: width of the first layer; every following layer is twice as wide as the one before.
        num_layers: convolutions of stride 2.
    """

    def __init__(self, in_dim: int, base_channels: int = 64, num_layers: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(in_dim, base_channels, 4, stride=2, padding=2), nn.LeakyReLU(LEAKY_SLOPE))
        ]
        dim = base_channels
        for _ in range(num_layers - 1):
            layers.append(
                nn.Sequential(
                    spectral_conv(dim, 2 * dim, 4, stride=2, padding=2, bias=False),
                    nn.InstanceNorm2d(2 * dim),
                    nn.LeakyReLU(LEAKY_SLOPE),
                )
            )
            dim *= 2
        layers.append(nn.Conv2d(dim, 1, 4, stride=1, padding=2))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Float[Tensor, "b cin h w"]) -> list[Tensor]:
        """The outputs of all layers; the last is the score map [b, 1, h', w']."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


class Discriminator(nn.Module):
    """Patch discriminators on an average-pooling pyramid of the condition and the picture, concatenated.

    The condition is the one-hot segmap, followed by the edge map of the instances if `instance_edges` is set.

    Args:
        num_regions: labels k.
        base_channels: width of the first layer (64 in the paper).
        num_scales: number of pictures in the pyramid (2 in the paper).
        num_layers: convolutions of stride 2 per scale (3 in the paper).
        instance_edges: whether the condition includes the edge map.
    """

    def __init__(
        self,
        num_regions: int,
        base_channels: int = 64,
        num_scales: int = 2,
        num_layers: int = 3,
        *,
        instance_edges: bool = False,
    ) -> None:
        super().__init__()
        in_dim = num_regions + instance_edges + 3
        self.scales = nn.ModuleList(PatchDiscriminator(in_dim, base_channels, num_layers) for _ in range(num_scales))

    def forward(self, condition: Float[Tensor, "b cin h w"], image: Float[Tensor, "b 3 h w"]) -> list[list[Tensor]]:
        """Outputs of all layers, per scale from fine to coarse. Pass generated and real pictures as one batch.

        Args:
            condition: the one-hot segmap [b, k, h, w]; with instance edges [b, k + 1, h, w], the edge map concatenated
                as its last plane.
            image: RGB in [-1, 1].
        """
        x = torch.cat([condition, image], dim=1)
        outputs = []
        for index, scale in enumerate(self.scales):
            if index:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            outputs.append(scale(x))
        return outputs


def discriminator_condition(
    segmap: Int[Tensor, "b h w"], edges: Tensor | None, num_regions: int
) -> Float[Tensor, "b condition h w"]:
    """The discriminator's condition: the one-hot segmap and, if given, the instance edges [b, h, w]."""
    condition = onehot(segmap, num_regions)
    if edges is None:
        return condition
    return torch.cat([condition, edges.unsqueeze(1).to(condition.dtype)], dim=1)


def build_discriminator(
    num_regions: int,
    base_channels: int = 64,
    num_scales: int = 2,
    num_layers: int = 3,
    *,
    instance_edges: bool = False,
) -> Discriminator:
    """A discriminator with the paper's initialization, drawn from torch's global generator."""
    discriminator = Discriminator(num_regions, base_channels, num_scales, num_layers, instance_edges=instance_edges)
    initialize_weights(discriminator)
    return discriminator
