"""No loop over regions: the number of torch operations depends on no size, and the time shows it.

But for steps that a segmap may take or spare: a large activation is walked through in several pieces, a segmap of many
distinct patches is convolved (a dense plan), and rows are not gathered where they are in order already. So the counts
are of small segmaps of few patches, with all samples alike: then no sample has mask patches of its own.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sean.models.configs import SEANConfig
from sean.models.sean.model import SEANModel
from sean.models.sean.norm import SEANNorm
from sean.ops import dense
from sean.ops.region_pooling import region_mean
from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import plan_segmap
from sean.segmap import onehot

from . import reference


class OperationCounter(TorchDispatchMode):
    """Counts the torch operations that run, those of the backward pass among them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def count_operations(function: Callable[[], Tensor]) -> int:
    """Operations of a forward and a backward pass."""
    with OperationCounter() as counter:
        function().sum().backward()
    return counter.count


def plan_of(segmap: Tensor) -> PatchPlan:
    """The plan of a segmap at its own size."""
    return plan_segmap(segmap, scales=(1,)).levels[0]


def blocks(num_regions: int, cells: tuple[int, int, int], side: int) -> Tensor:
    """A segmap of squares."""
    return torch.randint(num_regions, cells).repeat_interleave(side, 1).repeat_interleave(side, 2)


def make_norm_case(batch: int, num_regions: int) -> tuple[SEANNorm, Tensor, Tensor, Tensor]:
    norm = SEANNorm(3, num_regions, style_dim=4, mask_dim=2)
    segmap = torch.randint(num_regions, (1, 6, 5)).expand(batch, -1, -1)
    return norm, segmap, torch.randn(batch, 3, 6, 5), torch.randn(batch, 4, 6, 5)


def pool_and_norm(batch: int, num_regions: int) -> int:
    norm, segmap, x, features = make_norm_case(batch, num_regions)

    def run() -> Tensor:
        codes, _ = region_mean(features, onehot(segmap, num_regions))
        return norm(x, plan_of(segmap), codes, lambda x: torch.zeros_like(x[:, :1]))

    return count_operations(run)


def reconstruct(batch: int, num_regions: int) -> int:
    model = SEANModel(SEANConfig(num_regions=num_regions, style_dim=4, base_channels=1, mask_dim=2, encoder_channels=2))
    image, segmap = torch.randn(batch, 3, 64, 32), blocks(num_regions, (1, 8, 4), side=8).expand(batch, -1, -1)
    return count_operations(lambda: model(image, segmap, noise=True))


@pytest.mark.parametrize("count", [pool_and_norm, reconstruct])
def test_number_of_operations_depends_on_neither_batch_nor_regions(count: Callable[[int, int], int]) -> None:
    expected = count(2, 2)
    assert expected > 20
    # from 2 on: a batch of 1 spares torch.einsum a transposition
    assert [count(b, k) for b, k in ((3, 2), (2, 11), (5, 40))] == [expected] * 3
    assert count(1, 2) <= expected


def test_the_counter_sees_a_loop() -> None:
    """The plain formulation does depend on them."""

    def loops(batch: int, num_regions: int) -> int:
        _, segmap, _, features = make_norm_case(batch, num_regions)
        features.requires_grad_()
        return count_operations(lambda: reference.region_mean(features, segmap, num_regions)[0])

    assert loops(1, 2) < loops(1, 4) < loops(2, 4)


def style_region_by_region(norm: SEANNorm, features: Tensor, segmap: Tensor) -> Tensor:
    """Style pooling and gamma_s, beta_s as the paper states them: loops, a d-channel style map, dense convolutions."""
    style = norm.style
    codes, _ = reference.region_mean(features, segmap, len(style.region_weight))
    mu = reference.region_styles(codes, style.region_weight, style.region_bias)
    styles = reference.style_map(segmap, mu)
    sides = zip(style.weight.chunk(2), style.bias.chunk(2), strict=True)
    return torch.cat([F.conv2d(styles, weight, bias, padding=1) for weight, bias in sides], dim=1)


