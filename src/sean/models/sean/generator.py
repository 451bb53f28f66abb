"""The generator: a picture from a segmap and one style code per region (SEAN paper, section 3.3 and Fig. 4A)."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sean.models.base import NoiseSource
from sean.models.configs import (
    BLOCKS,
    COLOR_DIM,
    NUM_STYLED_BLOCKS,
    SIZE_MULTIPLE,
    EncoderLevel,
    block_width,
    num_encoders,
)
from sean.models.layers import LEAKY_SLOPE
from sean.models.sean.norm import ALL_COLUMNS, DrawNoise, ModulatedNorm, SEANNorm, SEANResBlk
from sean.ops.color_matching import match_mean_colors
from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges, plan_segmap
from sean.segmap import onehot, resize_segmap

MakeNorm = Callable[[int, int], ModulatedNorm]
"""Makes a norm, given the number of channels and the index of the block."""


class Backbone(nn.Module):
    """The common part of SEAN's and SPADE's generators: seven residual blocks with nearest up-sampling between them.

    Args:
        stem: makes the input of the first block; the generator calls it.
        base_channels: NF, the width of the last block (64 in the paper); the first blocks are 16 times as wide.
        max_channels: upper bound on the width of the blocks; None as in the paper.
        make_norm: makes the norms.
    """

    def __init__(
        self,
        stem: nn.Module,
        base_channels: int,
        max_channels: int | None,
        make_norm: MakeNorm,
    ) -> None:
        super().__init__()

        def width(multiple: int) -> int:
            return block_width(multiple, base_channels, max_channels)

        def made_for(block: int) -> Callable[[int], ModulatedNorm]:
            return lambda channels: make_norm(channels, block)

        self.stem = stem
        self.blocks = nn.ModuleList(
            SEANResBlk(width(i), width(o), made_for(index)) for index, (i, o, _) in enumerate(BLOCKS)
        )
        self.to_rgb = nn.Conv2d(width(1), 3, 3, padding=1)

    def run_blocks(
        self, x: Tensor, plan: SegmapPlan, codes: Sequence[Tensor | None], draw_noise: DrawNoise | None
    ) -> Float[Tensor, "b 3 h w"]:
        """The picture from the stem's output and the style codes of each of the seven blocks."""
        levels = iter(plan.levels)
        level = next(levels)
        for block, block_codes, (_, _, double) in zip(self.blocks, codes, BLOCKS, strict=True):
            x = block(x, level, block_codes, draw_noise)
            if double:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
                level = next(levels)
        return torch.tanh(self.to_rgb(F.leaky_relu(x, LEAKY_SLOPE)))


