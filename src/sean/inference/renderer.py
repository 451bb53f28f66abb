"""The generator at inference, which recomputes only the rows that have changed since the last pictures.

A picture needs the rows of its plan for every SEAN norm: a mask part, which depends on the segmap, and a style part,
which also depends on the table of the style codes. The rows of the last few segmaps and styles are kept. A change of
style recomputes tables and sums only, a brush stroke only the rows of new patches; rendering the same picture again
costs its convolutions and one pass over the pixels per norm.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sean.inference.packing import PackedConv, PackedNorm, PackedProjection, StyleTable
from sean.models.base import NoiseSource
from sean.models.configs import BLOCKS
from sean.models.layers import LEAKY_SLOPE
from sean.models.sean.generator import (
    Generator,
    check_edges,
    check_size,
    in_style_colors,
    per_block_codes,
    standard_normal,
)
from sean.models.sean.norm import SEANNorm, SEANResBlk
from sean.ops.normalization import scale_shift_activate
from sean.plan.patch_plan import PatchPlan, SegmapPlan


class Renderer:
    """A generator packed for inference.

    Args:
        generator: generator in evaluation mode. Weights that need no repacking are shared with it, so it must not
            change afterwards.
        num_kept: number of segmaps, and of pairs of segmap and style, whose rows are kept.
        dtype: dtype of convolutions and activations; None means that of the weights. Rows and the last convolution
            stay in the weights' dtype: they take little time, and 16 bits would be visible in the picture.
    """

    def __init__(self, generator: Generator, num_kept: int = 4, dtype: torch.dtype | None = None) -> None:
        self._coarse_onehot = generator.coarse_onehot
        self._instance_edges = generator.instance_edges
        self._color_window = generator.color_window
        self._stem = PackedConv(cast(nn.Conv2d, generator.stem), dtype)
        self._blocks = [_PackedBlock(block, dtype) for block in generator.blocks if isinstance(block, SEANResBlk)]
        self._to_rgb = PackedConv(generator.to_rgb)
        self._forget(num_kept)

    def fork(self, num_kept: int) -> "Renderer":
        """A renderer with the same packed weights and its own rows, for another picture edited at the same time."""
        other = copy.copy(self)
        other._forget(num_kept)
        return other

    def memory(self) -> Iterator[Tensor]:
        """The tensors that are kept for the next picture."""
        for style in self._styles:
            yield from style.memory()
        yield from self._mask_parts.memory()
        yield from self._rows.memory()

    def _forget(self, num_kept: int) -> None:
        num_norms = sum(len(block.norms) for block in self._blocks)
        self._num_kept = num_kept
        self._styles: list[_Style] = []
        self._mask_parts: _Recent = _Recent(num_kept * num_norms)
        self._rows: _Recent = _Recent(num_kept * num_norms)

    @torch.inference_mode()
    def __call__(
        self,
        plan: SegmapPlan,
        style_codes: Float[Tensor, "v k d"] | Sequence[Tensor],
        *,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Render pictures in [-1, 1]; see `Generator.forward`."""
        check_size(plan.segmap)
        check_edges(plan.edges, self._instance_edges)
        codes = [code.to(self._to_rgb.dtype) for code in per_block_codes(style_codes, plan)]
        style = self._style(codes)
        levels = iter(plan.levels)
        level = next(levels)
        x = self._stem(self._coarse_onehot(plan.segmap).to(codes[0].dtype))
        x = x.contiguous(memory_format=torch.channels_last)
        for index, (block, (_, _, double)) in enumerate(zip(self._blocks, BLOCKS, strict=True)):
            x = block(x, level, [self._norm_rows(norm, level, style, index) for norm in block.norms], noise, rng)
            if double:  # by the next block
                level = next(levels)
        picture = self._to_rgb(F.leaky_relu_(x, LEAKY_SLOPE)).tanh_()
        return in_style_colors(picture, plan, codes, self._color_window)

    def _style(self, codes: list[Tensor]) -> "_Style":
        """The kept tables of these codes, looked up by content."""
        for style in self._styles:
            if style.has(codes):
                self._styles.remove(style)
                break
        else:
            style = _Style(codes)
        self._styles = [style, *self._styles][: self._num_kept]
        return style

    def _norm_rows(self, norm: PackedNorm, plan: PatchPlan, style: "_Style", block: int) -> Tensor:
        """Scale and shift [q, 2c] of a norm, from the kept rows as far as possible.

        Autocast is switched off, as the kept rows must not depend on it.
        """
        device = plan.pixels.device.type
        without_autocast = torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()
        with without_autocast:
            return self._rows_of(norm, plan, style, block)

    def _rows_of(self, norm: PackedNorm, plan: PatchPlan, style: "_Style", block: int) -> Tensor:
        mask_key = (norm, plan.numbering)
        if norm.style is None:
            return self._mask_parts.grown(mask_key, plan, norm.mask_part)
        codes, table = style.codes[block], style.table(norm, block)

        def both_parts(part: PatchPlan) -> Tensor:
            mask = self._mask_parts.grown(mask_key, plan, norm.mask_part)
            # the rows of a tail are the last rows of the plan
            return norm.style_part(part, table, codes).add_(mask[plan.num_rows - part.num_rows : plan.num_rows])

        return self._rows.grown((norm, plan.numbering, style), plan, both_parts)


