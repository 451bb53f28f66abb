"""The style table: by hand, and against the wide style map and its dense 3x3 convolution."""

import torch
from hypothesis import given

from sean.ops.modulation import apply_table, region_styles, style_table
from sean.segmap import onehot

from . import reference
from .reference import assert_same_with_gradients, randn, segmaps

# taps numbered 1..9 from the upper left to the lower right
NUMBERED_TAPS = torch.arange(1.0, 10.0).view(1, 1, 1, 3, 3)


def test_region_styles_by_hand() -> None:
    codes = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    weight = torch.tensor([[[1.0, 1.0], [2.0, -3.0]], [[0.0, 1.0], [1.0, 0.5]]])
    bias = torch.tensor([[0.5, 1.0], [0.25, 0.0]])
    # region 0: (1 + 2 + 0.5, 2 - 6 + 1 -> ReLU); region 1: (-1 + 0.25 -> ReLU, 3 - 0.5)
    assert region_styles(codes, weight, bias).tolist() == [[[3.5, 0.0], [0.0, 2.5]]]


def test_style_table_by_hand() -> None:
    mu = torch.tensor([[[1.0, 2.0], [0.0, -1.0]]])
    taps = torch.arange(9.0).view(1, 3, 3)
    weight = torch.stack([torch.cat([taps, 10 * taps]), torch.cat([-taps, taps])])  # [o = 2, d = 2, 3, 3]
    table = style_table(mu, weight)
    assert table.shape == (1, 2, 2, 3, 3)
    for output, region, factor in ((0, 0, 21.0), (0, 1, -10.0), (1, 0, 1.0), (1, 1, -1.0)):
        assert torch.equal(table[0, output, region], factor * taps[0])


def test_apply_table_by_hand() -> None:
    """The middle pixel sums all taps, the others those that lie in the picture."""
    out = apply_table(torch.ones(1, 1, 3, 3), NUMBERED_TAPS)
    assert out[0, 0].tolist() == [[28.0, 39.0, 24.0], [33.0, 45.0, 27.0], [16.0, 21.0, 12.0]]


def test_taps_are_not_mirrored() -> None:
    """As in a convolution layer, the pixel to the upper left of a region sees it through its lower right tap."""
    planes = torch.zeros(1, 1, 3, 3)
    planes[0, 0, 1, 1] = 1
    assert apply_table(planes, NUMBERED_TAPS)[0, 0].tolist() == [[9.0, 8.0, 7.0], [6.0, 5.0, 4.0], [3.0, 2.0, 1.0]]


def test_every_sample_has_its_own_table() -> None:
    table = torch.zeros(2, 1, 1, 3, 3)
    table[:, 0, 0, 1, 1] = torch.tensor([2.0, 5.0])
    out = apply_table(torch.ones(2, 1, 2, 2), table)
    assert out[:, 0, 0, 0].tolist() == [2.0, 5.0]
    assert apply_table(torch.ones(2, 1, 2, 2), table.flip(0))[:, 0, 0, 0].tolist() == [5.0, 2.0]


def test_no_region_adds_nothing() -> None:
    planes = onehot(torch.full((1, 4, 4), 3), 3)
    assert not apply_table(planes, torch.randn(1, 2, 3, 3, 3)).any()


@given(case=segmaps())
def test_region_styles_equal_a_layer_per_region(case: tuple[torch.Tensor, int]) -> None:
    segmap, k = case
    inputs = codes, weight, bias = randn(len(segmap), k, 4), randn(k, 4, 4), randn(k, 4)
    assert_same_with_gradients(
        lambda: region_styles(codes, weight, bias), lambda: reference.region_styles(codes, weight, bias), inputs
    )


@given(case=segmaps())
def test_table_equals_the_dense_convolution(case: tuple[torch.Tensor, int]) -> None:
    segmap, k = case
    inputs = mu, weight = randn(len(segmap), k, 4), randn(6, 4, 3, 3)
    planes = onehot(segmap, k).double()
    assert_same_with_gradients(
        lambda: apply_table(planes, style_table(mu, weight)),
        lambda: reference.style_convolution(segmap, mu, weight),
        inputs,
    )
