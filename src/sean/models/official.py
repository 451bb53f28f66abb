"""Import of the published SEAN, SPADE and pix2pixHD checkpoints: translation of the authors' state-dict keys to ours.

Only tensors are read; the sizes of a network are inferred from their shapes. The published SEAN keeps gamma and beta in
separate convolutions, one linear layer per region (`fc_mu{j}`) and the buffers of torch's old spectral norm; ours
stacks the first two and uses a parametrization. Statistics under `Spade.param_free_norm` belong to a norm that is never
called; they are left out.
"""

import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.configs import ModelConfig, Pix2PixHDConfig, SEANConfig, SPADEConfig

State = Mapping[str, Tensor]

_BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")
"""The authors' names of the seven ResBlks of SEAN and SPADE."""

_CONVS = {"conv_0": "conv_0", "conv_1": "conv_1", "conv_s": "conv_shortcut"}
"""The authors' names of a ResBlk's convolutions, and ours."""


# a tensor that identifies the architecture
_SEAN_KEY = "Zencoder.model.1.weight"
_SPADE_KEY = "head_0.norm_0.mlp_gamma.weight"
_PIX2PIXHD_FIRST = "model.1.weight"

# the authors' names of a block's norms, and ours
_SEAN_NORMS = {"ace_0": "norm_0", "ace_1": "norm_1", "ace_s": "norm_shortcut"}
_SPADE_NORMS = {"norm_0": "norm_0", "norm_1": "norm_1", "norm_s": "norm_shortcut"}

_SEAN_ENCODER_LAYERS = (1, 4, 7, 10, 14)
_NUM_SPADE_ENCODER_LAYERS = 6
_PIX2PIXHD_KEY = re.compile(r"model\.(\d+)\.(conv_block\.)?(?:(\d+)\.)?(weight|bias)")


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .pth file; nothing in the file is executed.

    Raises:
        InputError: the file is missing, is not a checkpoint, wants to run code, or holds other things than tensors.
    """
    if not Path(path).is_file():
        raise InputError(f"expected a checkpoint file, found none at {path}")
    try:
        with warnings.catch_warnings(action="ignore"):  # about unusual pickles; the error below says the same
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


def convert_official(
    state: State, encoder: State | None, *, num_regions: int | None, image_size: tuple[int, int]
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """The config and the state dict of our model for a published generator.

    Args:
        state: of the generator.
        encoder: state of the encoder if it is a separate file.
        num_regions: number of labels if known; it distinguishes an edge map from a label.
        image_size: height and width in pixels that the generator was trained for.

    Raises:
        InputError: this is not a published generator, or its encoder is missing or superfluous.
    """
    if _SPADE_KEY in state:
        spade = infer_spade_config(state, encoder, num_regions=num_regions, image_size=image_size)
        return spade, convert_spade(state, encoder)
    if _PIX2PIXHD_FIRST in state:
        if encoder is None:
            raise InputError("this pix2pixHD generator needs its feature encoder's checkpoint, too")
        pix2pixhd = infer_pix2pixhd_config(state, encoder, num_regions=num_regions, image_size=image_size)
        return pix2pixhd, convert_pix2pixhd(state, encoder)
    if _SEAN_KEY in state and encoder is not None:
        raise InputError("SEAN's style encoder is in the generator's checkpoint; leave the encoder out")
    return infer_config(state, image_size), convert_generator(state)


def kernel_size(state: State, key: str, dim: int) -> int:
    """One of the sizes of a convolution's kernel; InputError if the kernel is missing."""
    kernel = require(state, key)
    if kernel.dim() != 4 or not kernel.numel():
        raise InputError(f"expected a published generator checkpoint, got a tensor {key} of shape {list(kernel.shape)}")
    return kernel.shape[dim]


