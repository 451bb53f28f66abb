"""The style branch of SEAN normalization as a small table instead of wide feature maps.

The paper broadcasts a d-channel vector mu_j to all pixels of region j and convolves the resulting [b, d, h, w] map
with a 3x3 kernel W. That map is sum_j onehot_j * mu_j, so by linearity

    W * (sum_j onehot_j mu_j) = sum_j onehot_j * T_j,    T[tap, j] = W[tap] @ mu_j,

a convolution of the k-channel one-hot map with the table T: exact, 9 k d 2c multiply-adds to make instead of
9 h w d 2c, and nothing d channels wide ever exists at picture size.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def region_styles(
    style_codes: Float[Tensor, "b k d"], weight: Float[Tensor, "k d d"], bias: Float[Tensor, "k d"]
) -> Float[Tensor, "b k d"]:
    """mu_j = ReLU(A_j ST_j + a_j): the per-region linear map of a SEAN norm ("1x1 conv A_ij" of the paper's Fig. 3)."""
    return F.relu(torch.einsum("bkd,ked->bke", style_codes, weight) + bias)


def style_table(mu: Float[Tensor, "b k d"], weight: Float[Tensor, "o d 3 3"]) -> Float[Tensor, "b o k 3 3"]:
    """T[tap, j] = W[tap] @ mu_j for all nine taps: what a pixel of region j adds to the 3x3 convolution around it."""
    return torch.einsum("bkd,odyx->bokyx", mu, weight)


def apply_table(onehot: Float[Tensor, "b k h w"], table: Float[Tensor, "b o k 3 3"]) -> Float[Tensor, "b o h w"]:
    """Sum of the nine table rows around every pixel; taps outside the picture contribute 0.

    Every sample has its own table, so this is one grouped convolution with a group per sample.
    """
    b, k, h, w = onehot.shape
    out = F.conv2d(onehot.reshape(1, b * k, h, w), table.flatten(0, 1), padding=1, groups=b)
    return out.reshape(b, -1, h, w)
