"""Models from their configs: the only file that lists the architectures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sean.models.base import StyledModel
from sean.models.configs import ModelConfig, Pix2PixHDConfig, SEANConfig, SPADEConfig
from sean.models.layers import initialize_weights
from sean.models.sean.model import SEANModel

Network = TypeVar("Network", bound=nn.Module)


def new_model(config: ModelConfig) -> StyledModel:
    """A model of this config, with the weights of torch's default initialization."""
    # the baselines are imported on first use: most programs need SEAN alone
    if isinstance(config, SPADEConfig):
        from sean.models.spade import SPADEModel

        return SPADEModel(config)
    if isinstance(config, Pix2PixHDConfig):
        from sean.models.pix2pixhd import Pix2PixHDModel

        return Pix2PixHDModel(config)
    assert isinstance(config, SEANConfig)
    return SEANModel(config)


@overload
def build_model(config: SEANConfig, init_gain: float = 0.02) -> SEANModel: ...


@overload
def build_model(config: ModelConfig, init_gain: float = 0.02) -> StyledModel: ...


def build_model(config: ModelConfig, init_gain: float = 0.02) -> StyledModel:
    """A model with Xavier-normal weights drawn from torch's global generator; the paper's gain is 0.02."""
    model = new_model(config)
    initialize_weights(model, init_gain)
    return channels_last(model)


@contextmanager
def without_numbers() -> Iterator[None]:
    """Context in which new networks have shapes but no numbers: they are on the device "meta".

    Initialization is left out: PyTorch would import its decompositions for it, including `torch._dynamo`, which would
    delay the start of every command by two seconds.
    """
    with torch.device("meta"), _LeftOutInitialization():
        yield


_FILLING = (Tensor.normal_, Tensor.uniform_, F.normalize)


class _LeftOutInitialization(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.randn:
            return torch.empty(*args, **kwargs)
        if func in _FILLING or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def channels_last(network: Network) -> Network:
    """The network with its kernels in channels_last, the memory format that the operators read without a copy."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
