"""From a config to networks: the one place that knows which sizes belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.discriminator import Discriminator
from sean.models.generator import SIZE_MULTIPLE, Generator
from sean.models.layers import initialize_weights
from sean.models.style_encoder import StyleEncoder
from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges


@dataclass(frozen=True, kw_only=True)
class SEANConfig:
    """Sizes of a SEAN model; the defaults are the paper's for CelebAMask-HQ.

    Attributes:
        num_regions: labels k.
        image_size: height and width in pixels the model is trained for, multiples of 32.
        style_dim: width d of a style code.
        base_channels: NF, channels of the generator's last block; its first have 16 NF.
        max_channels: no generator block is wider; None as in the paper.
        mask_dim: hidden width of the mask branches.
        encoder_channels: channels of the style encoder's first layer.
        instance_edges: whether mask branches and discriminator also see the edges of instances, as the paper's do
            where the data set has instances (Cityscapes, ADE20K).
    """

    num_regions: int = 19
    image_size: tuple[int, int] = (256, 256)
    style_dim: int = 512
    base_channels: int = 64
    max_channels: int | None = None
    mask_dim: int = 128
    encoder_channels: int = 32
    instance_edges: bool = False

    def __post_init__(self) -> None:
        counts = (self.num_regions, self.style_dim, self.base_channels, self.mask_dim, self.encoder_channels)
        if min(counts) < 1 or (self.max_channels is not None and self.max_channels < 1):
            raise InputError(f"expected positive sizes, got {self}")
        if len(self.image_size) != 2 or any(s < SIZE_MULTIPLE or s % SIZE_MULTIPLE for s in self.image_size):
            raise InputError(
                f"expected an image_size of two positive multiples of {SIZE_MULTIPLE}, got {self.image_size}"
            )


class SEANModel(nn.Module):
    """Style encoder and generator: what a trained model consists of."""

    def __init__(self, config: SEANConfig) -> None:
        super().__init__()
        self.config = config
        self.style_encoder = StyleEncoder(config.num_regions, config.style_dim, config.encoder_channels)
        self.generator = Generator(
            config.num_regions,
            config.style_dim,
            config.base_channels,
            config.mask_dim,
            config.max_channels,
            instance_edges=config.instance_edges,
        )

    def encode(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        """Style codes of all regions and which regions are present; see `StyleEncoder.forward`."""
        return self.style_encoder(image, segmap)

    def render(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "v k d"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [-1, 1] from segmaps and styles; see `Generator.forward`."""
        return self.generator(segmap, style_codes, plan=plan, edges=edges, noise=noise, rng=rng)

    def forward(
        self,
        image: Float[Tensor, "b 3 h w"],
        segmap: Int[Tensor, "b h w"],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Reconstruct `image` from its own styles, the task SEAN is trained on."""
        codes, _ = self.encode(image, segmap)
        return self.render(segmap, codes, plan=plan, edges=edges, noise=noise, rng=rng)


def build_model(config: SEANConfig, init_gain: float = 0.02) -> SEANModel:
    """A SEAN model with Xavier-normal weights, drawn from torch's global generator; the paper's gain is 0.02."""
    model = SEANModel(config)
    initialize_weights(model, init_gain)
    return channels_last(model)


def channels_last(model: SEANModel) -> SEANModel:
    """The model with its kernels in the memory format that the operators read without a copy."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


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
