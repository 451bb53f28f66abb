"""Features of regions painted onto the segmap: how pix2pixHD, and SPADE++ after it, give styles to a generator."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def region_feature_map(features: Float[Tensor, "b k f"], segmap: Int[Tensor, "b h w"]) -> Float[Tensor, "b f h w"]:
    """Every pixel with the features of its region; zero where it has none (ids from k on)."""
    with_none = torch.cat([features, features.new_zeros(len(features), 1, features.shape[2])], dim=1)
    ids = segmap.clamp(max=features.shape[1]).flatten(1).unsqueeze(-1).expand(-1, -1, features.shape[2])
    return with_none.gather(1, ids).transpose(1, 2).unflatten(2, segmap.shape[1:])
