"""SEAN, style encoder and generator together, with its sizes and the variants of the paper's Table 3."""

from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from sean.models.base import NoiseSource, StyledModel
from sean.models.configs import NUM_STYLED_BLOCKS, SEANConfig, num_encoders
from sean.models.sean.encoder import StyleEncoder, StyleEncoders
from sean.models.sean.generator import Generator
from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges


class SEANModel(StyledModel):
    """A SEAN model: style encoder and generator."""

    config: SEANConfig
    style_encoder: StyleEncoder | StyleEncoders
    generator: Generator

    style_inputs: ClassVar[int] = NUM_STYLED_BLOCKS

    def __init__(self, config: SEANConfig) -> None:
        super().__init__()
        self.config = config
        encoders = [
            StyleEncoder(
                config.num_regions,
                config.style_dim,
                config.encoder_channels,
                norm=config.encoder_norm,
                mean_color=config.mean_color,
                downsampling=config.downsampling,
            )
            for _ in range(num_encoders(config.encoders, config.base_channels, config.max_channels))
        ]
        self.style_encoder = encoders[0] if len(encoders) == 1 else StyleEncoders(encoders)
        self.generator = Generator(
            config.num_regions,
            config.style_dim,
            config.base_channels,
            config.mask_dim,
            config.max_channels,
            instance_edges=config.instance_edges,
            mask_branch=config.mask_branch,
            noise=config.noise,
            encoders=config.encoders,
            color_window=config.color_window,
        )

    @property
    def code_dim(self) -> int:
        """Width of a region's code: the sum over all encoders."""
        return self.generator.code_dim

    def encode(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        """Style codes and presence of all regions; see `StyleEncoder.forward`."""
        return self.style_encoder(image, segmap)

    def render(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "v k d"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [-1, 1] from segmaps and styles; see `Generator.forward`."""
        return self.generator(segmap, style_codes, plan=plan, edges=edges, noise=noise, rng=rng)
