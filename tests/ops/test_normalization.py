"""Normalize, modulate and activate in pieces: by hand, and against the formula on whole feature maps."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from sean.ops import dense, normalization
from sean.ops.normalization import (
    batch_statistics,
    normalize_modulate,
    scale_shift_activate,
    scale_shift_project,
)

from .reference import assert_same_with_gradients, folded_rows, randn

EPS = 1e-5
CHANNELS = 3


@dataclass
class Case:
    """An activation, noise for it, rows and the row of every pixel, and constants to normalize by."""

    x: Tensor
    rows: Tensor
    pixels: Tensor
    noise: Tensor
    noise_scale: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def draw(cls, shape: tuple[int, int, int, int] = (2, CHANNELS, 5, 4), num_rows: int = 6) -> "Case":
        b, c, h, w = shape
        pixels = torch.randint(num_rows, (b, h, w), dtype=torch.int32)
        pixels[0, 0, 0] = num_rows - 1
        noise = torch.randn(b, 1, h, w, dtype=torch.float64)
        mean, variance = torch.randn(c, dtype=torch.float64), torch.rand(c, dtype=torch.float64) + 0.5
        return cls(randn(*shape), randn(num_rows, 2 * c), pixels, noise, randn(c), mean, variance)

    @property
    def inputs(self) -> list[Tensor]:
        return [self.x, self.rows, self.noise_scale]

    def fast(self, slope: float, noisy: bool, of_x: bool) -> Tensor:
        noise = self.noise if noisy else None
        mean, variance = batch_statistics(self.x, noise, self.noise_scale) if of_x else (self.mean, self.variance)
        return normalize_modulate(
            self.x,
            self.rows,
            self.pixels,
            mean,
            variance,
            statistics_of_x=of_x,
            noise=noise,
            noise_scale=self.noise_scale,
            eps=EPS,
            slope=slope,
        )

    def slow(self, slope: float, noisy: bool, of_x: bool) -> Tensor:
        """Whole feature maps, and gradients by autograd through everything, the statistics too."""
        x = self.x + self.noise * self.noise_scale[:, None, None] if noisy else self.x
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0) if of_x else (self.variance, self.mean)
        return dense.normalize_modulate(x, self.modulation(), mean, variance, EPS, slope)

    def modulation(self) -> Tensor:
        """[b, 2c, h, w]"""
        return self.rows[self.pixels.long()].permute(0, 3, 1, 2)


every_way = [
    pytest.mark.parametrize("slope", [1.0, 0.2]),
    pytest.mark.parametrize("noisy", [False, True]),
    pytest.mark.parametrize("of_x", [False, True]),
]


def in_every_way(test: Callable[..., None]) -> Callable[..., None]:
    """With and without activation and noise, with constant statistics and with those of x."""
    for mark in every_way:
        test = mark(test)
    return test


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 7 pixels: the 40 of a case are five of them and a shorter one."""
    monkeypatch.setattr(normalization, "_PIECE", 7 * CHANNELS + 1)


def test_by_hand() -> None:
    """Two channels, two pixels with rows of their own."""
    x, noise = torch.tensor([[[[5.0, 1.0]], [[0.0, 2.0]]]]), torch.tensor([[[[2.0, -1.0]]]])
    rows = torch.tensor([[1.0, 2.0, 10.0, 20.0], [0.0, 3.0, 0.5, -2.0]])
    mean, variance = torch.tensor([1.0, -1.0]), torch.tensor([3.0, 0.0])
    out = normalize_modulate(
        x,
        rows,
        torch.tensor([[[1, 0]]]),
        mean,
        variance,
        statistics_of_x=False,
        noise=noise,
        noise_scale=torch.tensor([3.0, 1.0]),
        eps=1.0,
        slope=0.5,
    )
    # with noise: 11, -2 and 2, 1; x_hat: 5, -1.5 and 3, 2; the left pixel has row 1, the right one row 0
    assert out.tolist() == [[[[5.5, 7.0]], [[10.0, 26.0]]]]
    below = normalize_modulate(x - 20, rows, torch.tensor([[[1, 0]]]), mean, variance, statistics_of_x=False, slope=0.5)
    above = normalize_modulate(x - 20, rows, torch.tensor([[[1, 0]]]), mean, variance, statistics_of_x=False)
    assert below[0, 0].max() < 0
    torch.testing.assert_close(below[0, 0], 0.5 * above[0, 0])


