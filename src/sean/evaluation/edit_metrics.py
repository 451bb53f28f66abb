"""Metrics of edits in photos: error and detail of the edited region, and changes elsewhere.

Pictures are uint8 [h, w, 3] of one size, regions bool [h, w].
"""

import numpy as np
from scipy import ndimage

DETAIL_SIGMA = 2.0
"""Standard deviation, in pixels, of the Gaussian filter that separates detail."""

_BORDER = 3
_FEWEST = 16
_SMALL = 1e-9


def region_error(edited: np.ndarray, truth: np.ndarray, region: np.ndarray) -> float:
    """Root mean square difference of two pictures in a region, of values in [0, 1]; 0 for an empty region."""
    difference = (edited[region].astype(np.float64) - truth[region]) / 255
    return float(np.sqrt(np.square(difference).mean())) if difference.size else 0.0


def detail_kept(edited: np.ndarray, truth: np.ndarray, region: np.ndarray) -> float | None:
    """The high-frequency energy of a region over that of the same region in the true picture.

    Returns:
        The ratio of the standard deviations of high-pass filtered grey levels, away from the region's border; 1 means
        equal detail, larger values mean noise. None for regions that are too thin, or without detail.
    """
    core = ndimage.binary_erosion(region, iterations=_BORDER, border_value=1)
    if np.count_nonzero(core) < _FEWEST:
        return None
    made, true = (float(_detail(image)[core].std()) for image in (edited, truth))
    return made / true if true > _SMALL else None


def leakage(edited: np.ndarray, photo: np.ndarray, region: np.ndarray, margin: int = 0) -> float:
    """Root mean square change outside a region, of values in [0, 1].

    Args:
        edited: the photo after the edit.
        photo: the photo before the edit.
        region: the edited region.
        margin: number of pixels around the region to leave out, as maps are not exact.
    """
    grown = ndimage.binary_dilation(region, iterations=margin) if margin else region
    return region_error(edited, photo, ~grown)


def seam_visibility(edited: np.ndarray, truth: np.ndarray, region: np.ndarray) -> float | None:
    """Visibility of a region's border: the steps across it relative to those along it, compared with the true picture.

    Returns:
        (mean gradient across the border / mean gradient along it) of the edited picture over the same of the true one,
        in grey levels within 3 pixels of the border; 1 means no additional edge. None without a border.
    """
    inside, outside = (ndimage.distance_transform_edt(part) for part in (region, ~region))
    distance = inside - outside
    band = (np.abs(distance) <= _BORDER) & (distance != 0)
    if np.count_nonzero(band) < _FEWEST or region.all():
        return None
    normal = np.stack(np.gradient(ndimage.gaussian_filter(distance, 1.0)))
    normal /= np.maximum(np.linalg.norm(normal, axis=0), _SMALL)
    made, true = (_across_over_along(image, normal, band) for image in (edited, truth))
    return made / max(true, _SMALL)


def _across_over_along(image: np.ndarray, normal: np.ndarray, band: np.ndarray) -> float:
    down, across = np.gradient(image.astype(np.float64).mean(axis=2))
    over = np.abs(down * normal[0] + across * normal[1])[band].mean()
    along = np.abs(across * normal[0] - down * normal[1])[band].mean()
    return float(over / max(along, _SMALL))


def _detail(image: np.ndarray) -> np.ndarray:
    grey = image.astype(np.float64).mean(axis=2)
    detail: np.ndarray = grey - ndimage.gaussian_filter(grey, DETAIL_SIGMA)
    return detail
