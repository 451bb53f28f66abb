"""The published formulation by the paper's word: loops over regions, pixels and taps."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sean.ops import dense
from sean.plan.planner import plan_segmap

from . import reference
from .reference import assert_same_with_gradients, randn, segmaps


@given(case=segmaps(), num_variants=st.integers(1, 3))
def test_region_map_gives_back_what_the_plan_is_of(case: tuple[Tensor, int], num_variants: int) -> None:
    segmap, _ = case
    variants = torch.randint(num_variants, segmap.shape)
    plan = plan_segmap(segmap, variants, scales=(1,)).levels[0]
    got_variants, labels = dense.region_map(plan)
    assert torch.equal(labels, segmap.to(labels.dtype))
    assert torch.equal(got_variants, variants.to(got_variants.dtype))


def test_region_map_of_a_dense_plan() -> None:
    segmap = torch.randint(20, (2, 40, 40))
    plan = plan_segmap(segmap, scales=(1,)).levels[0]
    assert plan.is_dense
    variants, labels = dense.region_map(plan)
    assert labels.tolist() == segmap.tolist()
    assert variants.flatten(1).tolist() == [[0] * 1600, [1] * 1600]


@given(case=segmaps(), num_variants=st.integers(0, 3))
def test_style_modulation_equals_the_loop(case: tuple[Tensor, int], num_variants: int) -> None:
    """Variants are the samples (0), or any."""
    segmap, k = case
    samples = torch.arange(len(segmap)).view(-1, 1, 1).expand_as(segmap)
    variants = torch.randint(num_variants, segmap.shape) if num_variants else None
    mu, weight, bias = randn(num_variants or len(segmap), k, 4), randn(6, 4, 3, 3), randn(6)
    assert_same_with_gradients(
        lambda: dense.style_modulation(samples if variants is None else variants, segmap, mu, weight, bias),
        lambda: reference.convolution(reference.style_map(segmap, mu, variants), weight, bias),
        [mu, weight, bias],
        tolerance=1e-12,
    )


@settings(max_examples=10)
@given(case=segmaps(max_size=5))
def test_mask_modulation_equals_the_loop(case: tuple[Tensor, int]) -> None:
    segmap, k = case
    weights = hidden_weight, hidden_bias, weight, bias = randn(4, k, 3, 3), randn(4), randn(6, 4, 3, 3), randn(6)

    def loop() -> Tensor:
        hidden = F.relu(reference.convolution(reference.onehot(segmap, k), hidden_weight, hidden_bias))
        return reference.convolution(hidden, weight, bias)

    assert_same_with_gradients(lambda: dense.mask_modulation(segmap, *weights), loop, weights, tolerance=1e-12)


@settings(max_examples=10)
@given(case=segmaps(max_size=5))
def test_mask_modulation_with_edges_equals_the_loop(case: tuple[Tensor, int]) -> None:
    """The edge map is the last plane of what is convolved, also where a pixel has no region."""
    segmap, k = case
    edges = torch.rand(segmap.shape) < 0.5
    weights = hidden_weight, hidden_bias, weight, bias = randn(4, k + 1, 3, 3), randn(4), randn(6, 4, 3, 3), randn(6)

    def loop() -> Tensor:
        planes = torch.cat([reference.onehot(segmap, k), edges[:, None].double()], dim=1)
        hidden = F.relu(reference.convolution(planes, hidden_weight, hidden_bias))
        return reference.convolution(hidden, weight, bias)

    assert_same_with_gradients(
        lambda: dense.mask_modulation(segmap, *weights, edges=edges), loop, weights, tolerance=1e-12
    )


@given(case=segmaps())
def test_edge_map_gives_back_what_the_plan_is_of(case: tuple[Tensor, int]) -> None:
    segmap, _ = case
    edges = torch.rand(segmap.shape) < 0.5
    plan = plan_segmap(segmap, scales=(1,), edges=edges).levels[0]
    assert torch.equal(dense.edge_map(plan), edges)
    assert torch.equal(dense.region_map(plan)[1], segmap.to(torch.int32))
    assert dense.edge_map(plan_segmap(segmap, scales=(1,)).levels[0]) is None


def test_edge_map_of_a_dense_plan() -> None:
    edges = torch.rand(2, 40, 40) < 0.3
    plan = plan_segmap(torch.randint(20, edges.shape), scales=(1,), edges=edges).levels[0]
    assert plan.is_dense
    assert torch.equal(dense.edge_map(plan), edges)


def test_normalize_modulate_by_hand() -> None:
    x = torch.tensor([[[[5.0, -1.0]], [[2.0, 0.0]]]])
    modulation = torch.tensor([[[[0.5, 1.0]], [[0.0, -3.0]], [[1.0, -4.0]], [[7.0, 0.25]]]])
    mean, variance = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0])
    # x_hat: 2, -1 and 0, -2; times 1.5, 2 and 1, -2; plus 1, -4 and 7, 0.25; then LeakyReLU
    out = dense.normalize_modulate(x, modulation, mean, variance, eps=1.0, slope=0.5)
    assert out.tolist() == [[[[4.0, -3.0]], [[7.0, 4.25]]]]
    plain = dense.normalize_modulate(x, modulation, mean, variance, eps=1.0, slope=1.0)
    assert plain.tolist() == [[[[4.0, -6.0]], [[7.0, 4.25]]]]


def test_normalize_modulate_equals_torch_batch_norm() -> None:
    x, modulation = randn(2, 3, 4, 5), randn(2, 6, 4, 5)
    gamma, beta = modulation.chunk(2, dim=1)

    def of_the_batch() -> Tensor:
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        return dense.normalize_modulate(x, modulation, mean, variance, 1e-5, 0.2)

    assert_same_with_gradients(
        of_the_batch,
        lambda: F.leaky_relu(F.batch_norm(x, None, None, training=True) * (1 + gamma) + beta, 0.2),
        [x, modulation],
        tolerance=1e-12,
    )
