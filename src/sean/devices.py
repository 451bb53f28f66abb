"""Devices by name, for commands and Python."""

import os

import torch

from sean.errors import InputError

AUTO = "auto"


def chosen_device(name: str | torch.device) -> torch.device:
    """The device of a name; "auto" is a CUDA card (or AMD's, under ROCm) where there is one, else the CPU.

    Other accelerators are not supported: the networks' statistics need float64, which Apple's lack.

    Args:
        name: auto, cpu, cuda or cuda:NUMBER; a device of torch is taken as it is.

    Raises:
        InputError: an unsupported device, or one that this machine does not have.
    """
    if isinstance(name, torch.device):
        return name
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == AUTO:
        return torch.device("cuda" if count else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdecimal())):
        raise InputError(f"expected a device of auto, cpu, cuda or cuda:NUMBER, got {name!r}")
    if kind == "cuda" and not count:
        reason = "sees no card" if torch.version.cuda or torch.version.hip else "is built for CPUs alone"
        raise InputError(
            f"expected a CUDA card for the device {name!r}, but torch {torch.__version__} {reason}; use cpu"
        )
    if index and int(index) >= count:
        raise InputError(f"expected a device up to cuda:{count - 1}, as there are {count} cards, got {name!r}")
    return torch.device(name)


def process_device(name: str) -> torch.device:
    """The device of a command's process: under torchrun, "auto" and "cuda" give every process a card of its own.

    Args:
        name: see `chosen_device`. If there are more processes than cards, they take turns.

    Raises:
        InputError: see `chosen_device`.
    """
    device = chosen_device(name)
    rank = os.environ.get("LOCAL_RANK", "")
    if device == torch.device("cuda") and rank.isdecimal():
        return torch.device(f"cuda:{int(rank) % torch.cuda.device_count()}")
    return device


def named_device(name: str) -> str | None:
    """The checked name of a device for a training, whose processes choose their own; None for "auto".

    Raises:
        InputError: see `chosen_device`.
    """
    device = chosen_device(name)
    return None if name == AUTO else str(device)
