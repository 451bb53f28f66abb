"""Importing the published networks: the authors' state-dict keys to ours, sizes inferred from the tensors.

The published model keeps gamma and beta in separate convolutions, one linear layer per region (`fc_mu{j}`) and the old
spectral-norm buffers; ours stacks the first two and uses torch's parametrization. Statistics under
`Spade.param_free_norm` belong to a norm that is never called and are left out.
"""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.build import SEANConfig

_BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")
_NORMS = {"ace_0": "norm_0", "ace_1": "norm_1", "ace_s": "norm_shortcut"}
_CONVS = {"conv_0": "conv_0", "conv_1": "conv_1", "conv_s": "conv_shortcut"}
_ENCODER_LAYERS = (1, 4, 7, 10, 14)

State = Mapping[str, Tensor]


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


def infer_config(state: State, image_size: tuple[int, int] = (256, 256)) -> SEANConfig:
    """The sizes of a published SEAN generator, from its tensors.

    Raises:
        InputError: a tensor that every published SEAN generator has is missing.
    """

    def kernel_size(key: str, dim: int) -> int:
        kernel = _require(state, key)
        if kernel.dim() != 4 or not kernel.numel():
            raise InputError(
                f"expected a published SEAN generator checkpoint, got a tensor {key} of shape {list(kernel.shape)}"
            )
        return kernel.shape[dim]

    return SEANConfig(
        num_regions=kernel_size("fc.weight", 1),
        image_size=image_size,
        style_dim=kernel_size("Zencoder.model.14.weight", 0),
        base_channels=kernel_size("conv_img.weight", 1),
        max_channels=None,
        mask_dim=kernel_size("head_0.ace_0.Spade.mlp_shared.0.weight", 0),
        encoder_channels=kernel_size("Zencoder.model.1.weight", 0),
    )


def convert_generator(state: State) -> dict[str, Tensor]:
    """The state dict of our `SEANModel` from the authors' generator checkpoint (`latest_net_G.pth`)."""
    config = infer_config(state)
    ours: dict[str, Tensor] = {}
    for layer in _ENCODER_LAYERS:
        for leaf in ("weight", "bias"):
            ours[f"style_encoder.features.{layer}.{leaf}"] = _require(state, f"Zencoder.model.{layer}.{leaf}")
    for leaf in ("weight", "bias"):
        ours[f"generator.stem.{leaf}"] = _require(state, f"fc.{leaf}")
        ours[f"generator.to_rgb.{leaf}"] = _require(state, f"conv_img.{leaf}")
    for index, block in enumerate(_BLOCKS):
        for theirs, name in _CONVS.items():
            if f"{block}.{theirs}.weight_orig" in state:
                converted = _convert_spectral_conv(state, f"{block}.{theirs}")
                ours |= {f"generator.blocks.{index}.{name}.{key}": value for key, value in converted.items()}
        for theirs, name in _NORMS.items():
            if f"{block}.{theirs}.noise_var" in state:
                converted = _convert_norm(state, f"{block}.{theirs}", config.num_regions)
                ours |= {f"generator.blocks.{index}.{name}.{key}": value for key, value in converted.items()}
    return ours


def convert_discriminator(state: State) -> dict[str, Tensor]:
    """The state dict of our `Discriminator` from the authors' `latest_net_D.pth`."""
    ours: dict[str, Tensor] = {}
    for key in state:
        match = re.fullmatch(r"discriminator_(\d+)\.model(\d+)\.0(\.0)?\.(weight|weight_orig|bias)", key)
        if match is None:
            continue
        scale, layer, spectral, leaf = match.groups()
        theirs = key.rsplit(".", 1)[0]
        is_last = (
            f"discriminator_{scale}.model{int(layer) + 1}.0.weight" not in state and spectral is None and layer != "0"
        )
        name = f"scales.{scale}.layers.{layer}" + ("" if is_last else ".0")
        if spectral:
            ours |= {f"{name}.{k}": v for k, v in _convert_spectral_conv(state, theirs).items()}
        else:
            ours[f"{name}.{leaf}"] = state[key]
    return ours


def _convert_norm(state: State, prefix: str, num_regions: int) -> dict[str, Tensor]:
    ours = {
        f"norm.{leaf}": _require(state, f"{prefix}.param_free_norm.{leaf}") for leaf in ("running_mean", "running_var")
    }
    ours["norm.num_batches_tracked"] = state.get(
        f"{prefix}.param_free_norm.num_batches_tracked", torch.zeros((), dtype=torch.long)
    )
    ours["noise_scale"] = _require(state, f"{prefix}.noise_var")
    for leaf in ("weight", "bias"):
        ours[f"mask.hidden.{leaf}"] = _require(state, f"{prefix}.Spade.mlp_shared.0.{leaf}")
        ours[f"mask.gamma_beta.{leaf}"] = _pair(state, f"{prefix}.Spade.mlp_", leaf)
    if f"{prefix}.conv_gamma.weight" not in state:
        return ours
    for leaf in ("weight", "bias"):
        ours[f"style.{leaf}"] = _pair(state, f"{prefix}.conv_", leaf)
        ours[f"style.region_{leaf}"] = torch.stack(
            [_require(state, f"{prefix}.fc_mu{j}.{leaf}") for j in range(num_regions)]
        )
    ours["blend"] = torch.cat([_require(state, f"{prefix}.blending_{side}") for side in ("gamma", "beta")])
    return ours


def _convert_spectral_conv(state: State, prefix: str) -> dict[str, Tensor]:
    ours = {"parametrizations.weight.original": _require(state, f"{prefix}.weight_orig")}
    for vector in ("u", "v"):
        ours[f"parametrizations.weight.0.{vector}"] = _require(state, f"{prefix}.weight_{vector}")
    if f"{prefix}.bias" in state:
        ours["bias"] = state[f"{prefix}.bias"]
    return ours


def _pair(state: State, prefix: str, leaf: str) -> Tensor:
    return torch.cat([_require(state, f"{prefix}{side}.{leaf}") for side in ("gamma", "beta")])


def _require(state: State, key: str) -> Tensor:
    if key not in state:
        raise InputError(f"expected a published SEAN checkpoint with the tensor {key}, which is not in it")
    return state[key]
