"""The published SPADE generator and its VAE encoder: the authors' state-dict keys to ours."""

from torch import Tensor

from sean.errors import InputError
from sean.models.configs import SPADEConfig
from sean.models.official.checkpoint import (
    State,
    convert_backbone,
    convert_pair,
    convert_spectral_conv,
    convert_statistics,
    kernel_size,
    require,
)

_NORMS = {"norm_0": "norm_0", "norm_1": "norm_1", "norm_s": "norm_shortcut"}
_NUM_ENCODER_LAYERS = 6


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
        encoder: of the VAE encoder, which a generator with one needs.
        num_regions: labels, where the generator sees the edges of instances, too; None where it does not.
        image_size: height and width in pixels that the generator was trained for.

    Raises:
        InputError: it is no such generator, or the encoder is missing or not wanted.
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
    ours = convert_backbone(state, _NORMS, "mlp_gamma.weight", _convert_norm)
    return ours | ({} if encoder is None else _convert_encoder(encoder))


def _convert_norm(state: State, prefix: str) -> dict[str, Tensor]:
    ours = convert_statistics(state, prefix)
    for leaf in ("weight", "bias"):
        ours[f"mask.hidden.{leaf}"] = require(state, f"{prefix}.mlp_shared.0.{leaf}")
        ours[f"mask.gamma_beta.{leaf}"] = convert_pair(state, f"{prefix}.mlp_", leaf)
    return ours


def _convert_encoder(state: State) -> dict[str, Tensor]:
    ours: dict[str, Tensor] = {}
    for index in range(_NUM_ENCODER_LAYERS):
        # each of our layers is followed by its norm and activation
        converted = convert_spectral_conv(state, f"layer{index + 1}.0")
        ours |= {f"style_encoder.layers.{3 * index}.{key}": value for key, value in converted.items()}
    for theirs, name in (("fc_mu", "mean"), ("fc_var", "log_variance")):
        for leaf in ("weight", "bias"):
            ours[f"style_encoder.{name}.{leaf}"] = require(state, f"{theirs}.{leaf}")
    return ours
