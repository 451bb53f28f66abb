"""What the published networks have in common, in the authors' keys, written down here a second time."""

import torch
from torch import Tensor

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