def test_statistics_by_hand() -> None:
    x = torch.tensor([1.0, 3.0, 5.0, 7.0, 2.0, 2.0, 2.0, 2.0]).view(2, 2, 2, 1).permute(1, 0, 2, 3)
    mean, variance = batch_statistics(x)
    assert (mean.tolist(), variance.tolist()) == ([4.0, 2.0], [5.0, 0.0])
    noise = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(2, 1, 2, 1)
    mean, variance = batch_statistics(x, noise, torch.tensor([0.0, 3.0]))
    assert (mean.tolist(), variance.tolist()) == ([4.0, 2.0], [5.0, 9.0])


@in_every_way
def test_equals_the_formula_on_whole_maps(slope: float, noisy: bool, of_x: bool) -> None:
    case = Case.draw()
    assert_same_with_gradients(
        lambda: case.fast(slope, noisy, of_x), lambda: case.slow(slope, noisy, of_x), case.inputs, tolerance=1e-12
    )


@in_every_way
@pytest.mark.usefixtures("small_pieces")
def test_many_pieces_equal_the_formula_on_whole_maps(slope: float, noisy: bool, of_x: bool) -> None:
    case = Case.draw()
    assert len(list(normalization._pieces(case.x.new_zeros(40, CHANNELS)))) == 6
    assert_same_with_gradients(
        lambda: case.fast(slope, noisy, of_x), lambda: case.slow(slope, noisy, of_x), case.inputs, tolerance=1e-12
    )


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6)),
    num_rows=st.integers(1, 9),
    piece=st.integers(1, 60),
    of_x=st.booleans(),
)
def test_any_shape_and_pieces_equal_the_formula(
    shape: tuple[int, int, int, int], num_rows: int, piece: int, of_x: bool
) -> None:
    """Single channels, rows and pixels are where memory formats are ambiguous. One value alone has no variance."""
    case = Case.draw(shape, num_rows)
    of_x = of_x and case.pixels.numel() > 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalization, "_PIECE", piece)
        assert_same_with_gradients(
            lambda: case.fast(0.2, True, of_x), lambda: case.slow(0.2, True, of_x), case.inputs, tolerance=1e-10
        )


@in_every_way
def test_gradients_by_finite_differences(slope: float, noisy: bool, of_x: bool) -> None:
    """Through the statistics too: every evaluation takes those of its x."""
    case = Case.draw((2, 2, 2, 3), num_rows=3)

    def function(x: Tensor, rows: Tensor, noise_scale: Tensor) -> Tensor:
        moved = Case(x, rows, case.pixels, case.noise, noise_scale, case.mean, case.variance)
        return moved.fast(slope, noisy, of_x)

    assert gradcheck(function, tuple(case.inputs))


def test_statistics_have_no_gradient_of_their_own() -> None:
    case = Case.draw()
    mean, variance = batch_statistics(case.x, case.noise, case.noise_scale)
    assert not mean.requires_grad and not variance.requires_grad


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.usefixtures("small_pieces")
def test_statistics_equal_those_of_torch(layout: torch.memory_format, noisy: bool) -> None:
    case = Case.draw()
    x = case.x.detach().contiguous(memory_format=layout)
    mean, variance = batch_statistics(x, case.noise if noisy else None, case.noise_scale)
    x = x + case.noise * case.noise_scale[:, None, None] if noisy else x
    expected_variance, expected_mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean, expected_mean, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(variance, expected_variance, atol=1e-12, rtol=1e-12)


