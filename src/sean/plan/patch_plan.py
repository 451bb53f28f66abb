"""Patch plans: the distinct label patches of a segmap, numbered once, and the number of every pixel's patch.

The output of a SEAN norm's mask branch at a pixel depends on a 5x5 patch of labels around it (its hidden layer on a 3x3
patch), that of the style branch on a 3x3 patch of regions. Real segmaps have few distinct patches: about 3 000 of 5x5
among the 65 536 pixels of a face at 256 x 256. A plan numbers them; the operators of `sean.ops` evaluate every distinct
patch once and gather the results. A plan holds integers and no weights, so one plan serves all blocks, styles and
models.

A region is a label together with a variant, the number of the style-code matrix that holds its code. The variant is
the sample of a batch or, if instances have their own styles, an instance.

A symbol is the input of the mask branch at a pixel: a label or, for models with instance edges, a label and whether the
pixel lies at an edge. The style branch does not use edges.
"""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

SCALES = (32, 16, 8, 4, 2, 1)
"""Denominators of the fractions of the picture's size at which the generator works, from coarse to fine."""

NUM_TAPS = 9


class Numbering:
    """Identity of a numbering: plans that share one give equal numbers to equal patches."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchPlan:
    """The patches of a batch of segmaps at one resolution. In all tables, 0 means "outside the picture".

    Taps are in row-major order, the fifth is the pixel itself. A label >= the model's number of regions means "no
    region". The symbol of a pixel is its label; with edges it is 2 * label + edge.

    Attributes:
        label_patches: [m, 9], 3x3 patches of 1 + symbol; distinct over the whole batch, or, where the plan is dense,
            one per pixel in raster order.
        mask_patches: [n, 9], distinct 5x5 patches as 3x3 of 1 + row of `label_patches`; None for a dense plan, whose
            segmap has so many distinct patches that the convolution over all pixels is cheaper.
        regions: [r, 2], (variant, label) of every region; may include regions that an edit has removed.
        region_patches: [s, 9], distinct 3x3 patches of 1 + row of `regions`.
        mask_rows: [q], the row of `mask_patches` (dense: of `label_patches`) of every distinct pair of patches.
        region_rows: [q], the row of `region_patches` of every distinct pair.
        one_pair_each: whether `mask_rows` is 0, 1, 2 ..., which holds if every label has one region.
        pixels: [b, h, w], the pair of every pixel.
        numbering: plans with the same numbering share numbers: shorter tables are prefixes of longer ones.
        has_edges: whether the symbols include instance edges.
    """

    label_patches: Int[Tensor, "m 9"]
    mask_patches: Int[Tensor, "n 9"] | None
    regions: Int[Tensor, "r 2"]
    region_patches: Int[Tensor, "s 9"]
    mask_rows: Int[Tensor, " q"]
    region_rows: Int[Tensor, " q"]
    one_pair_each: bool
    pixels: Int[Tensor, "b h w"]
    numbering: Numbering
    has_edges: bool = False

    @property
    def num_rows(self) -> int:
        """Number of distinct pairs of mask patch and region patch: the rows that the operators compute."""
        return self.mask_rows.shape[0]

    @property
    def is_dense(self) -> bool:
        """Whether the mask branch convolves over all pixels."""
        return self.mask_patches is None

    @property
    def region_map(self) -> Int[Tensor, "b h w"]:
        """The row of `regions` of every pixel: the centre of its 3x3 patch."""
        patches = self.region_rows.index_select(0, self.pixels.flatten())
        return (self.region_patches[:, NUM_TAPS // 2].index_select(0, patches) - 1).view(self.pixels.shape)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "PatchPlan":
        """The plan on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
        moved = {name: tensor.to(device, non_blocking=non_blocking) for name, tensor in tensors.items()}
        return replace(self, **moved)  # type: ignore[arg-type]

    def tail(self, start: int) -> "PatchPlan":
        """The plan of the rows from `start` on, with only the patches that these rows need.

        Its `pixels` are the rows themselves, [1, 1, q - start]. Dense plans have no tail, as their rows are connected.
        """
        assert self.mask_patches is not None, "a dense plan has no tail"
        mask_rows, mask_patches = _only(self.mask_rows[start:], self.mask_patches)
        patches, mask_patches = _only_patches(mask_patches, self.label_patches)
        region_rows, region_patches = _only(self.region_rows[start:], self.region_patches)
        return PatchPlan(
            label_patches=patches,
            mask_patches=mask_patches,
            regions=self.regions,
            region_patches=region_patches,
            mask_rows=mask_rows,
            region_rows=region_rows,
            one_pair_each=self.one_pair_each,
            pixels=torch.arange(len(mask_rows), dtype=self.pixels.dtype, device=self.pixels.device).view(1, 1, -1),
            numbering=Numbering(),
            has_edges=self.has_edges,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmapPlan:
    """The plans of a batch of segmaps for all resolutions of the generator.

    Attributes:
        segmap: [b, h, w], the label ids.
        levels: one plan for each of `SCALES`, from coarse to fine.
        num_variants: number of style-code matrices that the variants refer to.
        edges: [b, h, w], whether a pixel lies at the edge of an instance; None for models without instance edges.
    """

    segmap: Int[Tensor, "b h w"]
    levels: tuple[PatchPlan, ...]
    num_variants: int
    edges: Bool[Tensor, "b h w"] | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "SegmapPlan":
        """The plan on another device."""
        return SegmapPlan(
            segmap=self.segmap.to(device, non_blocking=non_blocking),
            levels=tuple(level.to(device, non_blocking=non_blocking) for level in self.levels),
            num_variants=self.num_variants,
            edges=None if self.edges is None else self.edges.to(device, non_blocking=non_blocking),
        )


def _only(rows: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of `table` that `rows` refers to, and `rows` renumbered for them."""
    used, renumbered = torch.unique(rows, return_inverse=True)
    return renumbered.to(rows.dtype), table.index_select(0, used)


def _only_patches(patches: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """`_only` for entries that are 1 + row, with 0 for "outside"; returns the table first."""
    used, renumbered = torch.unique(torch.cat([patches.new_zeros(1), patches.flatten()]), return_inverse=True)
    return table.index_select(0, used[1:] - 1), renumbered[1:].view_as(patches).to(patches.dtype)
