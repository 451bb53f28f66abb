"""Regions shifted to mean colours: by hand, by label and variant, at borders, and with gradients."""

import torch
from torch import Tensor

from sean.ops.color_matching import match_mean_colors
from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import Planner, plan_segmap

WINDOW = 5


def plan_of(segmap: Tensor, variants: Tensor | None = None) -> PatchPlan:
    return plan_segmap(segmap, variants, scales=(1,)).levels[-1]


def halves(height: int = 32, width: int = 64) -> Tensor:
    """Label 0 on the left, 1 on the right."""
    return (torch.arange(width) >= width // 2).long().expand(1, height, width)


def test_regions_get_their_colours_and_keep_their_texture() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 32, 64) * 0.4 - 0.2
    colors = torch.tensor([[[0.3, -0.5, 0.1], [0.0, 0.2, -0.3]]])
    matched = match_mean_colors(picture, plan_of(halves()), colors, torch.tensor([[True, True]]), WINDOW)
    inside = slice(WINDOW // 2, 32 - WINDOW // 2)
    for label, part in ((0, picture[..., :32]), (1, picture[..., 32:])):
        shift = colors[0, label] - part.mean(dim=(0, 2, 3))
        own = matched[..., 32 * label : 32 * label + 32]
        torch.testing.assert_close(own[..., inside], part[..., inside] + shift[:, None, None])


def test_a_label_without_a_colour_and_pixels_of_no_region_stay() -> None:
    picture = torch.linspace(-0.5, 0.5, 3 * 32 * 64).view(1, 3, 32, 64)
    segmap = halves().clone()
    segmap[:, :, 48:] = 2  # "no region" of a model with two
    colors, known = torch.full((1, 2, 3), 0.25), torch.tensor([[True, False]])
    matched = match_mean_colors(picture, plan_of(segmap), colors, known, WINDOW)
    assert torch.equal(matched[..., 32 + WINDOW :], picture[..., 32 + WINDOW :])
    assert (matched != picture)[..., :32].all()


def test_each_variant_and_sample_has_its_own_colours() -> None:
    segmap = torch.zeros(2, 32, 64, dtype=torch.long)
    variants = torch.stack([halves()[0], 2 + 0 * halves()[0]])
    colors = torch.tensor([[[0.1, 0.2, 0.3]], [[-0.1, 0.0, 0.5]], [[0.6, -0.6, 0.0]]])
    matched = match_mean_colors(
        torch.zeros(2, 3, 32, 64), plan_of(segmap, variants), colors, torch.ones(3, 1).bool(), WINDOW
    )
    torch.testing.assert_close(matched[0, :, 5, 5], colors[0, 0])
    torch.testing.assert_close(matched[0, :, 5, -5], colors[1, 0])
    torch.testing.assert_close(matched[1, :, 5, 5], colors[2, 0])


def test_a_variant_that_an_edit_has_removed_is_left_out() -> None:
    """The plan's numbering still has its regions."""
    segmap = torch.zeros(1, 32, 64, dtype=torch.long)
    planner = Planner(segmap, halves(), scales=(1,))
    planner.update(segmap, 0 * halves())
    colors = torch.tensor([[[0.1, 0.2, 0.3]]])
    plan = planner.plan.levels[-1]
    assert plan.regions.tolist() == [[0, 0], [1, 0]]
    matched = match_mean_colors(torch.zeros(1, 3, 32, 64), plan, colors, torch.tensor([[True]]), WINDOW)
    torch.testing.assert_close(matched, colors[0, 0].view(1, 3, 1, 1).expand_as(matched))


def test_shifts_are_averaged_across_a_border_of_regions() -> None:
    colors = torch.tensor([[[0.0] * 3, [1.0] * 3]])
    matched = match_mean_colors(
        torch.zeros(1, 3, 32, 64), plan_of(halves()), colors, torch.tensor([[True, True]]), WINDOW
    )
    expected = torch.tensor([0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    torch.testing.assert_close(matched[0, 0, 0, 28:36], expected)
    torch.testing.assert_close(matched[0, 2, 31, 28:36], expected)


def test_values_are_clipped() -> None:
    picture = torch.where(halves().unsqueeze(1) == 1, 0.9, -0.9).expand(1, 3, 32, 64)
    plan = plan_of(torch.zeros(1, 32, 64, dtype=torch.long))
    matched = match_mean_colors(picture, plan, torch.full((1, 1, 3), 0.5), torch.tensor([[True]]), WINDOW)
    assert matched.max() == 1
    torch.testing.assert_close(matched.min(), torch.tensor(-0.4))


def test_means_of_a_large_region_are_exact() -> None:
    picture = torch.full((1, 3, 512, 512), 0.1)
    plan = plan_of(torch.zeros(1, 512, 512, dtype=torch.long))
    matched = match_mean_colors(picture, plan, torch.full((1, 1, 3), 0.1), torch.tensor([[True]]), WINDOW)
    torch.testing.assert_close(matched, picture, rtol=0, atol=1e-7)


def test_gradients() -> None:
    torch.manual_seed(0)
    picture = (torch.rand(1, 3, 32, 32, dtype=torch.float64) * 0.2).requires_grad_()
    colors = torch.rand(1, 2, 3, dtype=torch.float64).mul(0.2).requires_grad_()
    plan, known = plan_of(halves(32, 32)), torch.tensor([[True, False]])
    weights = torch.rand(1, 3, 32, 32, dtype=torch.float64)

    def loss(picture: Tensor, colors: Tensor) -> Tensor:
        return (match_mean_colors(picture, plan, colors, known, WINDOW) * weights).sum()

    assert torch.autograd.gradcheck(loss, (picture, colors), fast_mode=True)


def test_sixteen_bits_are_matched_in_thirty_two() -> None:
    picture = torch.full((1, 3, 32, 64), 0.3, dtype=torch.bfloat16)
    plan = plan_of(halves())
    matched = match_mean_colors(picture, plan, torch.full((1, 2, 3), 0.123), torch.ones(1, 2).bool(), WINDOW)
    assert matched.dtype == torch.float32
    torch.testing.assert_close(matched, torch.full_like(matched, 0.123))
