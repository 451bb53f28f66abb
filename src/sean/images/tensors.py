"""Pictures as tensors of torch: from and to uint8 arrays, and resized."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sean.errors import InputError
from sean.images import check_image

# Floats that interpolation or 16 bits have moved over the edge of [-1, 1] are still photos.
_ROUNDING = 0.05


def image_to_tensor(image: np.ndarray) -> Float[Tensor, "3 h w"]:
    """uint8 [h, w, 3] -> float32 [3, h, w]: 0 becomes -1, 255 becomes 1."""
    check_image(image)
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1))
    return torch.from_numpy(channels_first).to(torch.float32).div_(127.5).sub_(1.0)


def tensor_to_image(image: Float[Tensor, "3 h w"]) -> np.ndarray:
    """Float [3, h, w] in [-1, 1] -> uint8 [h, w, 3], rounded; values outside are clamped."""
    levels = image.detach().to(device="cpu", dtype=torch.float32).add(1.0).mul(127.5)
    array: np.ndarray = levels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return array


def resize_bilinear(image: Float[Tensor, "b 3 h w"], size: tuple[int, int]) -> Float[Tensor, "b 3 {size[0]} {size[1]}"]:
    """Pictures at another size (h, w), antialiased where they shrink; unchanged where they have that size."""
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


def array_of_photo(tensor: Tensor) -> np.ndarray:
    """A photo given as a tensor, as uint8 [h, w, 3]."""
    shape = list(tensor.shape)
    is_kind = tensor.is_floating_point() or tensor.dtype == torch.uint8
    if not is_kind or len(shape) != 3 or shape[0] != 3 or 0 in shape:
        raise InputError(f"expected a photo as a tensor [3, h, w], uint8 or float, got {tensor.dtype} {shape}")
    if tensor.dtype == torch.uint8:
        return np.ascontiguousarray(tensor.detach().permute(1, 2, 0).cpu().numpy())
    lowest, highest = (float(value) for value in tensor.detach().aminmax())
    if not -1 - _ROUNDING <= lowest <= highest <= 1 + _ROUNDING:
        raise InputError(
            f"expected a photo as a float tensor with values in [-1, 1], got {lowest:.3g} to {highest:.3g}; scale it"
        )
    return tensor_to_image(tensor)