def test_statistics_far_from_zero_keep_their_digits() -> None:
    """At 1e4 float32 has three decimals, and the square of the mean none: a one-pass formula gives any variance."""
    x = 1e4 + torch.randn(2, CHANNELS, 48, 48)
    assert x.square().mean(dim=(0, 2, 3)).sub(x.mean(dim=(0, 2, 3)).square()).sub(1).abs().max() > 0.5
    mean, variance = batch_statistics(x)
    expected_variance, expected_mean = torch.var_mean(x.double(), dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean.double(), expected_mean, atol=2e-3, rtol=0)
    torch.testing.assert_close(variance.double(), expected_variance, atol=1e-4, rtol=1e-4)


def test_gradients_far_from_zero_keep_their_digits() -> None:
    """The gradient of gamma takes x - mean, not x with a correction afterwards."""
    case = Case.draw()
    case.x = (case.x + 1e4).detach().requires_grad_()
    narrow = Case(*(value.float() if value.is_floating_point() else value for value in vars(case).values()))
    got, want = (torch.autograd.grad(c.fast(0.2, True, True).square().sum(), c.inputs) for c in (narrow, case))
    for grad, expected in zip(got, want, strict=True):
        assert (grad - expected).norm() < 5e-3 * expected.norm()


@pytest.mark.parametrize("slope", [1.0, 0.2])
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.usefixtures("small_pieces")
@torch.no_grad()
def test_folded_rows_equal_normalizing_first(slope: float, in_place: bool) -> None:
    case = Case.draw()
    expected = case.fast(slope, noisy=False, of_x=False)
    x = case.x.contiguous(memory_format=torch.channels_last)
    folded = folded_rows(case.rows, case.mean, case.variance, EPS)
    assert folded.shape == case.rows.shape
    before = x.clone()
    out = scale_shift_activate(x, folded, case.pixels, slope, out=x if in_place else None)
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=1e-12)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert (out.data_ptr() == x.data_ptr()) == in_place
    assert torch.equal(x, out if in_place else before)


def doubled_case() -> tuple[Case, Tensor, Tensor]:
    """A case, an activation of half its size, and that one doubled."""
    case = Case.draw((2, CHANNELS, 4, 10))
    small = torch.randn(2, CHANNELS, 2, 5, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    return case, small, F.interpolate(small, scale_factor=2, mode="nearest")


@pytest.mark.parametrize("slope", [1.0, 0.2])
@pytest.mark.usefixtures("small_pieces")
@torch.no_grad()
def test_a_smaller_activation_is_doubled_on_the_way(slope: float) -> None:
    case, small, large = doubled_case()
    got, want = (scale_shift_activate(x, case.rows, case.pixels, slope) for x in (small, large))
    assert got.shape == case.x.shape
    assert torch.equal(got, want)


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.usefixtures("small_pieces")
@torch.no_grad()
def test_projection_equals_a_convolution_of_the_whole_map(doubled: bool) -> None:
    case, small, large = doubled_case()
    weight = torch.randn(5, CHANNELS, dtype=torch.float64)
    got = scale_shift_project(small if doubled else large, case.rows, case.pixels, weight)
    want = F.conv2d(scale_shift_activate(large, case.rows, case.pixels), weight[:, :, None, None])
    torch.testing.assert_close(got, want, atol=1e-12, rtol=1e-12)
    assert got.is_contiguous(memory_format=torch.channels_last)


def test_folded_rows_by_hand() -> None:
    rows = folded_rows(torch.tensor([[1.0, 5.0]]), torch.tensor([3.0]), torch.tensor([0.15]), eps=0.1)
    # (x - 3) / 0.5 * 2 + 5
    torch.testing.assert_close(rows, torch.tensor([[4.0, -7.0]]))


@pytest.mark.parametrize("of_x", [False, True])
@pytest.mark.usefixtures("small_pieces")
def test_16_bit_activations_are_computed_on_in_float32(of_x: bool) -> None:
    """What comes out, and the gradient of x, is rounded once; what is summed over pixels is not."""
    case = Case.draw()
    for name in ("x", "noise"):
        setattr(case, name, getattr(case, name).detach().bfloat16())
    case.x.requires_grad_()
    for name in ("rows", "noise_scale", "mean", "variance"):
        setattr(case, name, getattr(case, name).detach().float().requires_grad_(name in ("rows", "noise_scale")))
    wide = Case(**{**vars(case), "x": case.x.detach().float().requires_grad_(), "noise": case.noise.float()})
    got, want = case.fast(0.2, True, of_x), wide.fast(0.2, True, of_x)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), want, atol=1e-3, rtol=2**-8)
    upstream = torch.randn(got.shape).bfloat16()
    pairs = zip(
        torch.autograd.grad(got, case.inputs, upstream),
        torch.autograd.grad(want, wide.inputs, upstream.float()),
        strict=True,
    )
    for grad, expected in pairs:
        assert (grad.float() - expected).norm() < 0.01 * expected.norm()
    assert [grad.dtype for grad in torch.autograd.grad(case.fast(0.2, True, of_x), case.inputs, upstream)] == [
        torch.bfloat16,
        torch.float32,
        torch.float32,
    ]


