import numpy as np
import pytest
from scipy import ndimage

from sean.evaluation.edit_metrics import detail_kept, leakage, region_error, seam_visibility

REGION = np.zeros((64, 64), bool)
REGION[16:48, 16:48] = True


@pytest.fixture
def photo(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(120, 12, (64, 64, 3)).round().clip(0, 255).astype(np.uint8)


def test_errors_are_of_the_region_and_on_0_to_1(photo: np.ndarray) -> None:
    edited = photo.copy()
    edited[REGION] += 51
    assert region_error(edited, photo, REGION) == pytest.approx(0.2)
    assert region_error(edited, photo, ~REGION) == leakage(edited, photo, REGION) == 0
    assert leakage(edited, photo, ~REGION) == pytest.approx(0.2)
    assert region_error(edited, photo, REGION & False) == 0
    inner = np.zeros_like(REGION)
    inner[20:44, 20:44] = True
    assert leakage(edited, photo, inner) > 0 == leakage(edited, photo, inner, margin=8)


def test_a_blur_loses_detail_and_another_colour_does_not(photo: np.ndarray) -> None:
    assert detail_kept(photo + 40, photo, REGION) == pytest.approx(1, abs=1e-6)
    blurred = ndimage.gaussian_filter(photo, (2, 2, 0))
    half = (photo // 2 + 60).astype(np.uint8)
    assert (detail_kept(blurred, photo, REGION) or 1) < 0.4
    assert detail_kept(half, photo, REGION) == pytest.approx(0.5, abs=0.05)
    assert detail_kept(photo, np.full_like(photo, 9), REGION) is None
    assert detail_kept(photo, photo, REGION & (np.arange(64) < 18)) is None


def test_a_hard_border_is_seen_as_one(photo: np.ndarray) -> None:
    hard = photo.copy()
    hard[REGION] += 60
    weight = ndimage.gaussian_filter(REGION.astype(float), 8)[..., None]
    soft = (photo + 60 * weight).astype(np.uint8)
    assert seam_visibility(photo, photo, REGION) == pytest.approx(1)
    assert (seam_visibility(hard, photo, REGION) or 0) > 1.8
    assert (seam_visibility(soft, photo, REGION) or 9) < 1.3
    assert seam_visibility(hard, hard, REGION) == pytest.approx(1)
    assert seam_visibility(hard, photo, REGION | True) is None
