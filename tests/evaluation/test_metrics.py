"""PSNR, RMSE, SSIM and the flat-colour baseline: by hand, and SSIM against a slow one."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from sean.evaluation.metrics import confusion_matrix, flat_colors, psnr, rmse, segmentation_scores, ssim


def mirror(index: int, size: int) -> int:
    """An index beyond the border, reflected without repeating the border itself."""
    return -index if index < 0 else 2 * (size - 1) - index if index >= size else index


def ssim_window_by_window(fake: Tensor, real: Tensor) -> float:
    """Wang et al. 2004 on two planes [h, w] in [0, 1]: an 11 x 11 Gaussian window at every pixel, mirrored borders."""
    offsets = torch.arange(11, dtype=torch.float64) - 5
    gaussian = torch.exp(-(offsets**2) / (2 * 1.5**2))
    weights = torch.outer(gaussian, gaussian)
    weights = weights / weights.sum()
    c1, c2 = 0.01**2, 0.03**2
    height, width = fake.shape
    values = []
    for row in range(height):
        for column in range(width):
            rows = [mirror(row + offset, height) for offset in range(-5, 6)]
            columns = [mirror(column + offset, width) for offset in range(-5, 6)]
            x, y = (plane[rows][:, columns] for plane in (fake, real))
            mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
            variance_x, variance_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
            covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
            likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
            values.append(likeness / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)))
    return torch.stack(values).mean().item()


def test_scikit_image_agrees() -> None:
    """Its SSIM leaves out a border of 5 pixels, so it gets the pictures with the mirrored border that ours has."""
    real = torch.rand(2, 3, 40, 48, dtype=torch.float64) * 2 - 1
    fake = (0.7 * real + 0.3 * torch.randn(2, 3, 40, 48)).clamp(-1, 1)
    levels = [((pictures + 1) / 2).permute(0, 2, 3, 1).numpy() for pictures in (fake, real)]
    for index, pair in enumerate(zip(*levels, strict=True)):
        bordered = [np.pad(picture, ((5, 5), (5, 5), (0, 0)), mode="reflect") for picture in pair]
        wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        expected = structural_similarity(*bordered, data_range=1.0, channel_axis=2, **wang)
        assert ssim(fake, real)[index].item() == pytest.approx(expected, abs=1e-4)
        expected = peak_signal_noise_ratio(pair[1], pair[0], data_range=1.0)
        assert psnr(fake, real)[index].item() == pytest.approx(expected, abs=1e-4)
        assert rmse(fake, real)[index].item() == pytest.approx(mean_squared_error(*pair) ** 0.5, abs=1e-4)


def test_rmse_by_hand() -> None:
    """Pictures in [-1, 1] are twice as far apart as on [0, 1]."""
    real = torch.zeros(3, 3, 2, 2)
    fake = real.clone()
    fake[1] = 0.5
    fake[2, 0] = 1.0
    torch.testing.assert_close(rmse(fake, real), torch.tensor([0.0, 0.25, math.sqrt(0.25 / 3)]))
    assert rmse(torch.ones(1, 3, 2, 2), -torch.ones(1, 3, 2, 2)).item() == 1


def test_psnr_by_hand() -> None:
    real = torch.zeros(2, 3, 4, 4)
    fake = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), -0.02)])
    # 20 log10(2 / 0.2) and 20 log10(2 / 0.02)
    torch.testing.assert_close(psnr(fake, real), torch.tensor([20.0, 40.0]))
    assert psnr(real, real).tolist() == [math.inf, math.inf]


def test_metrics_are_per_picture() -> None:
    fake, real = torch.rand(3, 3, 16, 16) * 2 - 1, torch.rand(3, 3, 16, 16) * 2 - 1
    for metric in (rmse, psnr, ssim):
        values = metric(fake, real)
        assert values.shape == (3,)
        alone = torch.cat([metric(fake[i : i + 1], real[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(values, alone)


def test_ssim_equals_a_slow_one() -> None:
    real = torch.rand(2, 3, 9, 12, dtype=torch.float64) * 2 - 1
    fake = (real + 0.5 * torch.randn(2, 3, 9, 12)).clamp(-1, 1)
    expected = [
        sum(ssim_window_by_window((f + 1) / 2, (r + 1) / 2) for f, r in zip(*pair, strict=True)) / 3
        for pair in zip(fake, real, strict=True)
    ]
    assert ssim(fake, real).tolist() == pytest.approx(expected, abs=1e-6)
    assert ssim(fake.float(), real.float()).tolist() == pytest.approx(expected, abs=1e-4)
    assert max(expected) < 0.9


def test_ssim_by_hand() -> None:
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    assert ssim(image, image).item() == pytest.approx(1, abs=1e-6)
    # flat pictures of 0.25 and 0.75 on [0, 1]: the contrast term is 1
    flat = torch.full((1, 3, 16, 16), 0.5, dtype=torch.float64)
    c1 = 0.01**2
    assert ssim(-flat, flat).item() == pytest.approx((2 * 0.25 * 0.75 + c1) / (0.25**2 + 0.75**2 + c1), abs=1e-6)


def test_flat_colors_by_hand() -> None:
    """Two pixels of label 0, one of label 1, two of no region, which have a colour of their own."""
    segmap = torch.tensor([[[0, 1, 0, 3, 3]]])
    red = torch.tensor([0.2, 0.9, 0.4, -1.0, 0.0])
    image = torch.stack([red, -red, red / 2])[None, :, None, :]
    flat = torch.tensor([0.3, 0.9, 0.3, -0.5, -0.5])
    expected = torch.stack([flat, -flat, flat / 2])[None, :, None, :]
    torch.testing.assert_close(flat_colors(image, segmap, num_regions=3), expected)


def test_flat_colors_of_each_picture() -> None:
    image = torch.rand(2, 3, 4, 6)
    flat = flat_colors(image, torch.zeros(2, 4, 6, dtype=torch.long), num_regions=2)
    torch.testing.assert_close(flat, image.mean(dim=(2, 3), keepdim=True).expand_as(image))


def test_no_other_flat_picture_is_nearer() -> None:
    """The mean is the best that one colour per region can do, by PSNR."""
    image, segmap = torch.rand(1, 3, 8, 8), torch.randint(3, (1, 8, 8))
    best = psnr(flat_colors(image, segmap, 2), image)
    other = flat_colors(image + 0.1 * torch.randn(1, 3, 8, 8), segmap, 2)
    assert psnr(other, image) < best


NAMES = ("a", "b", "c", "d")
TRUTH = torch.tensor([[[0, 0, 0, 1], [1, 1, 4, -1]], [[0, 0, 1, 1], [4, 255, 1, 1]]])
PREDICTED = torch.tensor([[[0, 0, 1, 1], [1, 4, 0, 1]], [[0, 2, 1, 1], [2, 3, 1, 1]]])
# Counted are 12 pixels: of a 3 right, 1 as b, 1 as c; of b 6 right, 1 as none of the labels.


def test_worked_example() -> None:
    confusion = confusion_matrix(PREDICTED, TRUTH, 4)
    expected = torch.zeros(4, 5, dtype=torch.int64)
    expected[0, :3] = torch.tensor([3, 1, 1])
    expected[1, 1], expected[1, 4] = 6, 1
    assert torch.equal(confusion, expected)
    scores = segmentation_scores(confusion, NAMES)
    # c occurs in the prediction only and counts as 0; d occurs where the truth is ignored, so not at all
    assert scores["iou"] == {"a": pytest.approx(3 / 5), "b": pytest.approx(6 / 8), "c": 0.0, "d": None}
    assert scores["miou"] == pytest.approx((3 / 5 + 6 / 8 + 0) / 3)
    assert scores["accuracy"] == pytest.approx(9 / 12)
    assert scores["pixels"] == 12


def test_matrices_add_up() -> None:
    parts = [confusion_matrix(PREDICTED[i : i + 1], TRUTH[i : i + 1], 4) for i in range(2)]
    assert torch.equal(parts[0] + parts[1], confusion_matrix(PREDICTED, TRUTH, 4))


def test_perfect_and_empty() -> None:
    truth = torch.tensor([[[0, 1], [4, 2]]])
    scores = segmentation_scores(confusion_matrix(truth, truth, 4), NAMES)
    assert (scores["miou"], scores["accuracy"], scores["pixels"]) == (1.0, 1.0, 3)
    nothing = segmentation_scores(confusion_matrix(truth, torch.full_like(truth, 4), 4), NAMES)
    assert (nothing["miou"], nothing["accuracy"], nothing["pixels"]) == (None, None, 0)
    assert set(nothing["iou"].values()) == {None}