class _PackedBlock:
    """A SEAN ResBlk. `norms` begins with the shortcut's norm if there is one: the order in which noise is drawn."""

    def __init__(self, block: SEANResBlk, dtype: torch.dtype | None) -> None:
        norms = [block.norm_0, block.norm_1]
        if block.norm_shortcut is not None:
            norms.insert(0, block.norm_shortcut)
        self.norms = [PackedNorm(norm) for norm in norms if isinstance(norm, SEANNorm)]
        self.conv_0, self.conv_1 = PackedConv(block.conv_0, dtype), PackedConv(block.conv_1, dtype)
        self.conv_shortcut: PackedProjection | None = None
        if block.norm_shortcut is not None:
            self.conv_shortcut = PackedProjection(block.conv_shortcut, dtype)

    def __call__(self, x: Tensor, plan: PatchPlan, rows: Sequence[Tensor], noise: bool, rng: NoiseSource) -> Tensor:
        """The block's output for an activation of the plan's size, or of half that size, which is doubled first."""
        b, h, w = plan.pixels.shape
        size, first = (h, w), len(self.norms) - 2
        if noise:
            x = _doubled_to(size, x)

        def noisy(x: Tensor, index: int) -> Tensor:
            if not noise:
                return x
            map_ = standard_normal((b, 1, h, w), rng, x)
            noise_scale = self.norms[index].noise_scale
            return x if noise_scale is None else torch.addcmul(x, map_, noise_scale.to(x.dtype)[:, None, None])

        if self.conv_shortcut is None:
            x = shortcut = _doubled_to(size, x)
        else:
            shortcut = self.conv_shortcut.after(noisy(x, 0), rows[0], plan.pixels)
        x = scale_shift_activate(noisy(x, first), rows[first], plan.pixels, LEAKY_SLOPE)
        x = noisy(self.conv_0(x), first + 1)
        x = scale_shift_activate(x, rows[first + 1], plan.pixels, LEAKY_SLOPE, out=x)
        return self.conv_1(x).add_(shortcut)


def _doubled_to(size: tuple[int, int], x: Tensor) -> Tensor:
    return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="nearest")


class _Style:
    """One set of per-block style codes and the tables of all norms for it."""

    def __init__(self, codes: list[Tensor]) -> None:
        self.codes = [code.clone() for code in codes]
        self._tables: dict[PackedNorm, StyleTable] = {}

    def has(self, codes: list[Tensor]) -> bool:
        """Whether the tables belong to these codes."""
        return all(torch.equal(own, other) for own, other in zip(self.codes, codes, strict=True))

    def memory(self) -> Iterator[Tensor]:
        yield from self.codes
        for table in self._tables.values():
            yield from (table.products, table.known)

    def table(self, norm: PackedNorm, block: int) -> StyleTable:
        if norm not in self._tables:
            self._tables[norm] = norm.new_table(self.codes[block])
        return self._tables[norm]


class _Recent:
    """The most recently used rows."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, Tensor] = OrderedDict()

    def memory(self) -> Iterator[Tensor]:
        return iter(self._entries.values())

    def grown(self, key: Hashable, plan: PatchPlan, make: Callable[[PatchPlan], Tensor]) -> Tensor:
        """All rows of a plan: the kept rows, and the missing rows computed from the tail of the plan."""
        rows = self._entries.pop(key, None)
        if rows is None:
            rows = make(plan)
        elif len(rows) < plan.num_rows:
            rows = torch.cat([rows, make(plan.tail(len(rows)))])
        self._entries[key] = rows
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return rows
