"""Packed weights: the module's convolutions, and the norm's rows with statistics and blending folded in."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.inference.packing import PackedConv, PackedNorm
from sean.models.layers import spectral_conv
from sean.models.sean.norm import SEANNorm
from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import plan_segmap

from ..models.reference import randomize
from ..ops.reference import folded_rows
from .conftest import STYLE_DIM, Made, make_codes

CONVOLUTIONS: dict[str, Callable[[], nn.Conv2d]] = {
    "3x3": lambda: nn.Conv2d(5, 7, 3, padding=1),
    "1x1": lambda: nn.Conv2d(5, 7, 1),
    "3x3 with spectral norm": lambda: spectral_conv(5, 7, 3, padding=1),
    "1x1 with spectral norm, without bias": lambda: spectral_conv(5, 7, 1, bias=False),
    "one channel": lambda: spectral_conv(1, 1, 3, padding=1),
}


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (16, 16), (4, 64), (16, 17), (24, 20)])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_equals_the_convolution(name: str, size: tuple[int, int]) -> None:
    conv = randomize(CONVOLUTIONS[name]())
    x = torch.randn(2, conv.in_channels, *size, dtype=torch.float64)
    out = PackedConv(conv)(channels_last(x))
    torch.testing.assert_close(out, conv(x), atol=1e-12, rtol=0)
    assert out.is_contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def test_the_spectral_norm_is_that_of_the_moment_and_training_does_not_move_it() -> None:
    conv = randomize(spectral_conv(4, 4, 3, padding=1))
    parts = conv.parametrizations.weight
    x, sigma = torch.randn(1, 4, 20, 20, dtype=torch.float64), torch.linalg.svdvals(parts.original.flatten(1))[0]
    expected = F.conv2d(x, parts.original / sigma, conv.bias, padding=1)
    torch.testing.assert_close(PackedConv(conv)(channels_last(x)), expected, atol=1e-6, rtol=0)
    kept = parts[0].u.clone()
    PackedConv(conv)
    assert torch.equal(parts[0].u, kept)


MAPS: dict[str, tuple[int, Callable[[], Tensor]]] = {
    "flat": (4, lambda: torch.zeros(1, 8, 8, dtype=torch.long)),
    "noise with pixels of no region": (3, lambda: torch.randint(4, (2, 9, 8))),
    "dense": (4, lambda: torch.randint(5, (1, 40, 40))),
    "many labels": (150, lambda: torch.randint(151, (1, 8, 16))),
}


def make_norm(num_regions: int, style_dim: int | None = STYLE_DIM) -> SEANNorm:
    return randomize(SEANNorm(6, num_regions, style_dim, mask_dim=5))


def plan_of(segmap: Tensor, variants: Tensor | None = None) -> PatchPlan:
    return plan_segmap(segmap, variants, scales=(1,)).levels[0]


def folded(norm: SEANNorm, plan: PatchPlan, codes: Tensor | None) -> Tensor:
    return folded_rows(norm.modulation(plan, codes)[0], norm.norm.running_mean, norm.norm.running_var, norm.norm.eps)


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_rows_are_the_folded_rows_of_the_norm(name: str) -> None:
    k, make = MAPS[name]
    segmap = make()
    norm, plan, codes = make_norm(k), plan_of(segmap), make_codes(k, len(segmap))
    assert plan.is_dense == (name == "dense")
    packed = PackedNorm(norm)
    rows = packed.mask_part(plan) + packed.style_part(plan, packed.new_table(codes), codes)
    torch.testing.assert_close(rows, folded(norm, plan, codes), atol=1e-12, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_rows_of_a_norm_without_styles_are_its_mask_part(name: str) -> None:
    k, make = MAPS[name]
    norm, plan = make_norm(k, style_dim=None), plan_of(make())
    torch.testing.assert_close(PackedNorm(norm).mask_part(plan), folded(norm, plan, None), atol=1e-12, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("style_dim", [STYLE_DIM, None])
def test_rows_with_instance_edges_are_the_folded_rows_of_the_norm(style_dim: int | None) -> None:
    norm = randomize(SEANNorm(6, 3, style_dim, mask_dim=5, instance_edges=True))
    segmap, codes = torch.randint(4, (2, 9, 12)), make_codes(3, 2)
    plan = plan_segmap(segmap, scales=(1,), edges=torch.rand(segmap.shape) < 0.4).levels[0]
    packed = PackedNorm(norm)
    rows = packed.mask_part(plan)
    if style_dim is not None:
        rows = rows + packed.style_part(plan, packed.new_table(codes), codes)
    torch.testing.assert_close(rows, folded(norm, plan, codes), atol=1e-12, rtol=0)


@torch.no_grad()
def test_a_table_is_filled_region_by_region(made: Made) -> None:
    """Regions are labels of variants; each enters once, whichever plan it comes with."""
    norm, codes = make_norm(4), make_codes(4, variants=2)
    packed = PackedNorm(norm)
    table, halves = packed.new_table(codes), torch.zeros(1, 8, 8, dtype=torch.long)
    halves[:, :, 4:] = 1
    maps = [
        (torch.full((1, 8, 8), 2), halves * 0, 1),
        (2 * halves, halves, 2),
        (2 * halves, halves, 0),
        (1 - halves, halves * 0, 1),
        (torch.full((1, 8, 8), 4), halves, 0),
        (3 * halves, 1 - halves, 2),
        (torch.randint(5, (1, 8, 8)), torch.randint(2, (1, 8, 8)), 2),
    ]
    for segmap, variants, missing in maps:
        plan = plan_of(segmap, variants)
        rows = packed.mask_part(plan) + packed.style_part(plan, table, codes)
        torch.testing.assert_close(rows, folded(norm, plan, codes), atol=1e-12, rtol=0)
        assert made.look()[2] == missing
    assert table.known.all()
    assert table.products.shape == (9, 1 + 2 * 4, 2 * 6)


@torch.no_grad()
def test_as_many_regions_as_labels_but_not_one_of_each() -> None:
    norm, codes = make_norm(4), make_codes(4, variants=2)
    segmap, variants = torch.tensor([[[0, 1, 1, 3]]]), torch.tensor([[[0, 0, 1, 1]]])
    plan, packed = plan_of(segmap, variants), PackedNorm(norm)
    rows = packed.mask_part(plan) + packed.style_part(plan, packed.new_table(codes), codes)
    torch.testing.assert_close(rows, folded(norm, plan, codes), atol=1e-12, rtol=0)


@torch.no_grad()
def test_a_tail_gives_the_last_rows() -> None:
    norm, codes = make_norm(3), make_codes(3)
    plan, packed = plan_of(torch.randint(4, (1, 12, 9))), PackedNorm(norm)
    whole = packed.mask_part(plan) + packed.style_part(plan, packed.new_table(codes), codes)
    for start in (0, 1, plan.num_rows // 2, plan.num_rows - 1):
        tail = plan.tail(start)
        rows = packed.mask_part(tail) + packed.style_part(tail, packed.new_table(codes), codes)
        torch.testing.assert_close(rows, whole[start:], atol=1e-12, rtol=0)


@torch.no_grad()
def test_noise_scale_that_is_all_zero_is_none() -> None:
    norm = make_norm(3)
    assert torch.equal(PackedNorm(norm).noise_scale, norm.noise_scale)
    norm.noise_scale[1:] = 0
    assert PackedNorm(norm).noise_scale is not None
    norm.noise_scale[0] = 0
    assert PackedNorm(norm).noise_scale is None


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_rows_of_a_norm_without_mask_branch_are_its_style_part(name: str) -> None:
    """The constants, which elsewhere are the mask part's, are there all the same."""
    k, make = MAPS[name]
    segmap = make()
    norm = randomize(SEANNorm(6, k, STYLE_DIM, mask_dim=5, mask_branch=False))
    plan, codes, packed = plan_of(segmap), make_codes(k, len(segmap)), PackedNorm(norm)
    constants = packed.mask_part(plan)
    assert constants.shape == (plan.num_rows, 12) and torch.equal(constants, constants[:1].expand_as(constants))
    rows = constants + packed.style_part(plan, packed.new_table(codes), codes)
    torch.testing.assert_close(rows, folded(norm, plan, codes), atol=1e-12, rtol=0)


@torch.no_grad()
def test_rows_are_of_the_norms_own_columns() -> None:
    norm = randomize(SEANNorm(6, 4, STYLE_DIM, mask_dim=5, columns=slice(STYLE_DIM, 2 * STYLE_DIM)))
    plan, packed = plan_of(torch.randint(5, (2, 9, 8))), PackedNorm(norm)
    codes = torch.cat([make_codes(4, 2) for _ in range(3)], dim=-1)
    rows = packed.mask_part(plan) + packed.style_part(plan, packed.new_table(codes), codes)
    torch.testing.assert_close(rows, folded(norm, plan, codes), atol=1e-12, rtol=0)
    codes[..., :STYLE_DIM] += 1
    codes[..., 2 * STYLE_DIM :] += 1
    same = packed.mask_part(plan) + packed.style_part(plan, packed.new_table(codes), codes)
    assert torch.equal(same, rows)


def test_a_norm_without_noise_has_none() -> None:
    assert PackedNorm(randomize(SEANNorm(6, 4, STYLE_DIM, mask_dim=5, noise=False))).noise_scale is None
