"""Reading the authors' checkpoints, and what the published networks have in common."""

import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from sean.errors import InputError

State = Mapping[str, Tensor]

_BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")
"""The seven ResBlks of SEAN and SPADE as the authors name them."""

_CONVS = {"conv_0": "conv_0", "conv_1": "conv_1", "conv_s": "conv_shortcut"}
"""Their convolutions: the authors' names, and ours."""


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .pth file; nothing in the file is executed.

    Raises:
        InputError: the file is missing, is no checkpoint, wants to run code, or holds something else than tensors.
    """
    if not Path(path).is_file():
        raise InputError(f"expected a checkpoint file, found none at {path}")
    try:
        with warnings.catch_warnings(action="ignore"):  # about odd pickles; the one line of the error says it
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{path} is refused as no plain weights file (damaged, or a pickle that wants to run code: {reason[:99]}); "
            "expected a state dict of tensors as saved by the authors"
        ) from error
    except Exception as error:  # torch.load raises RuntimeError, EOFError, KeyError, ... on damaged files
        raise InputError(f"{path} is not a readable checkpoint ({type(error).__name__}); download it again") from error
    if not isinstance(state, dict) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"expected a state dict of tensors in {path}, got {type(state).__name__} of something else")
    return {str(key): value for key, value in state.items()}


def kernel_size(state: State, key: str, dim: int) -> int:
    """One of the sizes of a convolution's kernel; InputError where there is no such kernel."""
    kernel = require(state, key)
    if kernel.dim() != 4 or not kernel.numel():
        raise InputError(f"expected a published generator checkpoint, got a tensor {key} of shape {list(kernel.shape)}")
    return kernel.shape[dim]


def convert_backbone(
    state: State,
    norms: Mapping[str, str],
    norm_leaf: str,
    convert_norm: Callable[[State, str], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """First and last layer and the ResBlks, which SEAN and SPADE name alike but for their norms.

    Args:
        state: of the generator.
        norms: the authors' names of a block's norms, and ours.
        norm_leaf: a tensor that every norm has, which tells those that are there.
        convert_norm: a norm by its prefix.
    """
    ours: dict[str, Tensor] = {}
    for leaf in ("weight", "bias"):
        ours[f"generator.stem.{leaf}"] = require(state, f"fc.{leaf}")
        ours[f"generator.to_rgb.{leaf}"] = require(state, f"conv_img.{leaf}")
    for index, block in enumerate(_BLOCKS):
        parts = {
            name: convert_spectral_conv(state, f"{block}.{theirs}")
            for theirs, name in _CONVS.items()
            if f"{block}.{theirs}.weight_orig" in state
        }
        parts |= {
            name: convert_norm(state, f"{block}.{theirs}")
            for theirs, name in norms.items()
            if f"{block}.{theirs}.{norm_leaf}" in state
        }
        ours |= {
            f"generator.blocks.{index}.{name}.{key}": value
            for name, part in parts.items()
            for key, value in part.items()
        }
    return ours


def convert_statistics(state: State, prefix: str) -> dict[str, Tensor]:
    """The running statistics of a norm."""
    ours = {
        f"norm.{leaf}": require(state, f"{prefix}.param_free_norm.{leaf}") for leaf in ("running_mean", "running_var")
    }
    ours["norm.num_batches_tracked"] = state.get(
        f"{prefix}.param_free_norm.num_batches_tracked", torch.zeros((), dtype=torch.long)
    )
    return ours


def convert_spectral_conv(state: State, prefix: str) -> dict[str, Tensor]:
    """A spectral-norm convolution: its original weight, singular vectors and bias."""
    ours = {"parametrizations.weight.original": require(state, f"{prefix}.weight_orig")}
    for vector in ("u", "v"):
        ours[f"parametrizations.weight.0.{vector}"] = require(state, f"{prefix}.weight_{vector}")
    if f"{prefix}.bias" in state:
        ours["bias"] = state[f"{prefix}.bias"]
    return ours


def convert_pair(state: State, prefix: str, leaf: str) -> Tensor:
    """The authors' separate gamma and beta, stacked as ours are."""
    return torch.cat([require(state, f"{prefix}{side}.{leaf}") for side in ("gamma", "beta")])


def require(state: State, key: str) -> Tensor:
    """A tensor by its key; InputError where it is not there."""
    if key not in state:
        raise InputError(f"expected a published checkpoint with the tensor {key}, which is not in it")
    return state[key]
