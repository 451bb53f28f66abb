"""The generator: a segmap and one style code per region to a picture (SEAN paper, section 3.3 and Fig. 4A)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sean.models.layers import LEAKY_SLOPE
from sean.models.sean import SEANResBlk
from sean.plan.patch_plan import SCALES, SegmapPlan
from sean.plan.planner import Edges, plan_segmap
from sean.segmap import onehot, resize_segmap

NUM_STYLED_BLOCKS = 6
"""SEAN ResBlks that take styles: the six of the paper's style-crossover figure (Fig. 7)."""

SIZE_MULTIPLE = SCALES[0]
"""Five up-samplings by 2: height and width of a picture are multiples of this."""

# (input width, output width) in units of base_channels, and whether the picture is doubled after the block
BLOCKS = (
    (16, 16, True),
    (16, 16, False),
    (16, 16, True),
    (16, 8, True),
    (8, 4, True),
    (4, 2, True),
    (2, 1, False),
)


class Generator(nn.Module):
    """SEAN generator: a convolution of the small segmap, then seven SEAN ResBlks with nearest up-sampling between.

    Args:
        num_regions: labels k.
        style_dim: width d of a style code.
        base_channels: NF, the width of the last block (64 in the paper); the first are 16 times as wide.
        mask_dim: hidden width of the mask branches (128 in the paper).
        max_channels: no block is wider than this; None as in the paper.
        instance_edges: whether the mask branches see the edges of instances, as the paper's do where the data set has
            instances.
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
    ) -> None:
        super().__init__()
        self.num_regions = num_regions
        self.instance_edges = instance_edges

        def width(multiple: int) -> int:
            return min(multiple * base_channels, max_channels or multiple * base_channels)

        self.stem = nn.Conv2d(num_regions, width(16), 3, padding=1)
        self.blocks = nn.ModuleList(
            SEANResBlk(
                width(i),
                width(o),
                num_regions,
                style_dim if index < NUM_STYLED_BLOCKS else None,
                mask_dim,
                instance_edges=instance_edges,
            )
            for index, (i, o, _) in enumerate(BLOCKS)
        )
        self.to_rgb = nn.Conv2d(width(1), 3, 3, padding=1)

    def forward(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "v k d"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Render pictures.

        Args:
            segmap: label ids; the id k means "no region". Height and width are multiples of 32.
            style_codes: codes for all blocks, or a sequence of six, one [v, k, d] per SEAN ResBlk (crossover). The
                variants v are the samples of the batch, unless the plan has others (styles per instance).
            plan: of this segmap and its edges, made beforehand (in a loader's worker, say); None makes it here.
            edges: for a network with instance edges, 1 (or True) where a pixel lies at the edge of an instance (see
                `sean.segmap.instance_edges`); unused with a plan, which has its own.
            noise: whether to add the learned noise (on in training).
            rng: where the noise comes from: one for the batch, or one for each of its samples, whose noise then does
                not depend on what else is in the batch; None is torch's global generator.

        Returns:
            RGB in [-1, 1].

        Raises:
            ValueError: the size is no multiple of 32, the number of per-block codes is not six, there are fewer
                variants than the segmap refers to, the number of generators is neither one nor the batch's, or there
                are edges and the network takes none, or the other way round.
        """
        check_size(segmap)
        plan = plan or plan_segmap(segmap, edges=edges)
        check_edges(plan, self.instance_edges)
        codes = per_block_codes(style_codes, plan)

        generators = [rng] if rng is None or isinstance(rng, torch.Generator) else rng
        if len(generators) not in (1, len(segmap)):
            raise ValueError(f"expected one generator, or one for each of {len(segmap)} samples, got {len(generators)}")

        def draw_noise(x: Tensor) -> Tensor:
            shape = (x.shape[0] // len(generators), 1, *x.shape[2:])
            maps = [torch.randn(shape, generator=each, device=x.device, dtype=x.dtype) for each in generators]
            return maps[0] if len(maps) == 1 else torch.cat(maps)

        x = self.stem(self.coarse_onehot(segmap).to(codes[0].dtype))
        levels = iter(plan.levels)
        level = next(levels)
        for block, block_codes, (_, _, double) in zip(self.blocks, [*codes, None], BLOCKS, strict=True):
            x = block(x, level, block_codes, draw_noise if noise else None)
            if double:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
                level = next(levels)
        return torch.tanh(self.to_rgb(F.leaky_relu(x, LEAKY_SLOPE)))

    def coarse_onehot(self, segmap: Int[Tensor, "b h w"]) -> Float[Tensor, "b k hs ws"]:
        """What the stem sees: the one-hot segmap at 1/32 of its size."""
        h, w = segmap.shape[-2:]
        return onehot(resize_segmap(segmap, (h // SIZE_MULTIPLE, w // SIZE_MULTIPLE)), self.num_regions)


def check_size(segmap: Int[Tensor, "b h w"]) -> None:
    """Raise ValueError unless height and width are multiples of 32."""
    h, w = segmap.shape[-2:]
    if h % SIZE_MULTIPLE or w % SIZE_MULTIPLE:
        raise ValueError(
            f"expected height and width that are multiples of {SIZE_MULTIPLE}, got {h} x {w}; resize the segmap"
        )


def check_edges(plan: SegmapPlan, instance_edges: bool) -> None:
    """Raise ValueError unless a plan has edges just where a network takes them."""
    if instance_edges and plan.edges is None:
        raise ValueError(
            "expected instance edges for a network that takes them, got none; give edges=, or a plan made with them"
        )
    if plan.edges is not None and not instance_edges:
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
