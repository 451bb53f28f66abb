"""The methods that the paper compares: SEAN, its variants and the baselines, each as a change of any training config.

Data, sizes, schedule and loss weights stay those of the config, for instance a preset; only the settings that define
the method change. Methods trained from the same config are therefore compared on equal terms.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sean.errors import InputError
from sean.models.configs import Pix2PixHDConfig, SEANConfig, SPADEConfig, StyleKind, block_width
from sean.training.config import TrainConfig

SEAN = "sean"


def _sean(**changes: Any) -> Callable[[TrainConfig, SEANConfig], TrainConfig]:
    def change(config: TrainConfig, model: SEANConfig) -> TrainConfig:
        return replace(config, model=replace(model, **changes))

    return change


def _spade(style: StyleKind) -> Callable[[TrainConfig, SEANConfig], TrainConfig]:
    def change(config: TrainConfig, model: SEANConfig) -> TrainConfig:
        encoder_channels = model.base_channels if style == "vae" else 16  # as published, at the published widths
        spade = SPADEConfig(
            **_shared(model),
            style=style,
            base_channels=model.base_channels,
            max_channels=model.max_channels,
            mask_dim=model.mask_dim,
            encoder_channels=encoder_channels,
        )
        return replace(config, model=spade)

    return change


def _pix2pixhd(config: TrainConfig, model: SEANConfig) -> TrainConfig:
    # The four published halvings reduce the paper's 256 pixels to 16. All information on colours and positions passes
    # through this bottleneck, so smaller pictures are halved less often.
    halvings = max(1, min(4, math.floor(math.log2(min(model.image_size) / 16))))
    innermost = block_width(16, model.base_channels, model.max_channels)
    pix2pixhd = Pix2PixHDConfig(
        **_shared(model), num_downsamplings=halvings, base_channels=max(1, innermost // 2**halvings)
    )
    return replace(config, model=pix2pixhd, losses=replace(config.losses, gan="least-squares"))


METHODS: dict[str, tuple[str, Callable[[TrainConfig, SEANConfig], TrainConfig]]] = {
    SEAN: ("SEAN, unified encoder", _sean()),
    "sean-color": ("SEAN, colour-keeping encoder", _sean(encoder_norm="group", mean_color=True)),
    "sean-norm-encoders": ("SEAN, SEAN-level encoders", _sean(encoders="sean")),
    "sean-resblk-encoders": ("SEAN, ResBlk-level encoders", _sean(encoders="resblk")),
    "sean-no-downsampling": ("SEAN, without downsampling", _sean(downsampling=False)),
    "sean-no-noise": ("SEAN, without noise", _sean(noise=False)),
    "sean-no-mask": ("SEAN, without mask branch", _sean(mask_branch=False)),
    "spade": ("SPADE, with VAE", _spade("vae")),
    "spade-no-style": ("SPADE, without VAE", _spade("none")),
    "spade++": ("SPADE++", _spade("regions")),
    "pix2pixhd": ("Pix2PixHD", _pix2pixhd),
}
"""Method -> its name in tables, and its change of a config for SEAN."""


def with_method(config: TrainConfig, method: str) -> TrainConfig:
    """A config for another method.

    Args:
        config: a config for SEAN.
        method: one of `METHODS`.

    Raises:
        InputError: the method is unknown, or the config is not for SEAN.
    """
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}; expected one of: {', '.join(METHODS)}")
    if not isinstance(config.model, SEANConfig):
        raise InputError(f"expected a config for SEAN to change, got one for {config.model.architecture}")
    return METHODS[method][1](config, config.model)


def _shared(model: SEANConfig) -> dict[str, Any]:
    return {
        "num_regions": model.num_regions,
        "image_size": model.image_size,
        "instance_edges": model.instance_edges,
    }
