"""Sizes that fit together, and networks made of them."""

import dataclasses

import pytest
import torch

from sean.models.base import StyledModel
from sean.models.build import build_model, new_model
from sean.models.configs import CONFIGS, ModelConfig, Pix2PixHDConfig, SEANConfig, SPADEConfig
from sean.models.discriminator import build_discriminator
from sean.models.pix2pixhd import Pix2PixHDModel
from sean.models.sean.model import SEANModel
from sean.models.spade import SPADEModel
from sean.plan.planner import plan_segmap

from .architectures import ARCHITECTURES

SMALL = SEANConfig(num_regions=3, image_size=(32, 64), style_dim=4, base_channels=1, mask_dim=4, encoder_channels=2)


def test_defaults_are_the_papers() -> None:
    assert dataclasses.asdict(SEANConfig()) == {
        "num_regions": 19,
        "image_size": (256, 256),
        "style_dim": 512,
        "base_channels": 64,
        "max_channels": None,
        "mask_dim": 128,
        "encoder_channels": 32,
        "instance_edges": False,
        "encoders": "unified",
        "encoder_norm": "instance",
        "mean_color": False,
        "match_color": False,
        "downsampling": True,
        "noise": True,
        "mask_branch": True,
    }


@pytest.mark.parametrize("field", ["num_regions", "style_dim", "base_channels", "mask_dim", "encoder_channels"])
@pytest.mark.parametrize("value", [0, -1, 65_537, 2**63])
def test_sizes_are_positive_and_no_damaged_numbers(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"positive sizes of at most 65536, got .*{field}={value}"):
        dataclasses.replace(SMALL, **{field: value})


def test_max_channels_must_be_positive_or_none() -> None:
    assert dataclasses.replace(SMALL, max_channels=1).max_channels == 1
    with pytest.raises(ValueError, match="positive sizes"):
        dataclasses.replace(SMALL, max_channels=0)


@pytest.mark.parametrize("size", [(2**63, 32), (32, 65_568)])
def test_image_size_is_no_damaged_number(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="of at most 65536, got"):
        dataclasses.replace(SMALL, image_size=size)


@pytest.mark.parametrize("size", [(0, 32), (32, 16), (100, 64), (64, -32)])
def test_image_size_must_be_multiples_of_32(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive multiples of 32, got"):
        dataclasses.replace(SMALL, image_size=size)


def test_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SMALL.style_dim = 8


def test_model_has_the_sizes_of_its_config() -> None:
    model = build_model(dataclasses.replace(SMALL, max_channels=5, mask_dim=7))
    block = model.generator.blocks[0]
    assert model.style_encoder.features[1].weight.shape == (2, 3, 3, 3)
    assert model.style_encoder.features[-2].weight.shape[0] == 4
    assert block.conv_0.weight.shape == (5, 5, 3, 3)
    assert block.norm_0.style.region_weight.shape == (3, 4, 4)
    assert block.norm_0.mask.hidden.weight.shape == (7, 3, 3, 3)
    assert model.config.mask_dim == 7


def test_model_depends_on_the_seed_alone() -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build_model(SMALL).state_dict())
    key = "generator.stem.weight"
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0][key], states[2][key])


def test_model_and_discriminator_are_initialized() -> None:
    model, discriminator = build_model(SMALL), build_discriminator(3, base_channels=16)
    assert model.style_encoder.features[-2].weight.std() < 0.02
    assert not model.style_encoder.features[-2].bias.any()
    assert discriminator.scales[1].layers[0][0].weight.std() < 0.02
    assert not discriminator.scales[1].layers[0][0].bias.any()


@torch.no_grad()
def test_reconstruction_renders_the_pictures_own_styles() -> None:
    model = build_model(SMALL).eval()
    for key, parameter in model.named_parameters():
        if key.endswith("noise_scale"):
            parameter.fill_(0.5)
    image, segmap = torch.randn(2, 3, 32, 64), torch.randint(4, (2, 32, 64))
    codes, present = model.encode(image, segmap)
    assert codes.shape == (2, 3, 4)
    assert present.all()
    assert torch.equal(model(image, segmap), model.render(segmap, codes))
    rng = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    assert torch.equal(model(image, segmap, noise=True), model.render(segmap, codes, noise=True, rng=rng))


@torch.no_grad()
def test_crossover_reaches_the_generator() -> None:
    model = build_model(SMALL).eval()
    segmap, codes = torch.randint(3, (1, 32, 64)), torch.randn(1, 3, 4)
    assert torch.equal(model.render(segmap, [codes] * 6), model.render(segmap, codes))


@torch.no_grad()
def test_instance_edges_reach_generator_and_discriminator() -> None:
    """Given to the call or in a plan; the two inputs of the discriminator are one plane more."""
    model = build_model(dataclasses.replace(SMALL, instance_edges=True), init_gain=1.0).eval()
    assert model.generator.blocks[2].norm_1.mask.hidden.weight.shape == (4, 4, 3, 3)
    image, segmap = torch.randn(2, 3, 32, 64), torch.randint(4, (2, 32, 64))
    edges = torch.rand(segmap.shape) < 0.3
    codes, _ = model.encode(image, segmap)
    picture = model(image, segmap, edges=edges)
    assert torch.equal(picture, model.render(segmap, codes, edges=edges))
    assert torch.equal(picture, model(image, segmap, plan=plan_segmap(segmap, edges=edges)))
    assert not torch.allclose(picture, model(image, segmap, edges=~edges), atol=1e-4)
    for each in (True, False):
        discriminator = build_discriminator(3, 2, instance_edges=each)
        assert [scale.layers[0][0].weight.shape[1] for scale in discriminator.scales] == [7 if each else 6] * 2


@pytest.mark.parametrize(
    ("name", "config", "model"),
    [
        ("sean", SEANConfig, SEANModel),
        ("spade", SPADEConfig, SPADEModel),
        ("pix2pixhd", Pix2PixHDConfig, Pix2PixHDModel),
    ],
)
def test_a_config_of_every_architecture_makes_its_model(
    name: str, config: type[ModelConfig], model: type[StyledModel]
) -> None:
    assert CONFIGS[name] is config
    with torch.device("meta"):
        made = new_model(config(num_regions=4))
    assert type(made) is model
    assert made.config == config(num_regions=4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_initialized(name: str) -> None:
    """Xavier-normal of gain 0.02: the deviation of every kernel by hand; biases 0; kernels in channels_last format."""
    model = build_model(ARCHITECTURES[name])
    parameters = dict(model.named_parameters())
    assert not any(value.any() for key, value in parameters.items() if key.endswith("bias"))
    kernels = {key: value for key, value in parameters.items() if value.dim() == 4}
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels.values())
    # a kernel of stacked halves counts the channels of one of them
    halves = ("gamma_beta.weight", "style.weight")
    numbers = []
    for key, kernel in kernels.items():
        out_dim = kernel.shape[0] // (2 if key.endswith(halves) else 1)
        fans = (out_dim + kernel.shape[1]) * kernel[0, 0].numel()
        numbers.append((kernel / (0.02 * (2 / fans) ** 0.5)).flatten())
    assert torch.cat(numbers).std().item() == pytest.approx(1, abs=0.05)
    assert torch.cat(numbers).mean().item() == pytest.approx(0, abs=0.05)