def blend(norm: SEANNorm, x: Tensor, of_style: Tensor, of_mask: Tensor) -> Tensor:
    """The rest of a SEAN norm, from the modulation of both branches."""
    gamma_s, beta_s = of_style.chunk(2, dim=1)
    gamma_o, beta_o = of_mask.chunk(2, dim=1)
    alpha_gamma, alpha_beta = torch.sigmoid(norm.blend)
    gamma = alpha_gamma * gamma_s + (1 - alpha_gamma) * gamma_o
    beta = alpha_beta * beta_s + (1 - alpha_beta) * beta_o
    return norm.norm(x) * (1 + gamma) + beta


def median_times(functions: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, float]:
    """Median seconds of each function, taken in turns so that a busy machine slows all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def make_slow_case() -> tuple[SEANNorm, Tensor, Tensor, Tensor]:
    """Batch 4, 19 regions, 512-channel styles, 128 x 128, 64 channels."""
    b, k, d, c, size = 4, 19, 512, 64, 128
    norm = SEANNorm(c, k, d, mask_dim=128).eval()
    return norm, blocks(k, (b, 8, 8), side=16), torch.randn(b, c, size, size), torch.randn(b, d, size, size)


@pytest.mark.slow
@torch.no_grad()
def test_ten_times_faster_than_the_loop_over_regions() -> None:
    """Pooling and style branch, up to gamma_s and beta_s of every pixel, and the whole norm; plans counted in."""
    norm, segmap, x, features = make_slow_case()

    def pool() -> Tensor:
        return region_mean(features, onehot(segmap, 19))[0]

    def style() -> Tensor:
        plan = plan_of(segmap)
        return norm.style(plan, pool())[plan.region_rows][plan.pixels].permute(0, 3, 1, 2)

    def norm_with_loop() -> Tensor:
        return blend(norm, x, style_region_by_region(norm, features, segmap), dense.mask_modulation(segmap, *weights))

    weights = norm.mask.weights
    functions = {
        "style": style,
        "style, loop": lambda: style_region_by_region(norm, features, segmap),
        "norm": lambda: norm(x, plan_of(segmap), pool()),
        "norm, loop": norm_with_loop,
    }
    for kind in ("style", "norm"):
        torch.testing.assert_close(functions[kind](), functions[f"{kind}, loop"](), atol=1e-4, rtol=1e-4)
    seconds = median_times(functions, repeats=5)
    print(*(f"{name} {value:.3f} s;" for name, value in seconds.items()))
    assert seconds["style, loop"] > 10 * seconds["style"]
    assert seconds["norm, loop"] > 10 * seconds["norm"]


def masked_loop(norm: SEANNorm, x: Tensor, features: Tensor, segmap: Tensor, of_mask: Tensor) -> Tensor:
    """Pooling and a whole SEAN norm, with the loop that one writes first: masked_select and masked_scatter."""
    style, (_, d, h, w) = norm.style, features.shape
    styles = torch.zeros_like(features)
    for sample in range(len(features)):
        for region in range(len(style.region_weight)):
            mask = (segmap[sample] == region).expand(d, h, w)
            pixels = int(mask[0].sum())
            if pixels:
                code = features[sample].masked_select(mask).view(d, pixels).mean(dim=1)
                mu = F.relu(style.region_weight[region] @ code + style.region_bias[region])
                styles[sample].masked_scatter_(mask, mu.view(d, 1).repeat(1, pixels))
    sides = zip(style.weight.chunk(2), style.bias.chunk(2), strict=True)
    of_style = torch.cat([F.conv2d(styles, weight, bias, padding=1) for weight, bias in sides], dim=1)
    return blend(norm, x, of_style, of_mask)


@pytest.mark.slow
@torch.no_grad()
def test_whole_norm_ten_times_faster_than_the_masked_loop() -> None:
    """The whole norm again, the mask branch included on both sides."""
    norm, segmap, x, features = make_slow_case()

    def norm_with_masked_loop() -> Tensor:
        return masked_loop(norm, x, features, segmap, dense.mask_modulation(segmap, *norm.mask.weights))

    functions = {
        "norm": lambda: norm(x, plan_of(segmap), region_mean(features, onehot(segmap, 19))[0]),
        "norm, masked loop": norm_with_masked_loop,
    }
    torch.testing.assert_close(functions["norm"](), functions["norm, masked loop"](), atol=1e-4, rtol=1e-4)
    seconds = median_times(functions, repeats=3)
    print(*(f"{name} {value:.3f} s;" for name, value in seconds.items()))
    assert seconds["norm, masked loop"] > 10 * seconds["norm"]
