"""Networks from their configs: the only file that lists the architectures."""

from typing import Any, TypeVar, overload

import torch
from torch import nn

from sean.models.base import StyledModel
from sean.models.configs import ModelConfig, Pix2PixHDConfig, SEANConfig, SPADEConfig
from sean.models.discriminator import Discriminator
from sean.models.layers import initialize_weights
from sean.models.pix2pixhd import Pix2PixHDModel
from sean.models.sean.model import SEANModel
from sean.models.spade import SPADEModel

Network = TypeVar("Network", bound=nn.Module)

_MODELS: dict[type[ModelConfig], Any] = {
    SEANConfig: SEANModel,
    SPADEConfig: SPADEModel,
    Pix2PixHDConfig: Pix2PixHDModel,
}


def new_model(config: ModelConfig) -> StyledModel:
    """A model of this config, with the weights of torch's default initialization."""
    return _MODELS[type(config)](config)


@overload
def build_model(config: SEANConfig, init_gain: float = 0.02) -> SEANModel: ...


@overload
def build_model(config: ModelConfig, init_gain: float = 0.02) -> StyledModel: ...


def build_model(config: ModelConfig, init_gain: float = 0.02) -> StyledModel:
    """A model with Xavier-normal weights drawn from torch's global generator; the paper's gain is 0.02."""
    model = new_model(config)
    initialize_weights(model, init_gain)
    return channels_last(model)


def build_discriminator(
    num_regions: int,
    base_channels: int = 64,
    num_scales: int = 2,
    num_layers: int = 3,
    *,
    instance_edges: bool = False,
) -> Discriminator:
    """A discriminator with the paper's initialization, drawn from torch's global generator."""
    discriminator = Discriminator(num_regions, base_channels, num_scales, num_layers, instance_edges=instance_edges)
    initialize_weights(discriminator)
    return discriminator


def channels_last(network: Network) -> Network:
    """The network with its kernels in channels_last, the memory format that the operators read without a copy."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
