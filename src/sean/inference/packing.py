"""Weights packed for inference: normalized, folded, and in the memory order of the matrix products."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.models.sean.norm import SEANNorm, StyleModulation
from sean.ops.modulation import mask_rows, paired, region_index, region_styles, sum_taps, tap_products
from sean.ops.normalization import scale_shift_project
from sean.plan.patch_plan import NUM_TAPS, PatchPlan

# Below this many pixels a wide convolution spends most of its time reordering its weight; a matrix product does not.
_FEW_PIXELS = 256


class PackedConv:
    """A convolution of stride 1 that keeps the size, with the spectral norm already divided out.

    Args:
        conv: convolution whose weight is shared if it has the right form; it must not change afterwards.
        dtype: dtype to compute in; None means that of the weight.
    """

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype | None = None) -> None:
        dtype = dtype or conv.weight.dtype
        self._weight = conv.weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
        self._bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self._padding = conv.kernel_size[0] // 2

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the convolution computes in."""
        return self._weight.dtype

    def __call__(self, x: Float[Tensor, "b cin h w"]) -> Float[Tensor, "b cout h w"]:
        """The convolution of a channels_last activation, channels_last."""
        b, _, h, w = x.shape
        x = x.to(self._weight.dtype)
        if h * w > _FEW_PIXELS:
            return F.conv2d(x, self._weight, self._bias, padding=self._padding)
        patches = F.pad(x, [self._padding] * 4).unfold(2, self._weight.shape[2], 1).unfold(3, self._weight.shape[3], 1)
        rows = patches.permute(0, 2, 3, 4, 5, 1).reshape(b * h * w, -1)
        out = F.linear(rows, self._weight.permute(0, 2, 3, 1).flatten(1), self._bias)
        return out.view(b, h, w, -1).permute(0, 3, 1, 2)


class PackedProjection:
    """A 1x1 convolution without bias of an activation that a norm scales and shifts first.

    Args:
        conv: convolution whose weights must not change afterwards.
        dtype: dtype of the packed weight; None means that of `conv`.
    """

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype | None = None) -> None:
        self._weight = conv.weight.detach().to(dtype or conv.weight.dtype).flatten(1).contiguous()

    def after(self, x: Tensor, rows: Float[Tensor, "q two_c"], pixels: Int[Tensor, "b h w"]) -> Tensor:
        """conv(x * scale + shift); see `scale_shift_project`."""
        return scale_shift_project(x, rows, pixels, self._weight.to(x.dtype))


class StyleTable:
    """W[tap] @ mu_j of one norm and one set of style codes, for the regions requested so far.

    Attributes:
        products: [9, 1 + v * k, 2c]; row 0 is the zero of "outside the picture" and "no region".
        known: [1 + v * k], whether the row has been computed.
    """

    def __init__(self, num_rows: int, like: Tensor) -> None:
        self.products = like.new_zeros(NUM_TAPS, num_rows, like.shape[0])
        self.known: Bool[Tensor, " rows"] = torch.zeros(num_rows, dtype=torch.bool)
        self.known[0] = True


class PackedNorm:
    """A SEAN norm in evaluation mode, with the batch norm's statistics and the blending folded into its kernels.

    Its rows are scale and shift: x * scale + shift is the complete norm.

    Args:
        norm: norm in evaluation mode; its weights must not change afterwards.
    """

    def __init__(self, norm: SEANNorm) -> None:
        mean, variance = norm.norm.running_mean, norm.norm.running_var
        assert mean is not None and variance is not None, "the batch norm keeps running statistics"
        rstd = torch.rsqrt(variance + norm.norm.eps)
        alpha = mean.new_full((2,), float(norm.mask is None))
        if norm.mask is not None and norm.style is not None:
            alpha = torch.sigmoid(norm.blend.detach())

        def fold(gamma_beta: Tensor, weights: Tensor) -> Tensor:
            """(gamma, beta), stacked in the first axis, as their contribution to (scale, shift)."""
            gamma, beta = gamma_beta.detach().chunk(2)
            each = (-1, *[1] * (gamma.dim() - 1))
            scale = gamma * (rstd * weights[0]).view(each)
            return torch.cat([scale, beta * weights[1] - scale * mean.view(each)])

        self.bias = torch.cat([rstd, -mean * rstd])
        self.has_mask = norm.mask is not None
        if norm.mask is not None:
            hidden_weight, hidden_bias, weight, bias = norm.mask.weights
            self.hidden_weight, self.hidden_bias = hidden_weight.detach(), hidden_bias.detach()
            self.weight = _tap_major(fold(weight, 1 - alpha))
            self.bias = self.bias + fold(bias, 1 - alpha)
        self.style: StyleModulation | None = norm.style
        if norm.style is not None:
            self.style_weight = _tap_major(fold(norm.style.weight, alpha))
            self.bias = self.bias + fold(norm.style.bias, alpha)
        self.noise_scale: Tensor | None = None
        if norm.noise_scale is not None and norm.noise_scale.any():
            self.noise_scale = norm.noise_scale.detach()

    def mask_part(self, plan: PatchPlan) -> Float[Tensor, "q two_c"]:
        """The contribution of the segmap and of the constants to every row of a plan."""
        if not self.has_mask:
            return self.bias.expand(plan.num_rows, -1)
        rows = mask_rows(plan, self.hidden_weight, self.hidden_bias, self.weight, self.bias)
        return paired(plan, rows)

    def style_part(self, plan: PatchPlan, table: StyleTable, codes: Float[Tensor, "v k d"]) -> Tensor:
        """The contribution of the styles to every row [q, 2c]; computes missing rows of the table."""
        assert self.style is not None, "this norm has no style branch"
        codes = codes[..., self.style.columns]
        index = region_index(plan, codes.shape[0], codes.shape[1])
        self._fill(table, index, codes)
        patches = F.pad(index, (1, 0)).index_select(0, plan.region_patches.flatten()).view(-1, NUM_TAPS)
        return sum_taps(table.products, patches).index_select(0, plan.region_rows)

    def new_table(self, codes: Float[Tensor, "v k d"]) -> StyleTable:
        """An empty table for these codes."""
        return StyleTable(1 + codes.shape[0] * codes.shape[1], self.style_weight)

    def _fill(self, table: StyleTable, index: Int[Tensor, " r"], codes: Tensor) -> None:
        missing = index.cpu().unique()
        missing = missing[~table.known[missing]]
        if not len(missing):
            return
        assert self.style is not None, "this norm has no style branch"
        chosen = missing.long().to(codes.device)
        labels = (chosen - 1) % codes.shape[1]
        vectors = codes.flatten(0, 1).index_select(0, chosen - 1)
        weight, bias = self.style.region_weight.detach(), self.style.region_bias.detach()
        if 2 * len(labels) > codes.shape[1] and codes.shape[0] == 1:
            mu = region_styles(codes, weight, bias)[0].index_select(0, labels)
        else:  # most segmaps have a dozen of 150 labels
            weight, bias = weight.index_select(0, labels), bias.index_select(0, labels)
            mu = region_styles(vectors.unsqueeze(0), weight, bias)[0]
        table.products.index_copy_(1, chosen, tap_products(mu, self.style_weight))
        table.known[missing] = True


def _tap_major(weight: Float[Tensor, "o d 3 3"]) -> Float[Tensor, "o d 3 3"]:
    """The same kernel with the memory order [3, 3, d, o]."""
    return weight.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
