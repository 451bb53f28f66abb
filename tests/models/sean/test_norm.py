"""The SEAN norm and ResBlk: by hand, against the dense formulation, and what may depend on what."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from sean.models.sean.norm import SEANNorm, SEANResBlk
from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import plan_segmap

from ...ops.reference import assert_same_with_gradients, onehot, randn, segmaps
from .. import reference
from ..reference import randomize, relabel, relabelled

STYLE_DIM = 4


def make_norm(num_regions: int, channels: int = 3, style_dim: int | None = STYLE_DIM) -> SEANNorm:
    return randomize(SEANNorm(channels, num_regions, style_dim, mask_dim=5))


def plan_of(segmap: Tensor) -> PatchPlan:
    """The plan of a segmap at its own size."""
    return plan_segmap(segmap, scales=(1,)).levels[0]


def maps(rows: Tensor, ids: Tensor, plan: PatchPlan) -> Tensor:
    """[b, o, h, w]: the rows of a branch, one for every pair of patches by `ids`, at the pixels of these pairs."""
    return rows[ids][plan.pixels].permute(0, 3, 1, 2)


@torch.no_grad()
def test_by_hand() -> None:
    """One pixel of label 1, one channel, a style of one number."""
    norm = SEANNorm(1, num_regions=2, style_dim=1, mask_dim=1).double().eval()
    for parameter in norm.parameters():
        parameter.zero_()
    norm.norm.running_mean.fill_(1)
    norm.norm.running_var.fill_(4 - 1e-5)
    norm.style.region_weight[1] = 2
    norm.style.region_bias[1] = -1
    norm.style.weight[:, 0, 1, 1] = torch.tensor([0.1, -0.2])
    norm.style.bias[:] = torch.tensor([0.5, 0.25])
    norm.mask.hidden.weight[0, 1, 1, 1] = 2
    norm.mask.hidden.bias[:] = -1
    norm.mask.gamma_beta.weight[:, 0, 1, 1] = torch.tensor([3.0, -1.0])
    norm.mask.gamma_beta.bias[:] = torch.tensor([0.5, 0.0])
    norm.blend[:] = torch.tensor([math.log(1 / 3), math.log(3)])  # alphas 1/4 and 3/4
    norm.noise_scale[:] = 10
    codes = torch.tensor([[[100.0], [3.0]]], dtype=torch.float64)
    output = norm(torch.full((1, 1, 1, 1), 5.0).double(), plan_of(torch.tensor([[[1]]])), codes)
    # mu = 2*3 - 1 = 5; gamma_s = 1, beta_s = -0.75; hidden 1, gamma_o = 3.5, beta_o = -1; x_hat = (5 - 1) / 2
    gamma, beta = 0.25 * 1 + 0.75 * 3.5, 0.75 * -0.75 + 0.25 * -1
    assert output.item() == pytest.approx(2 * (1 + gamma) + beta, abs=1e-6)
    assert output.item() == pytest.approx(6.9375, abs=1e-6)


@given(
    case=segmaps(),
    training=st.booleans(),
    styled=st.booleans(),
    noisy=st.booleans(),
    slope=st.sampled_from([1.0, 0.2]),
)
def test_norm_equals_the_dense_formulation(
    case: tuple[Tensor, int], training: bool, styled: bool, noisy: bool, slope: float
) -> None:
    segmap, k = case
    assume(segmap.numel() > 3)
    norm = make_norm(k, style_dim=STYLE_DIM if styled else None).train(training)
    norm.norm.momentum = 0.0  # the second of two runs sees the same statistics
    x, codes = randn(len(segmap), 3, *segmap.shape[1:]), randn(len(segmap), k, STYLE_DIM)
    noise = torch.randn(len(segmap), 1, *segmap.shape[1:], dtype=torch.float64) if noisy else None
    draw_noise = (lambda _x: noise) if noisy else None
    assert_same_with_gradients(
        lambda: norm(x, plan_of(segmap), codes if styled else None, draw_noise, slope),
        lambda: F.leaky_relu(reference.sean_norm(norm, x, segmap, codes, noise), slope),
        [x, codes, *norm.parameters()],
    )


@settings(max_examples=10)
@given(case=segmaps(max_size=5), widths=st.sampled_from([(3, 3), (4, 2), (2, 5)]), styled=st.booleans())
def test_resblk_equals_the_dense_formulation(case: tuple[Tensor, int], widths: tuple[int, int], styled: bool) -> None:
    segmap, k = case
    block = randomize(
        SEANResBlk(*widths, partial(SEANNorm, num_regions=k, style_dim=STYLE_DIM if styled else None, mask_dim=5))
    )
    x, codes = randn(len(segmap), widths[0], *segmap.shape[1:]), randn(len(segmap), k, STYLE_DIM)
    assert_same_with_gradients(
        lambda: block(x, plan_of(segmap), codes if styled else None),
        lambda: reference.sean_resblk(block, x, segmap, codes),
        [x, codes, *block.parameters()],
    )


def test_many_labels() -> None:
    k = 150
    norm, segmap = make_norm(k), torch.randint(k + 1, (2, 12, 7))
    x, codes = randn(2, 3, 12, 7), randn(2, k, STYLE_DIM)
    assert_same_with_gradients(
        lambda: norm(x, plan_of(segmap), codes),
        lambda: reference.sean_norm(norm, x, segmap, codes),
        [x, codes, *norm.parameters()],
    )


@given(case=segmaps())
def test_style_of_an_absent_region_changes_nothing(case: tuple[Tensor, int]) -> None:
    segmap, k = case
    norm, codes = make_norm(k), torch.randn(len(segmap), k, STYLE_DIM, dtype=torch.float64)
    absent = ~onehot(segmap, k).any(dim=(2, 3))
    other = torch.where(absent[..., None], torch.randn_like(codes), codes)
    x = torch.randn(len(segmap), 3, *segmap.shape[1:], dtype=torch.float64)
    assert torch.equal(norm(x, plan_of(segmap), codes), norm(x, plan_of(segmap), other))


@given(case=segmaps())
def test_style_of_a_region_reaches_one_pixel_beyond_it(case: tuple[Tensor, int]) -> None:
    segmap, k = case
    norm, codes = make_norm(k), torch.randn(len(segmap), k, STYLE_DIM, dtype=torch.float64)
    norm.style.region_bias.data.fill_(100)  # no ReLU hides the change
    region = k // 2
    other = codes.clone()
    other[:, region] += 10 * torch.randn(STYLE_DIM, dtype=torch.float64)
    x = torch.randn(len(segmap), 3, *segmap.shape[1:], dtype=torch.float64)
    plan, inside = plan_of(segmap), onehot(segmap, k)[:, region]
    difference = (norm(x, plan, codes) - norm(x, plan, other)).abs().sum(dim=1)
    near = F.max_pool2d(inside, 3, stride=1, padding=1) > 0
    assert not difference[~near].any()
    assert (difference[inside > 0] > 0).all()


@given(case=segmaps(), seed=st.integers(0, 1000))
def test_relabelling_labels_and_weights_together_changes_nothing(case: tuple[Tensor, int], seed: int) -> None:
    segmap, k = case
    norm, renamed = make_norm(k), make_norm(k)
    permutation = torch.randperm(k, generator=torch.Generator().manual_seed(seed))
    renamed.load_state_dict(relabelled(norm, permutation))
    x = torch.randn(len(segmap), 3, *segmap.shape[1:], dtype=torch.float64)
    codes = torch.randn(len(segmap), k, STYLE_DIM, dtype=torch.float64)
    torch.testing.assert_close(
        renamed(x, plan_of(relabel(segmap, permutation)), codes[:, permutation.argsort()]),
        norm(x, plan_of(segmap), codes),
        atol=1e-12,
        rtol=1e-12,
    )


def test_pixels_of_no_region_get_the_biases_only() -> None:
    norm = make_norm(2, style_dim=STYLE_DIM)
    x, codes = torch.randn(1, 3, 2, 2).double(), torch.randn(1, 2, STYLE_DIM).double()
    plan = plan_of(torch.full((1, 2, 2), 2))
    assert torch.equal(norm(x, plan, codes), norm(x, plan, 5 * codes))
    with torch.no_grad():
        norm.blend.fill_(100)  # style alone
    gamma, beta = norm.style.bias.chunk(2)
    expected = norm.norm(x) * (1 + gamma[:, None, None]) + beta[:, None, None]
    torch.testing.assert_close(norm(x, plan, codes), expected)


@torch.no_grad()
def test_alphas_blend_between_mask_and_style() -> None:
    norm, segmap = make_norm(2), torch.tensor([[[0, 1], [1, 0]]])
    plan, codes = plan_of(segmap), torch.randn(1, 2, STYLE_DIM).double()
    x = torch.randn(1, 3, 2, 2).double()
    norm.blend[:] = torch.tensor([200.0, -200.0])  # gamma from the style, beta from the mask
    gamma = maps(norm.style(plan, codes), plan.region_rows, plan)[:, :3]
    beta = maps(norm.mask(plan), plan.mask_rows, plan)[:, 3:]
    torch.testing.assert_close(norm(x, plan, codes), norm.norm(x) * (1 + gamma) + beta)


@torch.no_grad()
def test_noise_is_one_value_per_pixel_scaled_per_channel() -> None:
    norm = make_norm(2, style_dim=None)
    norm.noise_scale[:] = torch.tensor([0.0, 1.0, -2.0])
    x, plan = torch.randn(1, 3, 2, 2).double(), plan_of(torch.tensor([[[0, 1], [1, 0]]]))
    noise = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double()
    shifted = x + torch.stack([0 * noise, noise, -2 * noise])
    torch.testing.assert_close(norm(x, plan, None, lambda _x: noise[None, None]), norm(shifted, plan))


def test_new_norm_has_even_blend_and_no_noise() -> None:
    norm = SEANNorm(3, num_regions=2, style_dim=STYLE_DIM, mask_dim=5)
    assert torch.sigmoid(norm.blend).tolist() == [0.5, 0.5]
    assert not norm.noise_scale.any()


@torch.no_grad()
def test_training_uses_the_statistics_of_the_batch_and_remembers_them() -> None:
    norm = make_norm(2, style_dim=None).train()
    for parameter in norm.parameters():
        parameter.zero_()  # gamma = beta = 0
    norm.norm.reset_running_stats()
    x = 3 + 2 * torch.randn(4, 3, 5, 5).double()
    output = norm(x, plan_of(torch.zeros(4, 5, 5, dtype=torch.long)))
    torch.testing.assert_close(output.mean(dim=(0, 2, 3)), torch.zeros(3).double())
    torch.testing.assert_close(output.var(dim=(0, 2, 3), unbiased=False), torch.ones(3).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(norm.norm.running_mean, 0.1 * x.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.norm.running_var, 0.9 + 0.1 * x.var(dim=(0, 2, 3)))


def test_a_styled_norm_insists_on_codes() -> None:
    with pytest.raises(AssertionError, match="style codes"):
        make_norm(2)(torch.randn(1, 3, 2, 2).double(), plan_of(torch.zeros(1, 2, 2, dtype=torch.long)))


def test_resblk_shortcut_is_the_identity_where_widths_agree() -> None:
    block = randomize(SEANResBlk(3, 3, partial(SEANNorm, num_regions=2, style_dim=STYLE_DIM, mask_dim=5)))
    assert block.norm_shortcut is None
    assert not [key for key in block.state_dict() if "shortcut" in key]
    with torch.no_grad():
        block.conv_1.parametrizations.weight.original.mul_(-1)
        block.conv_1.parametrizations.weight[0].u.fill_(1e12)  # sigma is huge: the main path adds its bias alone
        block.conv_1.bias.zero_()
    x = torch.randn(1, 3, 4, 4).double()
    output = block(x, plan_of(torch.randint(2, (1, 4, 4))), torch.randn(1, 2, STYLE_DIM).double())
    torch.testing.assert_close(output, x, atol=1e-6, rtol=0)


def test_resblk_has_spectral_norm_on_its_convolutions_only() -> None:
    block = SEANResBlk(4, 6, partial(SEANNorm, num_regions=2, style_dim=STYLE_DIM, mask_dim=5))
    normed = {key.split(".parametrizations")[0] for key in block.state_dict() if "parametrizations" in key}
    assert normed == {"conv_0", "conv_1", "conv_shortcut"}
    assert block.conv_0.out_channels == 4  # min(4, 6)
    assert block.conv_shortcut.bias is None
    assert block.conv_shortcut.kernel_size == (1, 1)


@torch.no_grad()
def test_a_norm_without_mask_branch_is_one_with_all_weight_on_the_style() -> None:
    full = make_norm(2)
    full.blend.fill_(200)
    bare = SEANNorm(3, num_regions=2, style_dim=STYLE_DIM, mask_dim=5, mask_branch=False).double().eval()
    missing, unexpected = bare.load_state_dict(full.state_dict(), strict=False)
    assert not missing and all(key.startswith(("mask.", "blend")) for key in unexpected)
    x, codes, plan = torch.randn(1, 3, 4, 6).double(), randn(1, 2, STYLE_DIM), plan_of(torch.randint(3, (1, 4, 6)))
    torch.testing.assert_close(bare(x, plan, codes), full(x, plan, codes))


@torch.no_grad()
def test_a_norm_without_noise_draws_none() -> None:
    quiet = randomize(SEANNorm(3, num_regions=2, style_dim=None, mask_dim=5, noise=False))
    assert quiet.noise_scale is None
    x, plan = torch.randn(1, 3, 2, 2).double(), plan_of(torch.tensor([[[0, 1], [1, 0]]]))
    drawn: list[Tensor] = []
    assert torch.equal(quiet(x, plan, None, drawn.append), quiet(x, plan))
    assert not drawn


def test_a_norm_without_any_branch_is_none() -> None:
    with pytest.raises(AssertionError, match="without any branch"):
        SEANNorm(3, num_regions=2, style_dim=None, mask_dim=5, mask_branch=False)
