"""The importer: a network written in the authors' keys comes back as it was, and no file runs code."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.build import SEANConfig, SEANModel, build_discriminator
from sean.models.discriminator import Discriminator
from sean.models.official import convert_discriminator, convert_generator, infer_config, read_checkpoint
from sean.models.sean import SEANNorm

from .reference import randomize

CONFIG = SEANConfig(num_regions=3, image_size=(64, 32), style_dim=6, base_channels=2, mask_dim=5, encoder_channels=4)
BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")


def published_conv(conv: torch.nn.Module) -> dict[str, Tensor]:
    """A spectral-norm convolution in the keys of torch's old spectral norm."""
    norm = conv.parametrizations.weight[0]
    state = {"weight_orig": conv.parametrizations.weight.original, "weight_u": norm.u, "weight_v": norm.v}
    return state if conv.bias is None else {**state, "bias": conv.bias}


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


def assert_equal_states(got: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert torch.equal(got[key], value), key


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        read_checkpoint(path)
    assert len(str(error.value).splitlines()) == 1
    assert str(path) in str(error.value)


def test_generator_round_trip(model: SEANModel, state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "latest_net_G.pth")
    converted = convert_generator(read_checkpoint(tmp_path / "latest_net_G.pth"))
    assert_equal_states(converted, model.state_dict())


def test_legacy_file_format(state: dict[str, Tensor], tmp_path: Path) -> None:
    """The authors' torch wrote no zip files."""
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_equal_states(read_checkpoint(tmp_path / "old.pth"), state)


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
    with pytest.raises(InputError, match="published SEAN checkpoint"):
        infer_config({"features.0.weight": torch.zeros(64, 3, 3, 3)})


class CodeRunner:
    """Pickles into a call of `function`, as an attacker's object would."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("kind", ["pickle", "zip", "legacy"])
def test_malicious_pickle_is_refused_and_not_run(state: dict[str, Tensor], tmp_path: Path, kind: str) -> None:
    target, checkpoint = tmp_path / "created", tmp_path / "evil.pth"
    evil = {**state, "conv_img.weight": CodeRunner(os.mkdir, str(target))}
    if kind == "pickle":
        checkpoint.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, checkpoint, _use_new_zipfile_serialization=kind == "zip")
    assert_refused(checkpoint, "refused")
    assert not target.exists()
    # the file is dangerous indeed
    torch.load(checkpoint, weights_only=False) if kind != "pickle" else pickle.loads(checkpoint.read_bytes())
    assert target.exists()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.pth", "found none")
    assert_refused(tmp_path, "found none")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"hello, this is text\n" * 9, b"PK\x03\x04" + b"a" * 50, b"\x80\x02"]
)
def test_garbage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "garbage.pth").write_bytes(content)
    assert_refused(tmp_path / "garbage.pth", "refused|not a readable checkpoint")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_truncated(state: dict[str, Tensor], tmp_path: Path, legacy: bool, kept: float) -> None:
    path = tmp_path / "cut.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert_refused(path, "refused|not a readable checkpoint")


@pytest.mark.parametrize("value", [[1, 2], {}, {"a": 1}, {"a": torch.zeros(1), "b": "text"}, torch.zeros(2), None])
def test_something_else_than_a_state_dict(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "other.pth")
    assert_refused(tmp_path / "other.pth", "expected a state dict of tensors")
