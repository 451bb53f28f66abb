"""Rows of gamma and beta per patch: by hand, gathered per pixel against feature maps, and their gradients."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from sean.ops import dense
from sean.ops.modulation import (
    blended_rows,
    mask_rows,
    paired,
    region_index,
    region_styles,
    style_rows,
    sum_taps,
    tap_products,
)
from sean.plan import level
from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import plan_segmap

from . import reference
from .reference import assert_same_with_gradients, randn, segmaps

# taps numbered 1..9 from the upper left to the lower right
NUMBERED_TAPS = torch.arange(1.0, 10.0).view(1, 1, 3, 3)

# of one label, with "no region" (2), of two pixels, of one pixel
TINY = {
    "labels": [[[0, 1, 1], [0, 0, 1]]],
    "no region": [[[2, 0], [1, 2]], [[0, 0], [2, 2]]],
    "column": [[[1], [0]]],
    "pixel": [[[1]]],
}


def plan_of(segmap: Tensor, variants: Tensor | None = None, edges: Tensor | None = None) -> PatchPlan:
    """The plan of a segmap at its own size."""
    return plan_segmap(segmap, variants, scales=(1,), edges=edges).levels[0]


def noise_map(size: int = 40) -> Tensor:
    """19 labels and "no region" at random: nearly as many patches as pixels."""
    return torch.randint(20, (1, size, size))


def maps(rows: Tensor, ids: Tensor, plan: PatchPlan) -> Tensor:
    """[b, o, h, w]: the rows of a branch, one for every pair of patches by `ids`, at the pixels of these pairs."""
    return rows[ids.long()][plan.pixels.long()].permute(0, 3, 1, 2)


def mask_weights(k: int, hidden: int = 4, out: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return randn(hidden, k, 3, 3), randn(hidden), randn(out, hidden, 3, 3), randn(out)


def assert_mask_rows_equal_the_convolutions(
    plan: PatchPlan, segmap: Tensor, k: int, tolerance: float = 1e-12, edges: Tensor | None = None
) -> None:
    weights = mask_weights(k + (edges is not None))
    assert_same_with_gradients(
        lambda: maps(mask_rows(plan, *weights), plan.mask_rows, plan),
        lambda: dense.mask_modulation(segmap, *weights, edges=edges),
        weights,
        tolerance,
    )


def assert_style_rows_equal_the_convolution(
    plan: PatchPlan, variants: Tensor, segmap: Tensor, k: int, tolerance: float = 1e-12
) -> None:
    inputs = mu, weight, bias = randn(int(variants.max()) + 1, k, 4), randn(3, 4, 3, 3), randn(3)
    assert_same_with_gradients(
        lambda: maps(style_rows(plan, mu, weight, bias), plan.region_rows, plan),
        lambda: dense.style_modulation(variants, segmap, mu, weight, bias),
        inputs,
        tolerance,
    )


def samples_of(segmap: Tensor) -> Tensor:
    """The variants that a plan takes by default."""
    return torch.arange(len(segmap)).view(-1, 1, 1).expand_as(segmap)


def test_region_styles_by_hand() -> None:
    codes = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    weight = torch.tensor([[[1.0, 1.0], [2.0, -3.0]], [[0.0, 1.0], [1.0, 0.5]]])
    bias = torch.tensor([[0.5, 1.0], [0.25, 0.0]])
    # region 0: (1 + 2 + 0.5, 2 - 6 + 1 -> ReLU); region 1: (-1 + 0.25 -> ReLU, 3 - 0.5)
    assert region_styles(codes, weight, bias).tolist() == [[[3.5, 0.0], [0.0, 2.5]]]


def test_tap_products_by_hand() -> None:
    taps = torch.arange(9.0).view(1, 3, 3)
    weight = torch.stack([torch.cat([taps, 10 * taps]), torch.cat([-taps, taps])])  # [o = 2, d = 2, 3, 3]
    products = tap_products(torch.tensor([[1.0, 2.0], [0.0, -1.0]]), weight)
    assert products.shape == (9, 2, 2)
    for vector, output, factor in ((0, 0, 21.0), (1, 0, -10.0), (0, 1, 1.0), (1, 1, -1.0)):
        assert torch.equal(products[:, vector, output], factor * taps.flatten())


def test_tap_products_do_not_depend_on_how_the_weight_lies_in_memory() -> None:
    vectors, weight = torch.randn(5, 4), torch.randn(6, 4, 3, 3)
    lying_otherwise = weight.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(tap_products(vectors, lying_otherwise), tap_products(vectors, weight))


def test_sum_taps_by_hand() -> None:
    """Every entry by its own tap: row 0 adds 10 by the first, 20 by the second ..., row 1 adds 1, 2, ..."""
    products = torch.arange(1.0, 10.0).view(9, 1, 1) * torch.tensor([10.0, 1.0]).view(1, 2, 1)
    patches = torch.tensor([[0] * 9, [1] * 9, [0] * 4 + [1] + [0] * 4, [1, 0] + [1] * 7], dtype=torch.int32)
    assert sum_taps(products, patches).flatten().tolist() == [450.0, 45.0, 405.0, 63.0]


def test_style_rows_by_hand() -> None:
    """The middle pixel sums all taps, the others those that lie in the picture."""
    plan = plan_of(torch.zeros(1, 3, 3, dtype=torch.long))
    rows = style_rows(plan, torch.ones(1, 1, 1), NUMBERED_TAPS, torch.tensor([0.5]))
    out = maps(rows, plan.region_rows, plan)
    assert out[0, 0].tolist() == [[28.5, 39.5, 24.5], [33.5, 45.5, 27.5], [16.5, 21.5, 12.5]]


def test_taps_are_not_mirrored() -> None:
    """As in a convolution layer, the pixel to the upper left of a region sees it through its lower right tap."""
    segmap = torch.ones(1, 3, 3, dtype=torch.long)
    segmap[0, 1, 1] = 0
    plan = plan_of(segmap)
    rows = style_rows(plan, torch.ones(1, 1, 1), NUMBERED_TAPS, torch.zeros(1))
    expected = [[9.0, 8.0, 7.0], [6.0, 5.0, 4.0], [3.0, 2.0, 1.0]]
    assert maps(rows, plan.region_rows, plan)[0, 0].tolist() == expected


def test_mask_rows_by_hand() -> None:
    """One row of pixels; hidden = ReLU(2 * left neighbour is 0 - 3 * own label is 1 + 1), doubled from the right."""
    hidden_weight, weight = torch.zeros(1, 2, 3, 3), torch.zeros(1, 1, 3, 3)
    hidden_weight[0, 0, 1, 0], hidden_weight[0, 1, 1, 1], weight[0, 0, 1, 2] = 2, -3, 2
    plan = plan_of(torch.tensor([[[0, 0, 1, 1, 2]]]))
    rows = mask_rows(plan, hidden_weight, torch.ones(1), weight, torch.tensor([0.5]))
    # hidden: 1, 2 + 1, 2 - 3 + 1 = 0, -3 + 1 -> 0, no region -> 1, outside 0 (and not ReLU(1))
    assert maps(rows, plan.mask_rows, plan).flatten().tolist() == [6.5, 0.5, 0.5, 2.5, 0.5]


def test_mask_rows_with_edges_by_hand() -> None:
    """The edge is a plane of its own: hidden = ReLU(2 * own label is 0 + 5 * right neighbour has an edge + 1)."""
    hidden_weight, weight = torch.zeros(1, 3, 3, 3), torch.zeros(1, 1, 3, 3)
    hidden_weight[0, 0, 1, 1], hidden_weight[0, 2, 1, 2], weight[0, 0, 1, 1] = 2, 5, 1
    segmap = torch.tensor([[[0, 0, 1, 2, 9]]])
    plan = plan_of(segmap, edges=torch.tensor([[[1, 0, 1, 1, 1]]]))
    rows = mask_rows(plan, hidden_weight, torch.ones(1), weight, torch.zeros(1))
    assert maps(rows, plan.mask_rows, plan).flatten().tolist() == [3.0, 8.0, 6.0, 6.0, 1.0]


def test_every_sample_has_its_own_style() -> None:
    plan = plan_of(torch.zeros(2, 2, 2, dtype=torch.long))
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 1
    mu = torch.tensor([2.0, 5.0]).view(2, 1, 1)
    for styles, expected in ((mu, [2.0, 5.0]), (mu.flip(0), [5.0, 2.0])):
        out = maps(style_rows(plan, styles, weight, torch.zeros(1)), plan.region_rows, plan)
        assert out[:, 0, 0, 0].tolist() == expected


def test_no_region_adds_nothing() -> None:
    """Neither label k nor one above it, as of a plan that serves a model of fewer regions too."""
    plan, bias = plan_of(torch.tensor([[[3, 4], [7, 3]]])), torch.randn(2)
    rows = style_rows(plan, torch.randn(1, 3, 4), torch.randn(2, 4, 3, 3), bias)
    assert torch.equal(rows, bias.expand_as(rows))
    hidden_weight, hidden_bias, weight, bias = (w.float().detach() for w in mask_weights(3))
    above, at = (mask_rows(plan_of(torch.full((1, 2, 2), k)), hidden_weight, hidden_bias, weight, bias) for k in (7, 3))
    assert torch.equal(above, at)
    assert torch.equal(at, mask_rows(plan_of(torch.full((1, 2, 2), 3)), 0 * hidden_weight, hidden_bias, weight, bias))


def test_region_index_by_hand() -> None:
    plan = plan_of(torch.tensor([[[0, 2], [3, 1]]]), torch.tensor([[[0, 1], [1, 4]]]))
    for num_variants, of_the_last in ((5, 14), (2, 0)):  # with two variants, the last is a region of the past
        index = dict(zip(map(tuple, plan.regions.tolist()), region_index(plan, num_variants, 3).tolist(), strict=True))
        assert index == {(0, 0): 1, (1, 2): 6, (1, 3): 0, (4, 1): of_the_last}


def test_blended_rows_by_hand() -> None:
    """alpha 3/4 for the two gammas and 1/5 for the two betas; the rows are the plan's pairs, in any order."""
    pairs = {"mask_rows": torch.tensor([1, 0, 1]), "region_rows": torch.tensor([0, 1, 1])}
    plan = replace(plan_of(torch.zeros(1, 1, 1, dtype=torch.long)), one_pair_each=False, **pairs)
    mask = torch.tensor([[1.0, 2.0, 10.0, 20.0], [4.0, 8.0, 30.0, 40.0]])
    style = torch.tensor([[8.0, 0.0, 60.0, 90.0], [5.0, 10.0, 100.0, 50.0]])
    rows = blended_rows(plan, mask, style, torch.tensor([3.0, 0.25]).log())
    expected = [[7.0, 2.0, 36.0, 50.0], [4.0, 8.0, 28.0, 26.0], [4.75, 9.5, 44.0, 42.0]]
    torch.testing.assert_close(rows, torch.tensor(expected))


