"""What a process of its own is to take memory for; it must find this function by the name of its module."""

import torch


def allocate(num_bytes: int) -> None:
    """Write to that much memory, and give it back."""
    torch.ones(num_bytes, dtype=torch.uint8)
