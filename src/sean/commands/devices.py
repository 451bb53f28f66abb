"""The one place where a device is chosen for a command."""

import torch


def best_device() -> torch.device:
    """The accelerator (CUDA, MPS, ...) where there is one, else the CPU."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")