def test_rows_are_copied_only_where_a_mask_patch_has_several_regions() -> None:
    segmap, variants = torch.tensor([[[0, 1, 0]]]), torch.tensor([[[0, 0, 1]]])
    rows = torch.randn(3, 2)
    assert paired(plan_of(segmap), rows) is rows
    twice = plan_of(torch.cat([segmap, segmap]))
    assert not twice.one_pair_each
    assert torch.equal(paired(twice, rows), rows[twice.mask_rows])
    assert plan_of(segmap, variants).one_pair_each


def test_blended_rows_of_16_bit_branches_are_float32() -> None:
    plan = plan_of(torch.tensor([[[0, 1]]]))
    mask, style = torch.randn(2, 4).bfloat16(), torch.randn(2, 4).bfloat16()
    rows = blended_rows(plan, mask, style, torch.zeros(2))
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows, blended_rows(plan, mask.float(), style.float(), torch.zeros(2)))


@given(case=segmaps())
def test_region_styles_equal_a_layer_per_region(case: tuple[Tensor, int]) -> None:
    segmap, k = case
    inputs = codes, weight, bias = randn(len(segmap), k, 4), randn(k, 4, 4), randn(k, 4)
    assert_same_with_gradients(
        lambda: region_styles(codes, weight, bias), lambda: reference.region_styles(codes, weight, bias), inputs
    )


