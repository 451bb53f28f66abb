"""The perceptual term without a download: features of a trained style encoder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

import sean.training.loop
from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.build import build_model
from sean.models.efficientnet import EfficientNetLite
from sean.models.weights import save_model
from sean.training.config import TrainConfig
from sean.training.log import Log
from sean.training.loop import perceptual_loss

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
    config = replace(config, losses=LossWeights(), perceptual_network="portraits-256")
    loss = perceptual_loss(config, fabric, Log())
    assert loss is not None
    assert loss(torch.zeros(1, 3, 32, 32), torch.rand(1, 3, 32, 32)).item() > 0


def test_an_unknown_network_and_a_weight_of_zero(config: TrainConfig, fabric: Fabric) -> None:
    with pytest.raises(InputError, match="unknown model 'vgg16'"):
        perceptual_loss(replace(config, losses=LossWeights(), perceptual_network="vgg16"), fabric, Log())
    assert perceptual_loss(replace(config, perceptual_network="vgg16"), fabric, Log()) is None


def test_efficientnet_by_its_own_spreads(config: TrainConfig, fabric: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    network = EfficientNetLite("lite0").eval()
    for stage in network.stages:
        stage[-1].project.weight.data.fill_(2.0)
    monkeypatch.setattr(sean.training.loop, "load_efficientnet", lambda variant: network)
    config = replace(config, losses=LossWeights(), perceptual_network="efficientnet-lite0")
    loss = perceptual_loss(config, fabric, Log())
    assert loss is not None and not any(parameter.requires_grad for parameter in loss.parameters())
    fake, real = torch.rand(2, 3, 64, 64) * 2 - 1, torch.rand(2, 3, 64, 64) * 2 - 1
    assert loss(real, real).item() == 0.0
    # the other blocks of a stage have norms of scale 1; the terms of a residual sum count as independent
    distances = []
    for index, (f, r) in zip((0, 1, 2, 4, 6), zip(network(fake), network(real), strict=True), strict=True):
        spread = (4.0 + len(network.stages[index]) - 1) ** 0.5
        distances.append((f - r).abs().mean() / spread)
    torch.testing.assert_close(loss(fake, real), torch.stack(distances).mean())


def test_an_unknown_variant_of_efficientnet(config: TrainConfig, fabric: Fabric) -> None:
    config = replace(config, losses=LossWeights(), perceptual_network="efficientnet-b7")
    with pytest.raises(InputError, match="expected an EfficientNet-Lite variant of lite0, lite1, got 'b7'"):
        perceptual_loss(config, fabric, Log())
