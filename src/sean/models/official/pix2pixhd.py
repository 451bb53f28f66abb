"""The published pix2pixHD global generator and feature encoder: the authors' state-dict keys to ours."""

import re

from torch import Tensor

from sean.errors import InputError
from sean.models.configs import Pix2PixHDConfig
from sean.models.official.checkpoint import State, kernel_size

_KEY = re.compile(r"model\.(\d+)\.(conv_block\.)?(?:(\d+)\.)?(weight|bias)")
_FIRST = "model.1.weight"


def infer_pix2pixhd_config(
    state: State, encoder: State, *, num_regions: int | None = None, image_size: tuple[int, int] = (256, 256)
) -> Pix2PixHDConfig:
    """The sizes of a published global generator and its feature encoder, from their tensors.

    Args:
        state: of the generator.
        encoder: of the feature encoder.
        num_regions: labels, where the generator sees the edges of instances, too; None where it does not.
        image_size: height and width in pixels that the generator was trained for.

    Raises:
        InputError: they are no such networks, or do not fit each other.
    """
    features = kernel_size(encoder, _last_weight(encoder), 0)
    channels = kernel_size(state, _FIRST, 1)
    planes = channels - features
    if planes < 1 or (num_regions is not None and planes - num_regions not in (0, 1)):
        wanted = "labels" if num_regions is None else f"{num_regions} labels and perhaps an edge map"
        raise InputError(
            f"expected a generator that takes {wanted} and {features} features, got one of {channels} input channels"
        )
    base_channels = kernel_size(state, _FIRST, 0)
    widest = max(value.shape[0] for value in encoder.values() if value.dim() == 4)
    encoder_channels = kernel_size(encoder, _FIRST, 0)
    num_blocks = sum(key.endswith("conv_block.1.weight") for key in state)
    return Pix2PixHDConfig(
        num_regions=planes if num_regions is None else num_regions,
        image_size=image_size,
        instance_edges=num_regions is not None and planes > num_regions,
        base_channels=base_channels,
        num_blocks=num_blocks,
        num_downsamplings=(widest // encoder_channels).bit_length() - 1,
        encoder_channels=encoder_channels,
        feature_dim=features,
    )


def convert_pix2pixhd(state: State, encoder: State) -> dict[str, Tensor]:
    """The state dict of our `Pix2PixHDModel` from the authors' `latest_net_G.pth` and `latest_net_E.pth`."""
    return _renamed(state, "generator") | _renamed(encoder, "style_encoder.features")


def _renamed(state: State, prefix: str) -> dict[str, Tensor]:
    """Their layers are numbered as ours; only residual blocks have another name."""
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        layer, in_block, inner, leaf = match.groups()
        ours[".".join([prefix, layer, *(["layers", inner] if in_block else []), leaf])] = value
    return ours


def _last_weight(state: State) -> str:
    numbers = [int(match[1]) for key in state if (match := re.fullmatch(r"model\.(\d+)\.weight", key))]
    if not numbers:
        raise InputError("expected a published pix2pixHD encoder, whose tensors are named model.N.weight, got another")
    return f"model.{max(numbers)}.weight"
