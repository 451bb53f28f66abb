"""The published networks in the authors' keys, written down here a second time."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sean.models.official import convert_spectral_conv

BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")


def published_conv(conv: torch.nn.Module) -> dict[str, Tensor]:
    """A spectral-norm convolution in the keys of torch's old spectral norm."""
    norm = conv.parametrizations.weight[0]
    state = {"weight_orig": conv.parametrizations.weight.original, "weight_u": norm.u, "weight_v": norm.v}
    return state if conv.bias is None else {**state, "bias": conv.bias}


def assert_equal_states(got: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert torch.equal(got[key], value), key


def convert_discriminator(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
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
