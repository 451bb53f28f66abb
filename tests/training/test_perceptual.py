"""The perceptual term without a download: features of a trained style encoder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.build import build_model
from sean.models.weights import save_model
from sean.training.config import TrainConfig
from sean.training.log import Log
from sean.training.perceptual import perceptual_loss

from .conftest import LABELS


def test_features_of_a_model_folder(config: TrainConfig, fabric: Fabric, tmp_path: Path) -> None:
    model = build_model(config.model, init_gain=1.0).eval()
    save_model(tmp_path / "model", model, LABELS)
    config = replace(config, losses=LossWeights(), perceptual_network=str(tmp_path / "model"))
    loss = perceptual_loss(config, fabric, Log())
    assert loss is not None and not any(parameter.requires_grad for parameter in loss.parameters())
    real = torch.rand(2, 3, 32, 32) * 2 - 1
    fake = (real * 0.5).requires_grad_()
    assert loss(real, real).item() == 0.0
    distance = loss(fake, real)
    # the mean over the five layers of the L1 distance after each activation
    x, y, distances = fake.detach(), real, []
    for layer in model.style_encoder.features:
        x, y = layer(x), layer(y)
        if isinstance(layer, (nn.LeakyReLU, nn.Tanh)):
            distances.append((x - y).abs().mean())
    assert len(distances) == 5
    torch.testing.assert_close(distance, torch.stack(distances).mean())
    distance.backward()
    assert fake.grad is not None and fake.grad.abs().sum() > 0


def test_the_bundled_model_will_do(config: TrainConfig, fabric: Fabric) -> None:
    config = replace(config, losses=LossWeights(), perceptual_network="celebamask-mini-128")
    loss = perceptual_loss(config, fabric, Log())
    assert loss is not None
    assert loss(torch.zeros(1, 3, 32, 32), torch.rand(1, 3, 32, 32)).item() > 0


def test_an_unknown_network_and_a_weight_of_zero(config: TrainConfig, fabric: Fabric) -> None:
    with pytest.raises(InputError, match="unknown model 'vgg16'"):
        perceptual_loss(replace(config, losses=LossWeights(), perceptual_network="vgg16"), fabric, Log())
    assert perceptual_loss(replace(config, perceptual_network="vgg16"), fabric, Log()) is None
