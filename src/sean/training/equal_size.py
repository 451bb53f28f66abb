"""Configs with equal numbers of parameters, so that methods are compared at the same size."""

import functools
import math
from dataclasses import replace
from typing import Any

from sean.models.build import new_model, without_numbers
from sean.models.configs import ModelConfig, SEANConfig, num_encoders
from sean.training.config import TrainConfig

# widths are searched up to this multiple of the given ones
_WIDEST = 8


def with_parameters_of(config: TrainConfig, like: ModelConfig) -> TrainConfig:
    """A config whose model has as many parameters as another, as closely as a whole base width allows.

    A bound on the width of layers grows with the base width. Several style encoders share the parameters of a single
    one, so that the generator keeps about its width.
    """
    target = num_parameters(like)
    model: Any = config.model
    if isinstance(model, SEANConfig):
        count = num_encoders(model.encoders, model.base_channels, model.max_channels)
        share = max(1, round(model.encoder_channels / math.sqrt(count)))
        model = replace(model, encoder_channels=share)
    first = model.base_channels
    candidates = [_with_width(model, width) for width in range(1, _WIDEST * first + 1)]
    low, high = 0, len(candidates) - 1
    while low < high:  # the number of parameters grows with the width
        middle = (low + high) // 2
        low, high = (middle + 1, high) if num_parameters(candidates[middle]) < target else (low, middle)
    nearest = min(candidates[max(0, low - 1) : low + 1], key=lambda each: abs(math.log(num_parameters(each) / target)))
    return replace(config, model=nearest)


@functools.cache
def num_parameters(config: ModelConfig) -> int:
    """Number of parameters of encoder and generator together."""
    with without_numbers():
        model = new_model(config)
    return sum(parameter.numel() for parameter in model.parameters())


def _with_width(model: Any, width: int) -> ModelConfig:
    changes: dict[str, int] = {"base_channels": width}
    bound = getattr(model, "max_channels", None)
    if bound is not None:
        changes["max_channels"] = max(1, round(bound * width / model.base_channels))
    return replace(model, **changes)