class Generator(Backbone):
    """SEAN generator: a convolution of the small segmap, then seven SEAN ResBlks.

    Args:
        num_regions: labels k.
        style_dim: width d of a style code.
        base_channels, max_channels: see `Backbone`.
        mask_dim: hidden width of the mask branches (128 in the paper).
        instance_edges: whether the mask branches take the edges of instances, as the paper's do for data sets with
            instances.
        mask_branch: whether norms with a style branch also have a mask branch.
        noise: whether the norms have noise.
        encoders: which norms share a style encoder. The code matrices hold the codes of all encoders side by side.
        color_window: see `SEANConfig.color_window`.
    """

    def __init__(
        self,
        num_regions: int,
        style_dim: int = 512,
        base_channels: int = 64,
        mask_dim: int = 128,
        max_channels: int | None = None,
        *,
        instance_edges: bool = False,
        mask_branch: bool = True,
        noise: bool = True,
        encoders: EncoderLevel = "unified",
        color_window: int | None = None,
    ) -> None:
        norms_so_far = 0

        def make_norm(channels: int, block: int) -> SEANNorm:
            nonlocal norms_so_far
            styled = block < NUM_STYLED_BLOCKS
            encoder = {"unified": None, "resblk": block, "sean": norms_so_far}[encoders]
            norms_so_far += 1
            return SEANNorm(
                channels,
                num_regions,
                style_dim if styled else None,
                mask_dim,
                instance_edges=instance_edges,
                mask_branch=mask_branch or not styled,
                noise=noise,
                columns=ALL_COLUMNS if encoder is None else slice(encoder * style_dim, (encoder + 1) * style_dim),
            )

        stem = nn.Conv2d(num_regions, block_width(16, base_channels, max_channels), 3, padding=1)
        super().__init__(stem, base_channels, max_channels, make_norm)
        self.num_regions = num_regions
        self.instance_edges = instance_edges
        self.color_window = color_window
        self.code_dim = style_dim * num_encoders(encoders, base_channels, max_channels)

    def forward(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "v k d"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Render pictures.

        Args:
            segmap: label ids; the id k means "no region". Height and width are multiples of 32.
            style_codes: codes for all blocks, or a sequence of six, one [v, k, d] per SEAN ResBlk (crossover). The
                variants v are the samples of the batch, unless the plan has others (styles per instance).
            plan: the plan of this segmap and its edges, for instance from a loader's worker; None makes one.
            edges: for a network with instance edges, 1 (or True) for pixels at the edge of an instance (see
                `sean.segmap.instance_edges`); unused with a plan, which contains the edges.
            noise: whether to add the learned noise (on in training).
            rng: the source of the noise: one generator for the batch, or one for each sample, so that a sample's
                noise does not depend on the rest of the batch; None is torch's global generator.

        Returns:
            RGB in [-1, 1].

        Raises:
            ValueError: the size is not a multiple of 32, the number of per-block codes is not six, there are fewer
                variants than the segmap refers to, the number of generators is neither one nor the batch's, or edges
                are given to a network that takes none or missing for a network that takes them.
        """
        check_size(segmap)
        plan = plan or plan_segmap(segmap, edges=edges)
        check_edges(plan.edges, self.instance_edges)
        codes = per_block_codes(style_codes, plan)

        def draw_noise(x: Tensor) -> Tensor:
            return standard_normal((len(x), 1, *x.shape[2:]), rng, x)

        x = self.stem(self.coarse_onehot(segmap).to(codes[0].dtype))
        picture = self.run_blocks(x, plan, [*codes, None], draw_noise if noise else None)
        return in_style_colors(picture, plan, codes, self.color_window)

    def coarse_onehot(self, segmap: Int[Tensor, "b h w"]) -> Float[Tensor, "b k hs ws"]:
        """The input of the stem: the one-hot segmap at 1/32 of its size."""
        return onehot(coarse(segmap), self.num_regions)


def coarse(segmap: Int[Tensor, "b h w"]) -> Int[Tensor, "b hs ws"]:
    """A segmap at 1/32 of its size, the size of the first block."""
    h, w = segmap.shape[-2:]
    return resize_segmap(segmap, (h // SIZE_MULTIPLE, w // SIZE_MULTIPLE))


def standard_normal(shape: tuple[int, ...], rng: NoiseSource, like: Tensor) -> Tensor:
    """N(0, 1) of a shape [b, ...], from one generator for the batch or from one for each sample."""
    generators = [rng] if rng is None or isinstance(rng, torch.Generator) else rng
    if len(generators) not in (1, shape[0]):
        raise ValueError(f"expected one generator, or one for each of {shape[0]} samples, got {len(generators)}")
    each = (shape[0] // len(generators), *shape[1:])
    parts = [torch.randn(each, generator=generator, device=like.device, dtype=like.dtype) for generator in generators]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def check_size(segmap: Int[Tensor, "b h w"]) -> None:
    """Raise ValueError unless height and width are multiples of 32."""
    h, w = segmap.shape[-2:]
    if h % SIZE_MULTIPLE or w % SIZE_MULTIPLE:
        raise ValueError(
            f"expected height and width that are multiples of {SIZE_MULTIPLE}, got {h} x {w}; resize the segmap"
        )


def check_edges(edges: Edges | None, instance_edges: bool) -> None:
    """Raise ValueError if edges are missing for a network that takes them, or given to one that does not."""
    if instance_edges and edges is None:
        raise ValueError(
            "expected instance edges for a network that takes them, got none; give edges=, or a plan made with them"
        )
    if edges is not None and not instance_edges:
        raise ValueError(
            "expected no instance edges for a network that takes none, got some; leave them out of call and plan"
        )


def per_block_codes(style_codes: Float[Tensor, "v k d"] | Sequence[Tensor], plan: SegmapPlan) -> list[Tensor]:
    """One code tensor for each of the six styled blocks; ValueError unless they fit the plan."""
    codes = [style_codes] * NUM_STYLED_BLOCKS if isinstance(style_codes, Tensor) else list(style_codes)
    if len(codes) != NUM_STYLED_BLOCKS:
        raise ValueError(f"expected one style per SEAN ResBlk, that is {NUM_STYLED_BLOCKS}, got {len(codes)}")
    fewest = min(len(code) for code in codes)
    if fewest < plan.num_variants:
        raise ValueError(f"expected style codes of {plan.num_variants} samples or variants, got {fewest}")
    return codes


def in_style_colors(
    picture: Float[Tensor, "b 3 h w"],
    plan: SegmapPlan,
    codes: Sequence[Float[Tensor, "v k d"]],
    window: int | None,
) -> Float[Tensor, "b 3 h w"]:
    """A picture whose regions have the mean colours at the beginning of their codes; see `SEANConfig.match_color`.

    Args:
        picture: RGB in [-1, 1].
        plan: of its segmap.
        codes: of each styled block. A region keeps the network's colour if its code is zero, or if its blocks' colours
            differ (style crossover).
        window: see `match_mean_colors`; None leaves the picture as it is.
    """
    if window is None:
        return picture
    colors = torch.stack([code[..., :COLOR_DIM] for code in codes])
    agree = (colors == colors[-1]).all(dim=-1).all(dim=0)
    known = agree & (codes[-1] != 0).any(dim=-1)
    return match_mean_colors(picture, plan.levels[-1], colors[-1], known, window)
