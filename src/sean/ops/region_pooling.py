"""Region-wise average pooling (SEAN paper, section 3.1): the mean feature vector of every label, without a loop."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def region_mean(
    features: Float[Tensor, "b d h w"], onehot: Float[Tensor, "b k h w"]
) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
    """Mean of `features` over the pixels of every region, as one batched matrix product.

    Args:
        features: feature maps.
        onehot: the segmap at the size of the features; pixels without a region are zero in all k channels.

    Returns:
        codes: [b, k, d]; float32 for 16-bit features; zero for regions without a pixel.
        present: [b, k], whether the region has a pixel.
    """
    # 16 bits cannot count beyond 256 pixels
    wide = torch.promote_types(features.dtype, torch.float32)
    sums = torch.einsum("bkhw,bdhw->bkd", onehot.to(wide), features.to(wide))
    counts = onehot.sum(dim=(2, 3), dtype=wide)
    return sums / counts.clamp_min(1).unsqueeze(-1), counts > 0
