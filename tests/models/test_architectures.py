"""What every architecture owes its users, a test for all: SEAN, its variants of Table 3, SPADE, SPADE++, pix2pixHD."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.models.build import channels_last
from sean.models.configs import SPADEConfig
from sean.models.sean.dense import dense_formulation
from sean.models.sean.generator import Backbone
from sean.models.weights import load_model, save_model
from sean.plan.planner import plan_segmap

from .architectures import (
    ARCHITECTURES,
    CODE_DIMS,
    SEAN_VARIANTS,
    SIZE,
    K,
    generators,
    random_images,
    random_model,
    random_segmaps,
)

LABELS = LabelSet(name="three", names=("sky", "tree", "road"))


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(name: str) -> StyledModel:
    return random_model(ARCHITECTURES[name])


def near(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, atol=1e-10, rtol=0)


@torch.no_grad()
def test_shapes_and_ranges(model: StyledModel, name: str) -> None:
    image, segmap = random_images(), random_segmaps()
    codes, present = model.encode(image, segmap)
    assert model.code_dim == CODE_DIMS.get(name, 4)
    assert codes.shape == (2, K, model.code_dim)
    assert present.shape == (2, K) and present.all()
    picture = model.render(segmap, codes)
    assert picture.shape == image.shape
    assert picture.dtype == image.dtype
    assert picture.abs().max() <= 1
    assert picture.std() > 0.01


@torch.no_grad()
def test_reconstruction_renders_the_pictures_own_styles(model: StyledModel) -> None:
    image, segmap = random_images(), random_segmaps()
    codes, _ = model.encode(image, segmap)
    picture = model(image, segmap)
    assert torch.equal(picture, model.render(segmap, codes))
    assert torch.equal(picture, model(image, segmap))  # nothing is drawn


@torch.no_grad()
def test_absent_regions_have_no_code_and_their_styles_change_nothing(model: StyledModel) -> None:
    image, segmap = random_images(), random_segmaps()
    segmap[segmap == 1] = 2
    codes, present = model.encode(image, segmap)
    if not isinstance(model.config, SPADEConfig) or model.config.style == "regions":
        assert present.tolist() == [[True, False, True]] * 2
        assert not codes[:, 1].any()
    other = codes.clone()
    other[:, 1] = 5
    # the codes of a VAE are one row, the others a matrix: products of other memory layouts
    torch.testing.assert_close(model.render(segmap, codes), model.render(segmap, other), atol=1e-10, rtol=0)


@torch.no_grad()
def test_styles_change_the_picture(model: StyledModel) -> None:
    segmap, codes = random_segmaps(), torch.randn(2, K, model.code_dim).double().tanh()
    difference = (model.render(segmap, codes) - model.render(segmap, -codes)).abs().max()
    assert difference > 1e-3 if model.code_dim else difference == 0


@torch.no_grad()
def test_pixels_of_no_region(model: StyledModel) -> None:
    image, segmap = random_images(), torch.full((2, *SIZE), K)
    codes, present = model.encode(image, segmap)
    picture = model(image, segmap)
    assert picture.isfinite().all()
    assert torch.equal(picture, model.render(segmap, codes + 1))
    if not isinstance(model.config, SPADEConfig) or model.config.style == "regions":
        assert not present.any() and not codes.any()


@torch.no_grad()
@pytest.mark.parametrize("noise", [False, True])
def test_a_sample_does_not_depend_on_the_others(model: StyledModel, noise: bool) -> None:
    image, segmap = random_images(), random_segmaps()
    together = model(image, segmap, noise=noise, rng=generators(3, 4))
    for index, seed in enumerate((3, 4)):
        one = slice(index, index + 1)
        near(together[one], model(image[one], segmap[one], noise=noise, rng=generators(seed)))


@torch.no_grad()
def test_noise_shows_where_the_model_has_it(model: StyledModel, name: str) -> None:
    image, segmap = random_images(), random_segmaps()
    noisy = model(image, segmap, noise=True, rng=generators(3, 4))
    assert torch.equal(noisy, model(image, segmap, noise=True, rng=generators(3, 4)))
    has_noise = name in SEAN_VARIANTS and name != "sean without noise"
    assert torch.equal(noisy, model(image, segmap)) != has_noise


@torch.no_grad()
def test_a_plan_made_beforehand_gives_the_same_picture(model: StyledModel) -> None:
    image, segmap = random_images(), random_segmaps()
    assert torch.equal(model(image, segmap, plan=plan_segmap(segmap)), model(image, segmap))


@torch.no_grad()
def test_instance_edges_are_taken_where_the_model_is_configured_for_them(model: StyledModel, name: str) -> None:
    image, segmap = random_images(), random_segmaps()
    edges = torch.rand(segmap.shape) < 0.3
    edged = random_model(replace(ARCHITECTURES[name], instance_edges=True))
    picture = edged(image, segmap, edges=edges)
    assert torch.equal(picture, edged(image, segmap, plan=plan_segmap(segmap, edges=edges)))
    assert (picture - edged(image, segmap, edges=(~edges).long())).abs().max() > 1e-3
    for wrong, options in ((edged, {"plan": plan_segmap(segmap)}), (model, {"edges": edges})):
        with pytest.raises(ValueError, match=r"instance edges for .* network") as error:
            wrong(image, segmap, **options)
        assert "\n" not in str(error.value)


@torch.no_grad()
def test_a_size_that_is_no_multiple_of_32_is_refused(model: StyledModel) -> None:
    codes = torch.zeros(1, K, model.code_dim).double()
    with pytest.raises(ValueError, match="multiples of 32, got 32 x 40; resize the segmap"):
        model.render(torch.zeros(1, 32, 40, dtype=torch.long), codes)


@torch.no_grad()
def test_as_many_styles_as_the_model_takes(model: StyledModel, name: str) -> None:
    assert model.style_inputs == (6 if name in SEAN_VARIANTS else 1)
    segmap, codes = random_segmaps(), torch.randn(2, K, model.code_dim).double()
    if model.style_inputs == 6:
        assert torch.equal(model.render(segmap, [codes] * 6), model.render(segmap, codes))
    else:
        with pytest.raises(ValueError, match=r"expected one style per picture for .*, got 6"):
            model.render(segmap, [codes] * 6)


@torch.no_grad()
def test_a_folder_gives_the_model_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    config = ARCHITECTURES[name]
    model = channels_last(random_model(config).float())
    image, segmap = random_images().float(), random_segmaps()
    save_model(tmp_path, model, LABELS)
    loaded, labels = load_model(tmp_path)
    assert labels == LABELS
    assert type(loaded) is type(model) and loaded.config == config
    assert json.loads((tmp_path / "config.json").read_text())["architecture"] == name.split()[0].strip(",+")
    state = model.state_dict()
    assert loaded.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())
    assert not any(module.training for module in loaded.modules())
    # the loaded weights lie otherwise in memory, for which a processor may have another kernel
    torch.testing.assert_close(loaded(image, segmap), model(image, segmap), atol=1e-4, rtol=0)


def normalized_away(model: StyledModel) -> set[str]:
    """The biases that a norm takes out again, being the same everywhere: no gradient reaches these by design.

    Those ahead of an instance norm, and in SEAN's and SPADE's generators all those of stem and ResBlks, but for the
    last convolution of the last block, behind which no norm comes. The VAE's linear stem has a bias of every pixel.
    SPADE++ has betas of their own: the shortcut's constant passes its 1x1 convolution.
    """
    names = set()
    for name, module in model.named_modules():
        if isinstance(module, nn.Sequential):
            pairs = enumerate(zip(module, list(module)[1:], strict=False))
            names |= {f"{name}.{i}.bias" for i, (one, following) in pairs if isinstance(following, nn.InstanceNorm2d)}
    if isinstance(model.generator, Backbone):
        names |= {f"generator.blocks.{block}.conv_{i}.bias" for block in range(7) for i in range(2)}
        names.remove("generator.blocks.6.conv_1.bias")
        if isinstance(model.generator.stem, nn.Conv2d):
            names.add("generator.stem.bias")
        names |= {f"generator.blocks.{block}.norm_shortcut.features.beta.bias" for block in range(6)}
    return names & {name for name, _ in model.named_parameters()}


def test_a_training_pass_gives_every_parameter_a_gradient(model: StyledModel) -> None:
    image, segmap = random_images(), random_segmaps()
    model.train()
    fake, own = model.training_pass(image, segmap, rng=generators(1, 2))
    assert fake.shape == image.shape and fake.isfinite().all()
    assert set(own) == ({"kl"} if getattr(model.config, "style", "") == "vae" else set())
    ((fake * torch.randn_like(fake)).sum() + sum(own.values())).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    assert {name for name, gradient in gradients.items() if gradient.abs().max() < 1e-10} == normalized_away(model)


def test_a_training_pass_runs_in_half_precision(model: StyledModel) -> None:
    image, segmap = random_images().float(), random_segmaps()
    model.float().train()
    with torch.autocast("cpu", torch.bfloat16):
        fake, own = model.training_pass(image, segmap, rng=generators(1, 2))
    (fake.float().square().sum() + sum(own.values())).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("variant", [*SEAN_VARIANTS, "spade without styles", "spade with vae"])
def test_equals_the_dense_formulation(variant: str) -> None:
    """A training pass: pictures and all gradients."""
    image, segmap = random_images(), random_segmaps()
    model = random_model(ARCHITECTURES[variant]).train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    results = []
    for network in (dense_formulation(model), model):
        model.load_state_dict(state)
        picture = network(image, segmap, noise=True, rng=generators(3, 4))
        upstream = torch.linspace(-1, 1, picture.numel(), dtype=picture.dtype).view_as(picture)
        results.append((picture, torch.autograd.grad(picture, list(model.parameters()), upstream, allow_unused=True)))
    (dense, dense_gradients), (fast, gradients) = results
    near(fast, dense)
    for (name, _), got, want in zip(model.named_parameters(), gradients, dense_gradients, strict=True):
        assert (got is None) == (want is None), name
        if got is not None:
            torch.testing.assert_close(got, want, atol=1e-8, rtol=1e-8, msg=name)
