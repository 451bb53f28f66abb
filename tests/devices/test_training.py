"""Losses and training steps on a card: everything stays there but the numbers of the log."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from sean.losses.perceptual import PerceptualLoss, VGG19Features
from sean.losses.weights import LossWeights
from sean.models.configs import UNetParserConfig
from sean.models.parsers import UNetParser
from sean.plan.planner import plan_segmap
from sean.training.batch import TrainingBatch
from sean.training.config import TrainConfig
from sean.training.parser.objective import class_weights, parser_losses
from sean.training.state import TrainingState
from sean.training.step import training_step

from ..training.conftest import batch, config, data, fabric, make_state
from .pretend_card import CARD, CardTensor, PretendCard

__all__ = ["batch", "config", "data", "fabric", "make_state"]


def moved(state: TrainingState) -> TrainingState:
    """A state whose networks are on the card; the optimizers hold the same parameters."""
    for network in (state.model, state.discriminator, state.average):
        network.to(CARD)
    return state


def moved_batch(batch: TrainingBatch) -> TrainingBatch:
    plan = plan_segmap(batch.segmap).to(CARD)
    return replace(batch, image=batch.image.to(CARD), segmap=batch.segmap.to(CARD), plan=plan)


@pytest.mark.parametrize("gan", ["hinge", "least-squares"])
def test_both_updates_of_a_step(
    card: PretendCard,
    config: TrainConfig,
    batch: TrainingBatch,
    fabric: Fabric,
    make_state: Callable[[TrainConfig], TrainingState],
    gan: str,
) -> None:
    losses = LossWeights(gan=gan, adversarial=1.0, feature_matching=10.0, perceptual=1.0, l1=10.0)
    config = replace(config, losses=losses)
    perceptual = PerceptualLoss(VGG19Features())
    state = make_state(config)
    batch = replace(batch, plan=plan_segmap(batch.segmap))
    torch.manual_seed(0)  # of the noise
    expected = training_step(state, [batch], config, fabric, perceptual)
    on_card, own_batch = moved(make_state(config)), moved_batch(batch)
    perceptual.to(CARD)
    card.reads.clear()
    torch.manual_seed(0)
    terms = training_step(on_card, [own_batch], config, fabric, perceptual)
    assert terms == pytest.approx(expected, rel=1e-3)
    assert set(terms) == {
        "adversarial",
        "feature_matching",
        "perceptual",
        "l1",
        "discriminator_fake",
        "discriminator_real",
    }
    # the terms of the generator's update, and of the discriminator's
    assert len(card.reads) == 2, card.reads
    for network in (on_card.model, on_card.discriminator, on_card.average):
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            assert isinstance(tensor, CardTensor), name


def test_several_passes_a_step_and_skipped_updates(
    card: PretendCard,
    config: TrainConfig,
    batch: TrainingBatch,
    fabric: Fabric,
    make_state: Callable[[TrainConfig], TrainingState],
) -> None:
    config = replace(config, non_finite="skip")
    state, own_batch = moved(make_state(config)), moved_batch(batch)
    card.reads.clear()
    training_step(state, [own_batch, own_batch], config, fabric, None)
    assert len(card.reads) == 2, card.reads
    broken = replace(own_batch, image=own_batch.image * float("nan"))
    training_step(state, [broken], config, fabric, None)
    assert state.skipped == 1


def test_the_losses_of_a_parser(card: PretendCard) -> None:
    parser = UNetParser(UNetParserConfig(num_regions=3, image_size=(32, 32), widths=(4,) * 6)).to(CARD)
    image, segmap = torch.rand(2, 3, 32, 32).to(CARD), torch.randint(4, (2, 32, 32)).to(CARD)
    weights = class_weights(torch.tensor([10, 20, 0]), 5.0).to(CARD)
    card.reads.clear()
    terms = parser_losses(parser(image), segmap, weights)
    sum(terms.values()).backward()
    assert all(isinstance(term, CardTensor) for term in terms.values())
    assert card.reads == []
