"""Gamma and beta of a SEAN norm as a few rows instead of feature maps: exact, and cheap for simple segmaps.

Both branches of a SEAN norm work on a piecewise constant map. The style branch convolves a map that carries mu_j at
every pixel of region j; by linearity a pixel gets the sum of nine rows of the table T[tap, j] = W[tap] @ mu_j, one for
each neighbour, and equal 3x3 patches of regions have equal sums. The mask branch is a function of the 5x5 patch of
labels (and of instance edges) alone, and its hidden layer a function of the 3x3 patch. Every distinct patch of a
`PatchPlan` is therefore evaluated once, and `sean.ops.normalization` gathers the rows per pixel. All functions are
differentiable. The results equal those of the published formulation (`sean.ops.dense`) up to the order of additions.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sean.plan.patch_plan import NUM_TAPS, PatchPlan


def region_styles(
    style_codes: Float[Tensor, "v k d"], weight: Float[Tensor, "k d d"], bias: Float[Tensor, "k d"]
) -> Float[Tensor, "v k d"]:
    """mu_j = ReLU(A_j ST_j + a_j): the per-region linear map of a SEAN norm ("1x1 conv A_ij" of the paper's Fig. 3)."""
    return F.relu(torch.einsum("vkd,ked->vke", style_codes, weight) + bias)


def tap_products(vectors: Float[Tensor, "n d"], weight: Float[Tensor, "o d 3 3"]) -> Float[Tensor, "9 n o"]:
    """W[tap] @ vector for all nine taps of a 3x3 kernel: the contribution of a pixel to each of its neighbours.

    Neither the weight nor its gradient is copied if the weight is in torch's channels_last format.
    """
    device = vectors.device.type
    if torch.is_autocast_enabled(device):  # autocast does not reach into the backward pass of a custom function
        weight = weight.to(torch.get_autocast_dtype(device))
    return _TapProducts.apply(vectors.to(weight.dtype), weight)


class _TapProducts(torch.autograd.Function):
    """`tap_products` with a weight gradient in the memory order of the weight. Torch's own backward pass makes the
    gradient in [3, 3, d, o] order and then transposes it, one of the slowest parts of a training step."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, weight)
        return torch.bmm(vectors.expand(NUM_TAPS, -1, -1), weight.permute(2, 3, 1, 0).flatten(0, 1))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        vectors, weight = ctx.saved_tensors
        of_vectors = torch.bmm(grad, weight.permute(2, 3, 0, 1).flatten(0, 1)).sum(0)
        of_weight = torch.empty_like(weight, memory_format=torch.channels_last)
        taps = of_weight.permute(2, 3, 0, 1)
        for tap in range(NUM_TAPS):
            torch.mm(grad[tap].T, vectors, out=taps[tap // 3, tap % 3])
        return of_vectors, of_weight


def sum_taps(products: Float[Tensor, "9 n o"], patches: Int[Tensor, "m 9"]) -> Float[Tensor, "m o"]:
    """For every patch, the sum over its nine entries of the entry's product with the kernel's tap."""
    offsets = torch.arange(NUM_TAPS, device=patches.device, dtype=patches.dtype) * products.shape[1]
    return F.embedding_bag(patches + offsets, products.flatten(0, 1), mode="sum")


def mask_rows(
    plan: PatchPlan,
    hidden_weight: Float[Tensor, "e cin 3 3"],
    hidden_bias: Float[Tensor, " e"],
    weight: Float[Tensor, "o e 3 3"],
    bias: Float[Tensor, " o"],
) -> Float[Tensor, "n o"]:
    """The mask branch, conv3x3(ReLU(conv3x3(one-hot))), for every 5x5 patch of a plan (for every pixel if it is dense).

    Args:
        plan: plan of the segmap.
        hidden_weight, hidden_bias: parameters of the convolution of the one-hot segmap; if the plan has edges, of
            k + 1 planes, the last of which is the edge map.
        weight, bias: parameters of the convolution of the hidden layer.
    """
    table, patches = _symbol_table(plan, hidden_weight)
    hidden = F.relu(sum_taps(table, patches) + hidden_bias)
    if plan.mask_patches is None:
        b, h, w = plan.pixels.shape
        maps = F.conv2d(hidden.view(b, h, w, -1).permute(0, 3, 1, 2), weight, bias, padding=1)
        return maps.permute(0, 2, 3, 1).flatten(0, 2)
    # the convolution pads the hidden layer with zeros
    return sum_taps(tap_products(F.pad(hidden, (0, 0, 1, 0)), weight), plan.mask_patches).add_(bias)


def _symbol_table(
    plan: PatchPlan, weight: Float[Tensor, "e cin 3 3"]
) -> tuple[Float[Tensor, "9 rows e"], Int[Tensor, "m 9"]]:
    """The contribution of a pixel of each symbol to its neighbours, and the plan's label patches as rows of this table.

    The rows belong to "outside the picture", to the labels, and to "no region" (every label from k on). With edges, all
    rows but the first come twice: without and with the contribution of the edge.
    """
    taps = weight.permute(2, 3, 1, 0).flatten(0, 1)
    if not plan.has_edges:
        return F.pad(taps, (0, 0, 1, 1)), plan.label_patches.clamp(max=weight.shape[1] + 1)
    num_regions = weight.shape[1] - 1
    labels, edge = F.pad(taps[:, :-1], (0, 0, 0, 1)), taps[:, -1:]
    table = torch.stack([labels, labels + edge], dim=2).flatten(1, 2)
    # even entries have an edge, and must stay even when clamped
    last = 2 * num_regions + 2 - plan.label_patches % 2
    return F.pad(table, (0, 0, 1, 0)), torch.minimum(plan.label_patches, last)


def style_rows(
    plan: PatchPlan, mu: Float[Tensor, "v k d"], weight: Float[Tensor, "o d 3 3"], bias: Float[Tensor, " o"]
) -> Float[Tensor, "s o"]:
    """The style branch, conv3x3 of the style map, for every 3x3 patch of regions of a plan.

    Args:
        plan: plan of the segmap; its variants count from 0 to v - 1.
        mu: see `region_styles`.
        weight, bias: parameters of the convolution of the style map.
    """
    # row 0 for "outside the picture" and "no region"
    vectors = F.pad(mu.flatten(0, 1), (0, 0, 1, 0))
    used = F.pad(region_index(plan, mu.shape[0], mu.shape[1]), (1, 0))
    return sum_taps(tap_products(vectors.index_select(0, used), weight), plan.region_patches).add_(bias)


def region_index(plan: PatchPlan, num_variants: int, num_regions: int) -> Int[Tensor, " r"]:
    """1 + variant * k + label for every region of a plan, or 0 if the label means "no region".

    It is also 0 if the variant does not exist: the numbering then contains a region that has left the segmap.
    """
    variants, labels = plan.regions.unbind(dim=1)
    exists = (labels < num_regions) & (variants < num_variants)
    return torch.where(exists, 1 + variants * num_regions + labels, torch.zeros_like(labels))


def paired(plan: PatchPlan, mask: Float[Tensor, "n two_c"]) -> Float[Tensor, "q two_c"]:
    """The rows of the mask branch for every pair of patches; not copied if each mask patch belongs to one pair."""
    return mask if plan.one_pair_each else mask.index_select(0, plan.mask_rows)


def blended_rows(
    plan: PatchPlan, mask: Float[Tensor, "n two_c"], style: Float[Tensor, "s two_c"], logits: Float[Tensor, "2"]
) -> Float[Tensor, "q two_c"]:
    """(1 - alpha) mask + alpha style for every pair of patches, alpha = sigmoid(logits) for gamma and for beta."""
    wide = torch.promote_types(mask.dtype, torch.float32)
    alpha = torch.sigmoid(logits.to(wide)).repeat_interleave(mask.shape[1] // 2)
    own, styled = paired(plan, mask), style.index_select(0, plan.region_rows)
    return torch.lerp(own.to(wide), styled.to(wide), alpha)
