"""The dry run: parameters counted by hand, epochs, and memory that grows with the pictures of a pass."""

from dataclasses import replace

import torch

from sean.models.build import build_model
from sean.models.discriminator import build_discriminator
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.summary import estimate_memory, summary


def test_figures_by_hand(config: TrainConfig, data: TrainingData) -> None:
    text = summary(replace(config, batch_size=4, accumulate=2, steps=10), data, 2)
    assert "training pairs     5, held out 3" in text
    assert "steps per epoch    1.2; 10 steps are 8.0 epochs" in text
    assert "pictures per pass  1 on each of 2 processes, 2 passes a step" in text
    assert '"style_dim": 8' in text


def test_memory_is_counted(config: TrainConfig, data: TrainingData) -> None:
    model, discriminator = build_model(config.model), build_discriminator(3, config.discriminator_channels)
    one, four = (estimate_memory(model, discriminator, config, data, count) for count in (1, 4))
    counts = [sum(p.numel() for p in network.parameters()) for network in (model, discriminator)]
    assert one.networks == 4 * (4 * sum(counts) + counts[0])
    assert four.total - one.total == 3 * one.picture
    # at least the activations that the last block's convolutions keep: 2 x 8 and 4 channels of 32 x 32 floats
    assert one.picture > 3 * 4 * 32 * 32 * 4


def test_an_estimate_leaves_the_weights_alone(config: TrainConfig, data: TrainingData) -> None:
    torch.manual_seed(0)
    model, discriminator = build_model(config.model), build_discriminator(3, config.discriminator_channels)
    weight = model.generator.to_rgb.weight.clone()
    estimate_memory(model, discriminator, config, data, 1)
    assert torch.equal(weight, model.generator.to_rgb.weight)
