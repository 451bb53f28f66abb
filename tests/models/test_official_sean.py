"""The importer of SEAN: a network written in the authors' keys comes back as it was."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.configs import SEANConfig
from sean.models.discriminator import Discriminator, build_discriminator
from sean.models.official import convert_generator, infer_config, read_checkpoint
from sean.models.sean.model import SEANModel
from sean.models.sean.norm import SEANNorm

from ..support.published import BLOCKS, assert_equal_states, convert_discriminator, published_conv
from .reference import randomize

CONFIG = SEANConfig(num_regions=3, image_size=(64, 32), style_dim=6, base_channels=2, mask_dim=5, encoder_channels=4)


def published_norm(norm: SEANNorm) -> dict[str, Tensor]:
    """A SEAN norm ("ACE") in the authors' keys: gamma and beta apart, a linear layer per region."""
    gamma_weight, beta_weight = norm.mask.gamma_beta.weight.chunk(2)
    gamma_bias, beta_bias = norm.mask.gamma_beta.bias.chunk(2)
    state = {
        "noise_var": norm.noise_scale,
        "param_free_norm.running_mean": norm.norm.running_mean,
        "param_free_norm.running_var": norm.norm.running_var,
        "param_free_norm.num_batches_tracked": norm.norm.num_batches_tracked,
        "Spade.param_free_norm.running_mean": torch.full_like(norm.norm.running_mean, 99),  # never used
        "Spade.mlp_shared.0.weight": norm.mask.hidden.weight,
        "Spade.mlp_shared.0.bias": norm.mask.hidden.bias,
        "Spade.mlp_gamma.weight": gamma_weight,
        "Spade.mlp_gamma.bias": gamma_bias,
        "Spade.mlp_beta.weight": beta_weight,
        "Spade.mlp_beta.bias": beta_bias,
    }
    if norm.style is not None:
        for side, weight, bias in zip(
            ("gamma", "beta"), norm.style.weight.chunk(2), norm.style.bias.chunk(2), strict=True
        ):
            state |= {f"conv_{side}.weight": weight, f"conv_{side}.bias": bias}
        state |= {"blending_gamma": norm.blend[:1], "blending_beta": norm.blend[1:]}
        for region, (weight, bias) in enumerate(zip(norm.style.region_weight, norm.style.region_bias, strict=True)):
            state |= {f"fc_mu{region}.weight": weight, f"fc_mu{region}.bias": bias}
    return state


def published_generator(model: SEANModel) -> dict[str, Tensor]:
    """The state dict as the authors' checkpoint would hold it."""
    generator = model.generator
    parts: dict[str, dict[str, Tensor]] = {"fc": generator.stem.state_dict(), "conv_img": generator.to_rgb.state_dict()}
    for layer in (1, 4, 7, 10, 14):
        parts[f"Zencoder.model.{layer}"] = model.style_encoder.features[layer].state_dict()
    for name, block in zip(BLOCKS, generator.blocks, strict=True):
        parts |= {f"{name}.{conv}": published_conv(getattr(block, conv)) for conv in ("conv_0", "conv_1")}
        parts |= {f"{name}.ace_0": published_norm(block.norm_0), f"{name}.ace_1": published_norm(block.norm_1)}
        if block.norm_shortcut is not None:
            parts[f"{name}.ace_s"] = published_norm(block.norm_shortcut)
            parts[f"{name}.conv_s"] = published_conv(block.conv_shortcut)
    # clones: a part of a tensor would be saved as the whole
    return {f"{part}.{key}": v.detach().clone() for part, state in parts.items() for key, v in state.items()}


def published_discriminator(discriminator: Discriminator) -> dict[str, Tensor]:
    state = {}
    for s, scale in enumerate(discriminator.scales):
        first, *middle, last = scale.layers
        state |= {f"discriminator_{s}.model0.0.{key}": value for key, value in first[0].state_dict().items()}
        for index, layer in enumerate(middle, start=1):
            named = published_conv(layer[0])
            state |= {f"discriminator_{s}.model{index}.0.0.{key}": value for key, value in named.items()}
        state |= {f"discriminator_{s}.model{len(middle) + 1}.0.{k}": value for k, value in last.state_dict().items()}
    return {key: value.detach().clone() for key, value in state.items()}


@pytest.fixture
def model() -> SEANModel:
    return randomize(SEANModel(CONFIG)).float()


@pytest.fixture
def state(model: SEANModel) -> dict[str, Tensor]:
    return published_generator(model)


def test_generator_round_trip(model: SEANModel, state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "latest_net_G.pth")
    converted = convert_generator(read_checkpoint(tmp_path / "latest_net_G.pth"))
    assert_equal_states(converted, model.state_dict())


def test_discriminator_round_trip() -> None:
    for num_layers, num_scales in ((3, 2), (4, 3), (2, 1)):
        discriminator = randomize(build_discriminator(3, 2, num_scales, num_layers)).float()
        converted = convert_discriminator(published_discriminator(discriminator))
        assert_equal_states(converted, discriminator.state_dict())


def test_sizes_are_inferred(state: dict[str, Tensor]) -> None:
    assert infer_config(state, image_size=(64, 32)) == CONFIG
    assert infer_config(state).image_size == (256, 256)


def test_counter_of_batches_may_be_absent(model: SEANModel, state: dict[str, Tensor]) -> None:
    """torch before 0.4.1 had none."""
    old = {key: value for key, value in state.items() if "num_batches_tracked" not in key}
    assert_equal_states(convert_generator(old), model.state_dict())


@pytest.mark.parametrize(
    "key",
    [
        "fc.weight",
        "conv_img.bias",
        "Zencoder.model.10.bias",
        "Zencoder.model.14.weight",
        "head_0.ace_0.fc_mu2.weight",
        "head_0.ace_0.Spade.mlp_shared.0.weight",
        "G_middle_1.ace_1.Spade.mlp_beta.weight",
        "up_0.ace_s.blending_beta",
        "up_1.conv_0.weight_u",
        "up_2.ace_0.conv_beta.bias",
        "up_3.ace_1.param_free_norm.running_var",
    ],
)
def test_missing_tensor_is_named(state: dict[str, Tensor], key: str) -> None:
    del state[key]
    with pytest.raises(InputError, match=key) as error:
        convert_generator(state)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("shape", [(), (7,), (4, 4), (0, 3, 3, 3)])
def test_tensor_of_another_kind_is_named(state: dict[str, Tensor], shape: tuple[int, ...]) -> None:
    """Other networks have an fc.weight, too."""
    state["fc.weight"] = torch.zeros(shape)
    with pytest.raises(InputError, match=r"fc\.weight of shape"):
        infer_config(state)


def test_another_networks_checkpoint() -> None:
    with pytest.raises(InputError, match=r"published checkpoint with the tensor fc\.weight"):
        infer_config({"features.0.weight": torch.zeros(64, 3, 3, 3)})
