"""LPIPS (Zhang et al. 2018), where the authors' package imports; it needs torchvision, which not everybody has."""

from collections.abc import Callable

import torch
from torch import Tensor

PerceptualDistance = Callable[[Tensor, Tensor], Tensor]
"""Pictures fake and real [b, 3, h, w] in [-1, 1] -> distance of each pair [b]."""


def load_lpips(device: torch.device) -> tuple[PerceptualDistance | None, str]:
    """LPIPS with AlexNet, its usual variant, and a description; or None, and why it cannot be had."""
    try:
        import lpips

        network = lpips.LPIPS(net="alex", verbose=False).to(device).eval()
    except Exception as error:  # it imports torchvision, which fails in many ways, and downloads weights
        reason = " ".join(str(error).split())[:150]
        return None, f"the package lpips, which needs torchvision, cannot be used ({type(error).__name__}: {reason})"
    return lambda fake, real: network(fake, real).flatten(), "AlexNet, version 0.1"
