"""The published formulation of SEAN's modulation: feature maps at full size. The reference for the fast operators.

It has the same weights and results, and takes more than ten times the arithmetic; `sean bench` compares both.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sean.plan.patch_plan import PatchPlan
from sean.segmap import onehot


def region_map(plan: PatchPlan) -> tuple[Int[Tensor, "b h w"], Int[Tensor, "b h w"]]:
    """Variant and label of every pixel of a plan."""
    regions = plan.region_map
    variants, labels = plan.regions.index_select(0, regions.flatten()).view(*regions.shape, 2).unbind(dim=-1)
    return variants, labels


def edge_map(plan: PatchPlan) -> Bool[Tensor, "b h w"] | None:
    """The instance edges of a plan, from the centres of its patches of symbols; None for a plan without edges."""
    if not plan.has_edges:
        return None
    patches = plan.mask_rows.index_select(0, plan.pixels.flatten())
    if plan.mask_patches is not None:
        patches = plan.mask_patches[:, 4].index_select(0, patches) - 1
    symbols = plan.label_patches[:, 4].index_select(0, patches) - 1
    return (symbols % 2 == 1).view(plan.pixels.shape)


def mask_modulation(
    labels: Int[Tensor, "b h w"],
    hidden_weight: Float[Tensor, "e cin 3 3"],
    hidden_bias: Float[Tensor, " e"],
    weight: Float[Tensor, "o e 3 3"],
    bias: Float[Tensor, " o"],
    edges: Bool[Tensor, "b h w"] | None = None,
) -> Float[Tensor, "b o h w"]:
    """conv3x3(ReLU(conv3x3(one-hot segmap))): the lower branch of the paper's Fig. 3.

    With instance edges, the last plane of the segmap holds them.
    """
    planes = onehot(labels, hidden_weight.shape[1] - (edges is not None)).to(hidden_weight.dtype)
    if edges is not None:
        planes = torch.cat([planes, edges.unsqueeze(1).to(planes.dtype)], dim=1)
    return F.conv2d(F.relu(F.conv2d(planes, hidden_weight, hidden_bias, padding=1)), weight, bias, padding=1)


def style_modulation(
    variants: Int[Tensor, "b h w"],
    labels: Int[Tensor, "b h w"],
    mu: Float[Tensor, "v k d"],
    weight: Float[Tensor, "o d 3 3"],
    bias: Float[Tensor, " o"],
) -> Float[Tensor, "b o h w"]:
    """conv3x3 of the style map, which carries mu_j at every pixel of region j: the upper branch of Fig. 3."""
    k = mu.shape[1]
    has_region = labels < k
    vectors = mu.flatten(0, 1)[torch.where(has_region, variants * k + labels, 0)] * has_region.unsqueeze(-1)
    return F.conv2d(vectors.permute(0, 3, 1, 2), weight, bias, padding=1)


def normalize_modulate(
    x: Float[Tensor, "b c h w"],
    modulation: Float[Tensor, "b two_c h w"],
    mean: Float[Tensor, " c"],
    variance: Float[Tensor, " c"],
    eps: float,
    slope: float,
) -> Float[Tensor, "b c h w"]:
    """LeakyReLU((x - mean) / sqrt(variance + eps) * (1 + gamma) + beta): eq. 2 of the paper, and the activation."""
    gamma, beta = modulation.chunk(2, dim=1)
    x_hat = (x - mean[:, None, None]) * torch.rsqrt(variance + eps)[:, None, None]
    return F.leaky_relu(x_hat * (1 + gamma) + beta, slope)
