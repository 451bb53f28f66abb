"""Segmentation maps as tensors of torch: one-hot planes, edges of instances, nearest resize."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def onehot(segmap: Int[Tensor, "b h w"], num_regions: int) -> Float[Tensor, "b {num_regions} h w"]:
    """One-hot planes as float32; a pixel with the id num_regions ("no region") is zero in all of them."""
    regions = torch.arange(num_regions, device=segmap.device).view(1, num_regions, 1, 1)
    return (segmap.unsqueeze(1) == regions).to(torch.float32)


def instance_edges(instances: Int[Tensor, "b h w"]) -> Float[Tensor, "b 1 h w"]:
    """1 where one of the four neighbours belongs to another instance, else 0; float32."""
    edges = torch.zeros_like(instances, dtype=torch.bool)
    below = instances[:, 1:, :] != instances[:, :-1, :]
    right = instances[:, :, 1:] != instances[:, :, :-1]
    edges[:, 1:, :] |= below
    edges[:, :-1, :] |= below
    edges[:, :, 1:] |= right
    edges[:, :, :-1] |= right
    return edges.unsqueeze(1).to(torch.float32)


def resize_tensor(segmap: Tensor, size: tuple[int, int]) -> Tensor:
    """`sean.segmap.resize_segmap` of a tensor [..., h, w] on any device, of another size."""
    (height, width), (height_in, width_in) = size, segmap.shape[-2:]
    rows = torch.arange(height, device=segmap.device) * height_in // height
    columns = torch.arange(width, device=segmap.device) * width_in // width
    return segmap.index_select(-2, rows).index_select(-1, columns)