def convert_backbone(
    state: State,
    norms: Mapping[str, str],
    norm_leaf: str,
    convert_norm: Callable[[State, str], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """First and last layer and the ResBlks; SEAN and SPADE name everything alike except the norms.

    Args:
        state: of the generator.
        norms: the authors' names of a block's norms, and ours.
        norm_leaf: a tensor that every norm has; its presence shows that the norm exists.
        convert_norm: converts the norm with a given prefix.
    """
    ours: dict[str, Tensor] = {}
    for leaf in ("weight", "bias"):
        ours[f"generator.stem.{leaf}"] = require(state, f"fc.{leaf}")
        ours[f"generator.to_rgb.{leaf}"] = require(state, f"conv_img.{leaf}")
    for index, block in enumerate(_BLOCKS):
        parts = {
            name: convert_spectral_conv(state, f"{block}.{theirs}")
            for theirs, name in _CONVS.items()
            if f"{block}.{theirs}.weight_orig" in state
        }
        parts |= {
            name: convert_norm(state, f"{block}.{theirs}")
            for theirs, name in norms.items()
            if f"{block}.{theirs}.{norm_leaf}" in state
        }
        ours |= {
            f"generator.blocks.{index}.{name}.{key}": value
            for name, part in parts.items()
            for key, value in part.items()
        }
    return ours


def convert_statistics(state: State, prefix: str) -> dict[str, Tensor]:
    """The running statistics of a norm."""
    ours = {
        f"norm.{leaf}": require(state, f"{prefix}.param_free_norm.{leaf}") for leaf in ("running_mean", "running_var")
    }
    ours["norm.num_batches_tracked"] = state.get(
        f"{prefix}.param_free_norm.num_batches_tracked", torch.zeros((), dtype=torch.long)
    )
    return ours


def convert_spectral_conv(state: State, prefix: str) -> dict[str, Tensor]:
    """A spectral-norm convolution: its original weight, singular vectors and bias."""
    ours = {"parametrizations.weight.original": require(state, f"{prefix}.weight_orig")}
    for vector in ("u", "v"):
        ours[f"parametrizations.weight.0.{vector}"] = require(state, f"{prefix}.weight_{vector}")
    if f"{prefix}.bias" in state:
        ours["bias"] = state[f"{prefix}.bias"]
    return ours


def convert_pair(state: State, prefix: str, leaf: str) -> Tensor:
    """The authors' separate gamma and beta, stacked as in our norms."""
    return torch.cat([require(state, f"{prefix}{side}.{leaf}") for side in ("gamma", "beta")])


def require(state: State, key: str) -> Tensor:
    """A tensor by its key; InputError if it is missing."""
    if key not in state:
        raise InputError(f"expected a published checkpoint with the tensor {key}, which is not in it")
    return state[key]


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
    for layer in _SEAN_ENCODER_LAYERS:
        for leaf in ("weight", "bias"):
            ours[f"style_encoder.features.{layer}.{leaf}"] = require(state, f"Zencoder.model.{layer}.{leaf}")
    convert_norm = partial(_convert_sean_norm, num_regions=config.num_regions)
    return ours | convert_backbone(state, _SEAN_NORMS, "noise_var", convert_norm)


def _convert_sean_norm(state: State, prefix: str, num_regions: int) -> dict[str, Tensor]:
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


def infer_spade_config(
    state: State,
    encoder: State | None,
    *,
    num_regions: int | None = None,
    image_size: tuple[int, int] = (256, 256),
) -> SPADEConfig:
    """The sizes of a published SPADE generator, and of its encoder, from their tensors.

    Args:
        state: of the generator.
        encoder: state of the VAE encoder; required by a generator with a VAE.
        num_regions: number of labels if the generator also takes the edges of instances, else None.
        image_size: height and width in pixels that the generator was trained for.

    Raises:
        InputError: this is not such a generator, or its encoder is missing or superfluous.
    """
    planes = kernel_size(state, "head_0.norm_0.mlp_shared.0.weight", 1)
    stem = require(state, "fc.weight")  # other networks have one, too
    has_vae = stem.dim() == 2
    if has_vae != (encoder is not None):
        wanted = "with a VAE needs its encoder's checkpoint, too" if has_vae else "without a VAE takes no encoder"
        raise InputError(f"this SPADE generator {wanted}")
    if num_regions is not None and planes - num_regions not in (0, 1):
        raise InputError(
            f"expected a generator for {num_regions} labels and perhaps an edge map, got one of {planes} planes"
        )
    num_regions = planes if num_regions is None else num_regions
    edges = planes > num_regions
    sizes = {
        "num_regions": num_regions,
        "base_channels": kernel_size(state, "conv_img.weight", 1),
        "mask_dim": kernel_size(state, "head_0.norm_0.mlp_shared.0.weight", 0),
    }
    if encoder is None:
        return SPADEConfig(style="none", image_size=image_size, instance_edges=edges, **sizes)
    return SPADEConfig(
        style="vae",
        image_size=image_size,
        instance_edges=edges,
        latent_dim=stem.shape[1],
        encoder_channels=kernel_size(encoder, "layer1.0.weight_orig", 0),
        **sizes,
    )


def convert_spade(state: State, encoder: State | None) -> dict[str, Tensor]:
    """The state dict of our `SPADEModel` from the authors' `latest_net_G.pth` and, for the VAE, `latest_net_E.pth`."""
    ours = convert_backbone(state, _SPADE_NORMS, "mlp_gamma.weight", _convert_spade_norm)
    return ours | ({} if encoder is None else _convert_encoder(encoder))


def _convert_spade_norm(state: State, prefix: str) -> dict[str, Tensor]:
    ours = convert_statistics(state, prefix)
    for leaf in ("weight", "bias"):
        ours[f"mask.hidden.{leaf}"] = require(state, f"{prefix}.mlp_shared.0.{leaf}")
        ours[f"mask.gamma_beta.{leaf}"] = convert_pair(state, f"{prefix}.mlp_", leaf)
    return ours


def _convert_encoder(state: State) -> dict[str, Tensor]:
    ours: dict[str, Tensor] = {}
    for index in range(_NUM_SPADE_ENCODER_LAYERS):
        # each of our layers is followed by its norm and activation
        converted = convert_spectral_conv(state, f"layer{index + 1}.0")
        ours |= {f"style_encoder.layers.{3 * index}.{key}": value for key, value in converted.items()}
    for theirs, name in (("fc_mu", "mean"), ("fc_var", "log_variance")):
        for leaf in ("weight", "bias"):
            ours[f"style_encoder.{name}.{leaf}"] = require(state, f"{theirs}.{leaf}")
    return ours


def infer_pix2pixhd_config(
    state: State, encoder: State, *, num_regions: int | None = None, image_size: tuple[int, int] = (256, 256)
) -> Pix2PixHDConfig:
    """The sizes of a published global generator and its feature encoder, from their tensors.

    Args:
        state: of the generator.
        encoder: state of the feature encoder.
        num_regions: number of labels if the generator also takes the edges of instances, else None.
        image_size: height and width in pixels that the generator was trained for.

    Raises:
        InputError: these are not such networks, or they do not fit each other.
    """
    features = kernel_size(encoder, _last_weight(encoder), 0)
    channels = kernel_size(state, _PIX2PIXHD_FIRST, 1)
    planes = channels - features
    if planes < 1 or (num_regions is not None and planes - num_regions not in (0, 1)):
        wanted = "labels" if num_regions is None else f"{num_regions} labels and perhaps an edge map"
        raise InputError(
            f"expected a generator that takes {wanted} and {features} features, got one of {channels} input channels"
        )
    base_channels = kernel_size(state, _PIX2PIXHD_FIRST, 0)
    widest = max(value.shape[0] for value in encoder.values() if value.dim() == 4)
    encoder_channels = kernel_size(encoder, _PIX2PIXHD_FIRST, 0)
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
    """Convert an hourglass: its layers are numbered as ours; only residual blocks have another name."""
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        match = _PIX2PIXHD_KEY.fullmatch(key)
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