@given(case=segmaps())
def test_mask_rows_equal_the_convolutions(case: tuple[Tensor, int]) -> None:
    segmap, k = case
    assert_mask_rows_equal_the_convolutions(plan_of(segmap), segmap, k)


@given(case=segmaps(), share=st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_mask_rows_with_edges_equal_the_convolutions(case: tuple[Tensor, int], share: float) -> None:
    segmap, k = case
    edges = torch.rand(segmap.shape) < share
    assert_mask_rows_equal_the_convolutions(plan_of(segmap, edges=edges), segmap, k, edges=edges)


@given(case=segmaps())
def test_style_rows_do_not_see_edges(case: tuple[Tensor, int]) -> None:
    segmap, k = case
    plan = plan_of(segmap, edges=torch.rand(segmap.shape) < 0.5)
    assert_style_rows_equal_the_convolution(plan, samples_of(segmap), segmap, k)


@given(case=segmaps(), above=st.integers(0, 3))
def test_no_edges_are_those_of_weights_without_the_edge_plane(case: tuple[Tensor, int], above: int) -> None:
    """To the bit, also of label ids beyond "no region"."""
    segmap, k = case
    segmap = torch.where(segmap == k, k + above, segmap)
    hidden_weight, *others = mask_weights(k + 1)
    with_edges = mask_rows(plan_of(segmap, edges=torch.zeros_like(segmap)), hidden_weight, *others)
    assert torch.equal(with_edges, mask_rows(plan_of(segmap), hidden_weight[:, :k], *others))


@given(case=segmaps(), place=st.tuples(st.integers(0, 2), st.integers(0, 8), st.integers(0, 8)))
def test_an_edge_reaches_two_pixels(case: tuple[Tensor, int], place: tuple[int, int, int]) -> None:
    """And, where a ReLU lets it through, that far: the corner of a 5x5 patch."""
    segmap, k = case
    b, y, x = (index % size for index, size in zip(place, segmap.shape, strict=True))
    edges = torch.rand(segmap.shape) < 0.3
    other = edges.clone()
    other[b, y, x] ^= True
    hidden_weight, hidden_bias, weight, bias = mask_weights(k + 1)
    weights = hidden_weight, hidden_bias + 100, weight, bias
    plans = [plan_of(segmap, edges=each) for each in (edges, other)]
    one, two = (maps(mask_rows(plan, *weights), plan.mask_rows, plan) for plan in plans)
    changed = (one != two).any(dim=1)
    near = torch.zeros_like(changed)
    near[b, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = True
    assert torch.equal(changed, near)


@given(case=segmaps(), num_variants=st.integers(0, 3))
def test_style_rows_equal_the_convolution(case: tuple[Tensor, int], num_variants: int) -> None:
    """With the samples as variants (0), or with any others."""
    segmap, k = case
    variants = torch.randint(num_variants, segmap.shape) if num_variants else None
    given_or_default = samples_of(segmap) if variants is None else variants
    assert_style_rows_equal_the_convolution(plan_of(segmap, variants), given_or_default, segmap, k)


def test_rows_of_a_dense_plan_equal_the_convolutions() -> None:
    segmap = noise_map()
    plan = plan_of(segmap)
    assert plan.is_dense
    assert_mask_rows_equal_the_convolutions(plan, segmap, 19, tolerance=1e-11)
    assert_style_rows_equal_the_convolution(plan, samples_of(segmap), segmap, 19, tolerance=1e-11)


def test_rows_of_a_dense_plan_with_edges_equal_the_convolutions() -> None:
    segmap = noise_map()
    edges = torch.rand(segmap.shape) < 0.3
    plan = plan_of(segmap, edges=edges)
    assert plan.is_dense
    assert_mask_rows_equal_the_convolutions(plan, segmap, 19, tolerance=1e-11, edges=edges)
    assert_style_rows_equal_the_convolution(plan, samples_of(segmap), segmap, 19, tolerance=1e-11)


def test_dense_and_sparse_plans_have_the_same_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    segmap, weights = noise_map(33), mask_weights(19)
    dense_plan = plan_of(segmap)
    monkeypatch.setattr(level, "_NEVER_DENSE_PIXELS", segmap.numel())
    sparse_plan = plan_of(segmap)
    assert dense_plan.is_dense and not sparse_plan.is_dense
    one, other = (maps(mask_rows(plan, *weights), plan.mask_rows, plan) for plan in (dense_plan, sparse_plan))
    torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("segmap", TINY.values(), ids=TINY.keys())
def test_gradients_by_finite_differences(segmap: list[list[list[int]]]) -> None:
    """Of all weights and codes, through both branches and their blend."""
    plan, k = plan_of(torch.tensor(segmap)), 2
    weights = mask_weights(k, hidden=2, out=2)
    assert gradcheck(lambda *w: mask_rows(plan, *w), weights)
    codes, region_weight, region_bias = randn(len(segmap), k, 2), randn(k, 2, 2), randn(k, 2)
    style = codes, region_weight, region_bias, randn(2, 2, 3, 3), randn(2)
    assert gradcheck(lambda c, a, b, w, e: style_rows(plan, region_styles(c, a, b), w, e), style)
    mask, styled = mask_rows(plan, *weights).detach(), style_rows(plan, codes, *style[3:]).detach()
    blend = mask.requires_grad_(), styled.requires_grad_(), randn(2)
    assert gradcheck(lambda m, s, logits: blended_rows(plan, m, s, logits), blend)


def test_gradients_with_edges_by_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    segmap, edges = torch.tensor([[[0, 1, 1], [2, 0, 1]]]), torch.tensor([[[0, 1, 0], [1, 1, 0]]])
    sparse = plan_of(segmap, edges=edges)
    monkeypatch.setattr(level, "_NEVER_DENSE_PIXELS", 0)
    for plan in (sparse, plan_of(segmap, edges=edges)):
        assert gradcheck(lambda *w, p=plan: mask_rows(p, *w), mask_weights(3, hidden=2, out=2))


def test_gradients_of_a_dense_plan_by_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level, "_NEVER_DENSE_PIXELS", 0)
    plan = plan_of(torch.tensor([[[0, 1, 1], [2, 0, 1]]]))
    assert plan.is_dense
    assert gradcheck(lambda *w: mask_rows(plan, *w), mask_weights(2, hidden=2, out=2))
