"""The published SEAN networks: the authors' state-dict keys to ours, sizes inferred from the tensors.

The published model keeps gamma and beta in separate convolutions, one linear layer per region (`fc_mu{j}`) and the old
spectral-norm buffers; ours stacks the first two and uses torch's parametrization. Statistics under
`Spade.param_free_norm` belong to a norm that is never called and are left out.
"""

import re
from functools import partial

import torch
from torch import Tensor

from sean.models.configs import SEANConfig
from sean.models.official.checkpoint import (
    State,
    convert_backbone,
    convert_pair,
    convert_spectral_conv,
    convert_statistics,
    kernel_size,
    require,
)

_NORMS = {"ace_0": "norm_0", "ace_1": "norm_1", "ace_s": "norm_shortcut"}
_ENCODER_LAYERS = (1, 4, 7, 10, 14)


def infer_config(state: State, image_size: tuple[int, int] = (256, 256)) -> SEANConfig:
    """The sizes of a published SEAN generator, from its tensors.

    Raises:
        InputError: a tensor that every published SEAN generator has is missing.
    """
    return SEANConfig(
        num_regions=kernel_size(state, "fc.weight", 1),
        image_size=image_size,
        style_dim=kernel_size(state, "Zencoder.model.14.weight", 0),
        base_channels=kernel_size(state, "conv_img.weight", 1),
        max_channels=None,
        mask_dim=kernel_size(state, "head_0.ace_0.Spade.mlp_shared.0.weight", 0),
        encoder_channels=kernel_size(state, "Zencoder.model.1.weight", 0),
    )


def convert_generator(state: State) -> dict[str, Tensor]:
    """The state dict of our `SEANModel` from the authors' generator checkpoint (`latest_net_G.pth`)."""
    config = infer_config(state)
    ours: dict[str, Tensor] = {}
    for layer in _ENCODER_LAYERS:
        for leaf in ("weight", "bias"):
            ours[f"style_encoder.features.{layer}.{leaf}"] = require(state, f"Zencoder.model.{layer}.{leaf}")
    convert_norm = partial(_convert_norm, num_regions=config.num_regions)
    return ours | convert_backbone(state, _NORMS, "noise_var", convert_norm)


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
            ours |= {f"{name}.{k}": v for k, v in convert_spectral_conv(state, theirs).items()}
        else:
            ours[f"{name}.{leaf}"] = state[key]
    return ours


def _convert_norm(state: State, prefix: str, num_regions: int) -> dict[str, Tensor]:
    ours = convert_statistics(state, prefix)
    ours["noise_scale"] = require(state, f"{prefix}.noise_var")
    for leaf in ("weight", "bias"):
        ours[f"mask.hidden.{leaf}"] = require(state, f"{prefix}.Spade.mlp_shared.0.{leaf}")
        ours[f"mask.gamma_beta.{leaf}"] = convert_pair(state, f"{prefix}.Spade.mlp_", leaf)
    if f"{prefix}.conv_gamma.weight" not in state:
        return ours
    for leaf in ("weight", "bias"):
        ours[f"style.{leaf}"] = convert_pair(state, f"{prefix}.conv_", leaf)
        ours[f"style.region_{leaf}"] = torch.stack(
            [require(state, f"{prefix}.fc_mu{j}.{leaf}") for j in range(num_regions)]
        )
    ours["blend"] = torch.cat([require(state, f"{prefix}.blending_{side}") for side in ("gamma", "beta")])
    return ours
