"""The recolouring as its formulas say, pixel by pixel in 64-bit numbers, to compare the fast path with.

A pixel with colour c (Lab) of which a share m belongs to a region becomes c + m (T(c) - c), added up over the regions.
T has a curve of lightness, the own mean to the new one with a slope there, and a shift of a and b that grows with
lightness (`sean.compositing.transfer`). m is the region's local linear function of the pixel's colour within the
bounds of its map (`sean.compositing.matte`), whose coefficients lie on a grid and are interpolated.
"""

import math
from collections.abc import Sequence

import numpy as np
from skimage.color import lab2rgb, rgb2lab

from sean.compositing.colour import RegionColour
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import RegionChange
from sean.compositing.transfer import natural_slope

SLACK, TINT, WHITENING, OFFSET, FAINT = 0.12, 0.45, 0.4, 16.0, 5.0
ONE_COLOUR, SEVERAL_COLOURS, FAR_HUE, GREY, MOST_HUE = 14.0, 26.0, 20.0, 10.0, 1.4


def recoloured_reference(guide: PhotoGuide, changes: Sequence[RegionChange]) -> np.ndarray:
    """As `sean.compositing.recolour.recoloured` for changes with a target without a known contrast."""
    photo = guide.photo
    result = photo.copy()
    own = {number: guide.colour(change.mask) for number, change in enumerate(changes)}
    for row in range(photo.shape[0]):
        for column in range(photo.shape[1]):
            shares = [share(guide, change.mask, row, column) for change in changes]
            total = sum(shares)
            if total <= 1 / 1024:
                continue
            lab = rgb2lab(photo[row, column] / 255)
            moved = lab.copy()
            for number, change in enumerate(changes):
                mean = own[number]
                assert mean is not None and change.target is not None
                new = [a + change.strength * (b - a) for a, b in zip(mean.mean, change.target.mean, strict=True)]
                moved += shares[number] / max(total, 1) * (transferred(lab, mean, new) - lab)
            result[row, column] = np.rint(255 * np.clip(lab2rgb(moved), 0, 1))
    return result


def share(guide: PhotoGuide, mask: np.ndarray, row: int, column: int) -> float:
    """How much of a pixel belongs to a region."""
    matte = guide.matte(mask)
    a, b, c, d, e, f = guide.frame.matrix
    x, y = column + 0.5 - c, row + 0.5 - f
    determinant = a * e - b * d
    u, v = (e * x - b * y) / determinant, (a * y - d * x) / determinant
    if not (0 <= u < 1 and 0 <= v < 1):
        return 0.0
    height, width = matte.offset.shape

    def at(field: np.ndarray) -> float:
        down, across = min(max(v * height - 0.5, 0), height - 1), min(max(u * width - 0.5, 0), width - 1)
        top, left = int(down), int(across)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        upper = field[top, left] + (across - left) * (field[top, right] - field[top, left])
        lower = field[bottom, left] + (across - left) * (field[bottom, right] - field[bottom, left])
        return float(upper + (down - top) * (lower - upper))

    colour = guide.photo[row, column] / 255
    linear = at(matte.offset) + sum(at(slope) * level for slope, level in zip(matte.slopes, colour, strict=True))
    sharp = min(max((linear - SLACK) / (1 - 2 * SLACK), 0.0), 1.0)
    return min(max(sharp, at(matte.least)), at(matte.most))


def transferred(lab: np.ndarray, colour: RegionColour, new: Sequence[float]) -> np.ndarray:
    """A pixel of a region of that colour, when its mean becomes `new`."""
    own = colour.mean
    slope = natural_slope(own[0], new[0])
    if lab[0] > own[0]:
        lightness = new[0] + (100 - new[0]) * bent(
            (lab[0] - own[0]) / (100 - own[0]), slope * (100 - own[0]) / (100 - new[0])
        )
    else:
        lightness = new[0] - new[0] * bent((own[0] - lab[0]) / own[0], slope * own[0] / new[0])
    chroma = (math.hypot(*new[1:]) + FAINT) / (math.hypot(*own[1:]) + FAINT)
    kept = min(1.0, (new[0] + OFFSET) / (own[0] + OFFSET)) * min(1.0, chroma)
    rest = [lab[channel] - own[channel] * tint(lab[0], own[0]) for channel in (1, 2)]
    shifted = [kept * r + n * tint(lightness, new[0]) for r, n in zip(rest, new[1:], strict=True)]
    part = min(max((colour.spread - ONE_COLOUR) / (SEVERAL_COLOURS - ONE_COLOUR), 0.0), 1.0)
    one_hue = part * part * (3 - 2 * part) * min(1.0, math.dist(new[1:], own[1:]) / FAR_HUE)
    colourful = min((math.hypot(lab[1], lab[2]) + GREY) / ((colour.chroma or 0.0) + GREY), MOST_HUE)
    hue = [n * tint(lightness, new[0]) * colourful for n in new[1:]]
    return np.array([lightness, *(s + one_hue * (h - s) for s, h in zip(shifted, hue, strict=True))])


def tint(lightness: float, mean: float) -> float:
    grown = min(max(1 + TINT * ((lightness + OFFSET) / (mean + OFFSET) - 1), 0.0), 2.0)
    return grown * min(max((100 - lightness) / (100 - mean), 0.0), 1.0) ** WHITENING


def bent(part: float, slope: float) -> float:
    part = min(max(part, 0.0), 1.0)
    return slope * part if slope <= 1 else slope * part / (1 + (slope - 1) * part)
