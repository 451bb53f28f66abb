"""Spectral norm, initialization and the batch norm."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sean.models.layers import (
    SpectralNorm,
    StackedWeights,
    batch_norm,
    initialize_weights,
    spectral_conv,
    update_running_statistics,
    xavier_,
)
from sean.models.sean.norm import SEANNorm


def test_spectral_norm_by_hand() -> None:
    norm = SpectralNorm(2, 2)
    weight = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    norm.u.copy_(torch.tensor([0.6, 0.8]))
    output = norm(weight)
    # v = normalized (1.8, 0.8), u = normalized (3 v0, v1), sigma = u . W v
    length = math.hypot(1.8, 0.8)
    v = (1.8 / length, 0.8 / length)
    sigma = math.hypot(3 * v[0], v[1])
    torch.testing.assert_close(norm.v, torch.tensor(v))
    torch.testing.assert_close(norm.u, torch.tensor([3 * v[0] / sigma, v[1] / sigma]))
    torch.testing.assert_close(output, weight / sigma)


def test_power_iteration_runs_in_training_only() -> None:
    conv = spectral_conv(3, 5, 3).eval()
    norm = conv.parametrizations.weight[0]
    before = norm.u.clone()
    conv(torch.randn(1, 3, 4, 4))
    assert torch.equal(norm.u, before)
    conv.train()
    conv(torch.randn(1, 3, 4, 4))
    assert not torch.equal(norm.u, before)


def test_making_a_spectral_conv_runs_no_iteration() -> None:
    torch.manual_seed(3)
    conv = spectral_conv(2, 4, 3)
    torch.manual_seed(3)
    nn.Conv2d(2, 4, 3)
    u = F.normalize(torch.randn(4), dim=0)
    v = F.normalize(torch.randn(18), dim=0)
    torch.testing.assert_close(conv.parametrizations.weight[0].u, u)
    torch.testing.assert_close(conv.parametrizations.weight[0].v, v)


def test_gradient_holds_the_singular_vectors_fixed() -> None:
    """d(W / sigma) with sigma = u . W v: (G - <G, W / sigma> u v^T) / sigma."""
    norm = SpectralNorm(3, 4).double().eval()
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 4, dtype=torch.float64)
    output = norm(weight)
    (gradient,) = torch.autograd.grad(output, weight, upstream)
    sigma = (norm.u @ weight @ norm.v).detach()
    expected = (upstream - (upstream * output.detach()).sum() * torch.outer(norm.u, norm.v)) / sigma
    torch.testing.assert_close(gradient, expected)


def test_second_forward_pass_leaves_the_first_ones_gradient_alone() -> None:
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    norm = SpectralNorm(3, 4).double()
    start = norm.u.clone()
    upstream = torch.randn(3, 4, dtype=torch.float64)
    (alone,) = torch.autograd.grad(norm(weight), weight, upstream)
    norm.u.copy_(start)
    first = norm(weight)
    norm(weight)
    torch.testing.assert_close(torch.autograd.grad(first, weight, upstream)[0], alone, atol=0, rtol=0)


def test_xavier_std_of_a_kernel() -> None:
    weight = torch.empty(100, 60, 3, 3)
    xavier_(weight, gain=0.02)
    assert weight.std().item() == pytest.approx(0.02 * math.sqrt(2 / (160 * 9)), rel=0.02)
    assert abs(weight.mean().item()) < 1e-5


def test_initialize_weights_of_plain_layers() -> None:
    network = nn.Sequential(nn.Conv2d(40, 60, 3), nn.ConvTranspose2d(40, 60, 3), nn.Linear(100, 200))
    initialize_weights(network)
    for layer, fans in zip(network, (100 * 9, 100 * 9, 300), strict=True):
        assert layer.weight.std().item() == pytest.approx(0.02 * math.sqrt(2 / fans), rel=0.03)
        assert not layer.bias.any()


def test_initialize_weights_of_a_spectral_conv() -> None:
    conv = spectral_conv(40, 60, 3)
    initialize_weights(conv)
    original, norm = conv.parametrizations.weight.original, conv.parametrizations.weight[0]
    assert original.std().item() == pytest.approx(0.02 * math.sqrt(2 / 900), rel=0.03)
    assert not conv.bias.any()
    # the singular vectors belong to the new weight: 15 iterations come near its true norm
    sigma = (norm.u @ original.flatten(1) @ norm.v).item()
    assert sigma == pytest.approx(torch.linalg.matrix_norm(original.flatten(1), ord=2).item(), rel=0.05)


def test_initialize_weights_of_a_sean_norm() -> None:
    """Stacked weights are drawn like the matrices that they stack: per region, gamma and beta by themselves."""
    norm = SEANNorm(20, num_regions=5, style_dim=48, mask_dim=32)
    assert isinstance(norm.style, StackedWeights)
    assert isinstance(norm.mask, StackedWeights)
    with torch.no_grad():
        norm.style.region_bias.fill_(1)
        norm.style.bias.fill_(1)
    initialize_weights(norm)
    for region in norm.style.region_weight:
        assert region.std().item() == pytest.approx(0.02 * math.sqrt(2 / (48 + 48)), rel=0.06)
    for half in norm.style.weight.chunk(2):
        assert half.std().item() == pytest.approx(0.02 * math.sqrt(2 / ((20 + 48) * 9)), rel=0.06)
    assert norm.mask.hidden.weight.std().item() == pytest.approx(0.02 * math.sqrt(2 / ((5 + 32) * 9)), rel=0.1)
    for zero in (norm.style.region_bias, norm.style.bias, norm.mask.gamma_beta.bias, norm.mask.hidden.bias):
        assert not zero.any()
    assert not norm.blend.any()
    assert not norm.noise_scale.any()


def test_initialize_weights_of_gamma_and_beta_of_the_mask_branch() -> None:
    norm = SEANNorm(20, num_regions=5, style_dim=48, mask_dim=32)
    initialize_weights(norm)
    for half in norm.mask.gamma_beta.weight.chunk(2):
        assert half.std().item() == pytest.approx(0.02 * math.sqrt(2 / ((20 + 32) * 9)), rel=0.06)


def test_batch_norm_by_hand() -> None:
    norm = batch_norm(1)
    assert not list(norm.parameters())
    output = norm(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1))
    # mean 2, variance 1 (biased); the running variance takes the unbiased one, 2, with momentum 0.1
    torch.testing.assert_close(output.flatten(), torch.tensor([-1.0, 1.0]) / math.sqrt(1 + 1e-5))
    assert norm.running_mean.item() == pytest.approx(0.2)
    assert norm.running_var.item() == pytest.approx(0.9 + 0.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_follow_those_of_torch(momentum: float | None, dtype: torch.dtype) -> None:
    """Over three passes of different sizes; without momentum they are the mean over the passes."""
    own, its = (nn.BatchNorm2d(4, affine=False, momentum=momentum).to(dtype) for _ in range(2))
    for size in (2, 5, 3):
        x = 3 + 2 * torch.randn(2, 4, size, size, dtype=dtype)
        its(x)
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        update_running_statistics(own, mean, variance, 2 * size * size)
        for key, value in its.state_dict().items():
            torch.testing.assert_close(own.state_dict()[key], value)


def test_running_statistics_take_16_bit_numbers_and_no_gradient() -> None:
    norm = batch_norm(2).double()
    mean, variance = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.5, 3.0]).bfloat16()
    update_running_statistics(norm, mean, variance, 3)
    assert not norm.running_mean.requires_grad
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.1, 0.2]).double())
    torch.testing.assert_close(norm.running_var, torch.tensor([0.975, 1.35]).double())
