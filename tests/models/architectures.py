"""The architectures of the comparison, each with sizes small enough for tests and a picture that is not square."""

import copy
import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.base import StyledModel
from sean.models.build import new_model
from sean.models.configs import ModelConfig, Pix2PixHDConfig, SEANConfig, SPADEConfig

from .reference import randomize

K = 3
SIZE = (32, 64)

_SHARED: dict[str, Any] = {"num_regions": K, "image_size": SIZE}
_SEAN: dict[str, Any] = {**_SHARED, "style_dim": 4, "base_channels": 1, "mask_dim": 4, "encoder_channels": 2}
_SPADE: dict[str, Any] = {**_SHARED, "base_channels": 1, "mask_dim": 4, "latent_dim": 6, "encoder_channels": 2}

ARCHITECTURES: dict[str, ModelConfig] = {
    "sean": SEANConfig(**_SEAN),
    "sean, encoder per ResBlk": SEANConfig(**_SEAN, encoders="resblk"),
    "sean, encoder per norm": SEANConfig(**_SEAN, encoders="sean"),
    "sean without downsampling": SEANConfig(**_SEAN, downsampling=False),
    "sean without noise": SEANConfig(**_SEAN, noise=False),
    "sean without mask branch": SEANConfig(**_SEAN, mask_branch=False),
    "sean in the styles' colours": SEANConfig(**_SEAN, mean_color=True, match_color=True),
    "spade without styles": SPADEConfig(**_SPADE, style="none"),
    "spade with vae": SPADEConfig(**_SPADE, style="vae"),
    "spade++": SPADEConfig(**_SPADE, style="regions"),
    "pix2pixhd": Pix2PixHDConfig(
        **_SHARED, base_channels=1, num_blocks=1, num_downsamplings=2, encoder_channels=2, feature_dim=2
    ),
}

CODE_DIMS = {"sean, encoder per ResBlk": 6 * 4, "sean, encoder per norm": 15 * 4, "spade without styles": 0} | {
    "spade with vae": 6,
    "spade++": 3,
    "pix2pixhd": 2,
}
"""Width of a code where it is not SEAN's 4."""

SEAN_VARIANTS = [name for name, config in ARCHITECTURES.items() if isinstance(config, SEANConfig)]


@functools.cache
def _made(config: ModelConfig) -> StyledModel:
    torch.manual_seed(0)
    return randomize(new_model(config))


def random_model(config: ModelConfig) -> StyledModel:
    """With random weights and statistics, always the same, float64, in evaluation mode."""
    return copy.deepcopy(_made(config))


def random_images(batch: int = 2, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.rand(batch, 3, *size, dtype=torch.float64) * 2 - 1


def random_segmaps(batch: int = 2, size: tuple[int, int] = SIZE) -> Tensor:
    """All regions, and some pixels of none."""
    return torch.randint(K + 1, (batch, *size))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def refusal(config: ModelConfig, **values: object) -> str:
    """What a config says of values that only a file can have; the checks of types in tests would forestall it."""
    config = copy.copy(config)
    for name, value in values.items():
        object.__setattr__(config, name, value)
    with pytest.raises(InputError) as error:
        config.__post_init__()
    assert "\n" not in str(error.value)
    return str(error.value)
