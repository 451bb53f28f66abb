"""Methods as changes of one config: what changes and what does not, equal numbers of parameters, and a few steps."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from lightning_fabric import Fabric

from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.configs import Pix2PixHDConfig, SEANConfig, SPADEConfig
from sean.training.batch import TrainingBatch
from sean.training.config import TrainConfig
from sean.training.equal_size import num_parameters
from sean.training.methods import METHODS, with_method
from sean.training.presets import preset
from sean.training.state import TrainingState
from sean.training.step import training_step

MINI = preset("mini-64")

CHANGES = {
    "sean": {},
    "sean-color": {"encoder_norm": "group", "mean_color": True},
    "sean-norm-encoders": {"encoders": "sean"},
    "sean-resblk-encoders": {"encoders": "resblk"},
    "sean-no-downsampling": {"downsampling": False},
    "sean-no-noise": {"noise": False},
    "sean-no-mask": {"mask_branch": False},
}
SPADE_STYLES = {"spade": "vae", "spade-no-style": "none", "spade++": "regions"}


def test_these_are_the_methods() -> None:
    assert set(METHODS) == {*CHANGES, *SPADE_STYLES, "pix2pixhd"}
    assert len({name for name, _ in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("method", CHANGES)
def test_a_variant_of_sean_changes_these_settings(method: str) -> None:
    assert with_method(MINI, method) == replace(MINI, model=replace(MINI.model, **CHANGES[method]))


@pytest.mark.parametrize("method", SPADE_STYLES)
def test_spade_has_the_sizes_of_sean(method: str) -> None:
    """Its VAE encoder begins as wide as its generator ends, the feature encoder with the published 16 channels."""
    edged = replace(MINI, model=replace(MINI.model, base_channels=12, num_regions=7, instance_edges=True))
    config = with_method(edged, method)
    assert config.model == SPADEConfig(
        num_regions=7,
        image_size=(64, 64),
        instance_edges=True,
        style=SPADE_STYLES[method],
        base_channels=12,
        max_channels=128,
        mask_dim=32,
        encoder_channels=12 if method == "spade" else 16,
    )
    assert replace(config, model=edged.model) == edged


@pytest.mark.parametrize(
    ("size", "halvings", "max_channels", "base_channels"),
    [
        ((64, 64), 2, 128, 32),
        ((64, 64), 2, None, 64),
        ((32, 32), 1, 8, 4),
        ((64, 256), 2, 1, 1),
        ((128, 128), 3, 128, 16),
        ((512, 256), 4, 1024, 16),
        ((1024, 512), 4, None, 16),
    ],
)
def test_pix2pixhd_is_as_wide_inside_as_sean_and_16_pixels_high_there(
    size: tuple[int, int], halvings: int, max_channels: int | None, base_channels: int
) -> None:
    """No more than the published four halvings, and its adversarial loss is its own."""
    sean = replace(MINI, model=replace(MINI.model, image_size=size, max_channels=max_channels))
    config = with_method(sean, "pix2pixhd")
    assert config.model == Pix2PixHDConfig(image_size=size, num_downsamplings=halvings, base_channels=base_channels)
    assert config.losses == replace(MINI.losses, gan="least-squares")
    assert replace(config, model=sean.model, losses=sean.losses) == sean


def test_at_the_papers_sizes_the_baselines_are_the_published_ones() -> None:
    assert with_method(TrainConfig(), "spade").model == SPADEConfig()
    assert with_method(TrainConfig(), "spade++").model == SPADEConfig(style="regions", encoder_channels=16)
    assert with_method(TrainConfig(), "pix2pixhd").model == Pix2PixHDConfig()


def test_an_unknown_method_is_one_line() -> None:
    with pytest.raises(InputError) as error:
        with_method(MINI, "cyclegan")
    assert str(error.value) == f"unknown method 'cyclegan'; expected one of: {', '.join(METHODS)}"


def test_a_config_for_a_baseline_is_not_changed_again() -> None:
    with pytest.raises(InputError) as error:
        with_method(with_method(MINI, "spade++"), "sean-no-noise")
    assert str(error.value) == "expected a config for SEAN to change, got one for spade"


def test_parameters_are_those_of_encoder_and_generator() -> None:
    config = SEANConfig(
        num_regions=2, image_size=(32, 32), style_dim=1, base_channels=1, mask_dim=1, encoder_channels=1
    )
    widths = [1, 2, 4, 8]
    encoder = (27 * 1 + 1) + sum(9 * i * o + o for i, o in pairwise(widths)) + (9 * 8 * 1 + 1)
    norms = [(16, True)] * 6 + [(16, True), (8, True), (16, True)] + [(8, True), (4, True), (8, True)]
    norms += [(4, True), (2, True), (4, True), (2, False), (1, False), (2, False)]
    of_norm = sum((2 * (1 + 1) + 2 + 2 * (9 * c + c)) * styled + (19 + 2 * (9 * c + c)) + c for c, styled in norms)
    blocks = [(16, 16)] * 3 + [(16, 8), (8, 4), (4, 2), (2, 1)]
    convolutions = sum(
        9 * i * min(i, o) + min(i, o) + 9 * min(i, o) * o + o + (i * o if i != o else 0) for i, o in blocks
    )
    ends = (9 * 2 * 16 + 16) + (9 * 1 * 3 + 3)
    assert num_parameters(config) == encoder + of_norm + convolutions + ends


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains(
    method: str,
    make_state: Callable[[TrainConfig], TrainingState],
    config: TrainConfig,
    batch: TrainingBatch,
    fabric: Fabric,
) -> None:
    """Two steps with finite terms; networks and average move; the KL divergence where there is a VAE only."""
    config = with_method(replace(config, accumulate=1, init_gain=1.0), method)
    assert TrainConfig.from_json(config.to_json()) == config
    state = make_state(config)
    before = [{key: value.clone() for key, value in net.state_dict().items()} for net in (state.model, state.average)]
    for _ in range(2):
        terms = training_step(state, [batch], config, fabric, None)
        own = {"kl"} if method == "spade" else set()
        names = {"adversarial", "feature_matching", "l1", "discriminator_fake", "discriminator_real"}
        assert set(terms) == names | own
        assert all(math.isfinite(value) for value in terms.values())
    assert (state.step, state.skipped) == (2, 0)
    for network, old in zip((state.model, state.average), before, strict=True):
        now = network.state_dict()
        still = {name for name in now if name.endswith(("weight", "original")) and torch.equal(now[name], old[name])}
        assert not still


def test_the_kl_divergence_is_weighted_once(
    make_state: Callable[[TrainConfig], TrainingState], config: TrainConfig, batch: TrainingBatch, fabric: Fabric
) -> None:
    config = with_method(replace(config, init_gain=1.0), "spade")
    terms = {}
    for weight in (0.0, 0.05, 1.0):
        weighted = replace(config, losses=LossWeights(perceptual=0.0, kl=weight))
        state = make_state(weighted)
        with torch.no_grad():
            _, own = state.model.training_pass(batch.image, batch.segmap)
        state = make_state(weighted)
        terms[weight] = training_step(state, [batch], weighted, fabric, None)
        if weight:
            assert terms[weight]["kl"] == pytest.approx(weight * own["kl"].item(), rel=1e-5)
    assert "kl" not in terms[0.0]
    assert terms[1.0]["adversarial"] == terms[0.0]["adversarial"]


def test_each_method_has_its_adversarial_loss(
    make_state: Callable[[TrainConfig], TrainingState], config: TrainConfig, batch: TrainingBatch, fabric: Fabric
) -> None:
    """Scores near 0, as at the start: hinge terms near 0, 1 and 1; least squares near 1, 0 and 1/2."""
    for method, expected in (("sean", (0, 1, 1)), ("pix2pixhd", (1, 0, 0.5))):
        changed = with_method(config, method)
        terms = training_step(make_state(changed), [batch], changed, fabric, None)
        names = ("adversarial", "discriminator_fake", "discriminator_real")
        assert tuple(terms[name] for name in names) == pytest.approx(expected, abs=0.1)