@pytest.mark.parametrize("of_x", [False, True])
def test_16_bit_rows_have_gradients(of_x: bool) -> None:
    """As those of a norm without style branch have under autocast."""
    case = Case.draw()
    case = Case(*(value.detach().float() if value.is_floating_point() else value for value in vars(case).values()))
    case.rows = case.rows.bfloat16()
    wide = Case(**{**vars(case), "rows": case.rows.float().requires_grad_()})
    case.rows.requires_grad_()
    got, want = case.fast(0.2, False, of_x), wide.fast(0.2, False, of_x)
    torch.testing.assert_close(got, want, atol=0.02, rtol=0.02)
    (grad,) = torch.autograd.grad(got.sum(), case.rows)
    (expected,) = torch.autograd.grad(want.sum(), wide.rows)
    torch.testing.assert_close(grad.float(), expected, atol=0.05, rtol=0.02)


@pytest.mark.parametrize("of_x", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_how_activation_and_gradient_lie_in_memory_does_not_matter(layout: torch.memory_format, of_x: bool) -> None:
    case = Case.draw()
    upstream = torch.randn(case.x.shape, dtype=torch.float64)
    expected = torch.autograd.grad(case.slow(0.2, True, of_x), case.inputs, upstream)
    case.x = case.x.detach().contiguous(memory_format=layout).requires_grad_()
    out = case.fast(0.2, True, of_x)
    assert out.is_contiguous(memory_format=torch.channels_last)
    for given_layout in (torch.contiguous_format, torch.channels_last):
        grads = torch.autograd.grad(
            out, case.inputs, upstream.contiguous(memory_format=given_layout), retain_graph=True
        )
        for grad, want in zip(grads, expected, strict=True):
            torch.testing.assert_close(grad, want, atol=1e-12, rtol=1e-12)
    # an expanded gradient, as that of a sum
    case.x = case.x.detach().requires_grad_()
    one = torch.autograd.grad(case.fast(0.2, True, of_x).sum(), case.inputs)
    for grad, want in zip(one, torch.autograd.grad(case.slow(0.2, True, of_x).sum(), case.inputs), strict=True):
        torch.testing.assert_close(grad, want, atol=1e-12, rtol=1e-12)


def test_the_input_is_left_as_it_is() -> None:
    case = Case.draw()
    before = [value.clone() for value in vars(case).values()]
    case.fast(0.2, True, True).sum().backward()
    assert all(torch.equal(one, other) for one, other in zip(vars(case).values(), before, strict=True))
