"""The importer of SPADE: networks in the authors' keys come back as they were, sizes are inferred, and its errors."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.base import StyledModel
from sean.models.build import new_model
from sean.models.configs import SPADEConfig
from sean.models.official import convert_spade, infer_spade_config
from sean.models.sean.norm import SEANNorm

from ..support.published import BLOCKS, assert_equal_states, published_conv
from .reference import randomize

SIZE = (64, 32)
PLAIN = SPADEConfig(num_regions=3, image_size=SIZE, style="none", base_channels=2, mask_dim=5)
VAE = replace(PLAIN, style="vae", latent_dim=6, encoder_channels=4)
CONFIGS = [PLAIN, VAE, replace(PLAIN, instance_edges=True), replace(VAE, instance_edges=True)]


def published_norm(norm: SEANNorm) -> dict[str, Tensor]:
    """A SPADE norm in the authors' keys: gamma and beta apart."""
    state = {f"param_free_norm.{key}": value for key, value in norm.norm.state_dict().items()}
    state |= {f"mlp_shared.0.{key}": value for key, value in norm.mask.hidden.state_dict().items()}
    for leaf, value in norm.mask.gamma_beta.state_dict().items():
        state |= {f"mlp_{side}.{leaf}": half for side, half in zip(("gamma", "beta"), value.chunk(2), strict=True)}
    return state


def published(model: StyledModel) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
    """Generator and, with a VAE, encoder as the authors' checkpoints would hold them."""
    generator = model.generator
    parts: dict[str, dict[str, Tensor]] = {"fc": generator.stem.state_dict(), "conv_img": generator.to_rgb.state_dict()}
    for name, block in zip(BLOCKS, generator.blocks, strict=True):
        names = {"conv_0": "conv_0", "conv_1": "conv_1", "norm_0": "norm_0", "norm_1": "norm_1"}
        if block.norm_shortcut is not None:
            names |= {"conv_s": "conv_shortcut", "norm_s": "norm_shortcut"}
        for theirs, ours in names.items():
            part = getattr(block, ours)
            parts[f"{name}.{theirs}"] = published_norm(part) if isinstance(part, SEANNorm) else published_conv(part)
    encoder = None
    if model.style_encoder is not None:
        convolutions = [layer for layer in model.style_encoder.layers if isinstance(layer, nn.Conv2d)]
        encoder = {f"layer{i}.0": published_conv(conv) for i, conv in enumerate(convolutions, start=1)}
        encoder |= {
            "fc_mu": model.style_encoder.mean.state_dict(),
            "fc_var": model.style_encoder.log_variance.state_dict(),
        }
    return flat(parts), None if encoder is None else flat(encoder)


def flat(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{part}.{key}": value.detach().clone() for part, state in parts.items() for key, value in state.items()}


def assert_refused(reason: str, state: dict[str, Tensor], encoder: dict[str, Tensor] | None, **given: int) -> None:
    with pytest.raises(InputError, match=reason) as error:
        infer_spade_config(state, encoder, **given)
        convert_spade(state, encoder)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("config", CONFIGS, ids=["plain", "vae", "plain, edges", "vae, edges"])
def test_round_trip(config: SPADEConfig) -> None:
    model = randomize(new_model(config)).float()
    state, encoder = published(model)
    labels = {"num_regions": 3} if config.instance_edges else {}
    assert infer_spade_config(state, encoder, image_size=SIZE, **labels).__dict__ == {
        **config.__dict__,
        # what a checkpoint does not tell, because the model has none
        **({} if config.style == "vae" else {"latent_dim": 256, "encoder_channels": 64}),
    }
    assert_equal_states(convert_spade(state, encoder), model.state_dict())


def test_without_a_number_of_labels_all_planes_are_labels() -> None:
    state, _ = published(new_model(replace(PLAIN, instance_edges=True)))
    config = infer_spade_config(state, None)
    assert (config.num_regions, config.instance_edges, config.image_size) == (4, False, (256, 256))


@pytest.mark.parametrize("num_regions", [1, 2, 5])
def test_another_number_of_labels_is_refused(num_regions: int) -> None:
    state, _ = published(new_model(replace(PLAIN, instance_edges=True)))
    reason = f"for {num_regions} labels and perhaps an edge map, got one of 4 planes"
    assert_refused(reason, state, None, num_regions=num_regions)


def test_encoder_missing_or_not_wanted() -> None:
    (plain, _), (vae, encoder) = published(new_model(PLAIN)), published(new_model(VAE))
    assert_refused("with a VAE needs its encoder", vae, None)
    assert_refused("without a VAE takes no encoder", plain, encoder)


@pytest.mark.parametrize("weight", [torch.zeros(10, 512), torch.zeros(16, 3, 3, 3), torch.zeros(())])
def test_another_networks_checkpoint(weight: Tensor) -> None:
    """Many a classifier has a linear fc.weight."""
    assert_refused(r"the tensor head_0\.norm_0\.mlp_shared\.0\.weight", {"fc.weight": weight}, None)


@pytest.mark.parametrize("key", ["fc.bias", "conv_img.weight", "up_0.norm_s.mlp_beta.bias", "up_3.conv_1.weight_v"])
def test_a_missing_tensor_is_named(key: str) -> None:
    state, _ = published(new_model(PLAIN))
    del state[key]
    assert_refused(key, state, None)


@pytest.mark.parametrize("key", ["layer1.0.weight_orig", "layer4.0.weight_u", "fc_mu.weight", "fc_var.bias"])
def test_a_missing_tensor_of_the_encoder_is_named(key: str) -> None:
    state, encoder = published(new_model(VAE))
    assert encoder is not None
    del encoder[key]
    assert_refused(key, state, encoder)
