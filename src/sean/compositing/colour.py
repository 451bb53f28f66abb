"""CIE Lab (D65) of 8-bit sRGB pictures, and the colour of a region.

Composites are computed in Lab, where a gain of lightness and a shift of colour keep hues; adding a difference of RGB
values would tint darkened pixels.
"""

import re
from dataclasses import dataclass

import numpy as np

from sean.errors import InputError

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)
_FROM_XYZ = np.linalg.inv(_TO_XYZ / _WHITE[:, None]).astype(np.float32)
_LEVELS = np.arange(256) / 255.0
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
# Weights of the 256 levels of R, G and B in X, Y and Z: [3 XYZ, 3 RGB].
_MIX = (_TO_XYZ / _WHITE[:, None]).astype(np.float32)
_EPSILON, _KAPPA = np.float32(216 / 24389), np.float32(24389 / 27)
_STEPS = 1 << 14
_SHARES = np.arange(_STEPS + 1) / _STEPS
_ENCODED = (255.0 * np.where(_SHARES <= 0.0031308, 12.92 * _SHARES, 1.055 * _SHARES ** (1 / 2.4) - 0.055)).astype(
    np.float32
)
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class RegionColour:
    """The colour of a region.

    Attributes:
        mean: L in [0, 100], a and b.
        contrast: standard deviation of L within the region; None if unknown, as for a single colour.
        spread: root mean square distance of (a, b) from their mean; 0 for a single colour.
        chroma: mean of the lengths of (a, b); None if unknown.
    """

    mean: tuple[float, float, float]
    contrast: float | None = None
    spread: float = 0.0
    chroma: float | None = None


def srgb_to_lab(levels: np.ndarray) -> np.ndarray:
    """uint8 sRGB [..., 3] -> float32 Lab [..., 3]."""
    linear = _LINEAR[levels]
    lab = np.empty(levels.shape, dtype=np.float32)
    roots = [_root(linear @ row) for row in _MIX]
    lab[..., 0] = 116 * roots[1] - 16
    lab[..., 1] = 500 * (roots[0] - roots[1])
    lab[..., 2] = 200 * (roots[1] - roots[2])
    return lab


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """float32 Lab [..., 3] -> uint8 sRGB [..., 3], rounded; colours beyond sRGB are clipped by channel."""
    y = (lab[..., 0] + 16) / 116
    xyz = [_cube(y + lab[..., 1] / 500), _cube(y), _cube(y - lab[..., 2] / 200)]
    levels = np.empty(lab.shape, dtype=np.uint8)
    for channel, (x, y, z) in enumerate(_FROM_XYZ):
        share = x * xyz[0] + y * xyz[1] + z * xyz[2]
        np.clip(share, 0, 1, out=share)
        share *= _STEPS
        levels[..., channel] = _ENCODED_LEVELS[(share + np.float32(0.5)).astype(np.int32)]
    return levels


def parse_colour(text: str) -> RegionColour:
    """A colour written as "#7a1f2b" or "#a33".

    Raises:
        InputError: the text has another form.
    """
    found = _HEX.fullmatch(text.strip())
    if found is None:
        raise InputError(f"expected a colour as six hexadecimal digits, e.g. #7a1f2b, got {text!r}")
    digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
    levels = np.array([[int(digits[at : at + 2], 16) for at in (0, 2, 4)]], dtype=np.uint8)
    lightness, a, b = srgb_to_lab(levels)[0].tolist()
    return RegionColour(mean=(lightness, a, b))


def lab_colour(lab: np.ndarray, weights: np.ndarray) -> RegionColour | None:
    """The colour of pixels in Lab [n, 3] with weights [n]; None if the weights sum to 0."""
    total = float(weights.sum())
    if total < _SMALLEST:
        return None
    mean = (lab.astype(np.float64) * weights[:, None]).sum(axis=0) / total
    variances = (weights[:, None] * (lab - mean) ** 2).sum(axis=0) / total
    chroma = float((weights * np.hypot(lab[:, 1], lab[:, 2])).sum()) / total
    return RegionColour(
        mean=(float(mean[0]), float(mean[1]), float(mean[2])),
        contrast=float(variances[0]) ** 0.5,
        spread=float(variances[1] + variances[2]) ** 0.5,
        chroma=chroma,
    )


def _root(share: np.ndarray) -> np.ndarray:
    low = (_KAPPA * share + 16) / 116
    return np.where(share > _EPSILON, np.power(share, np.float32(1 / 3)), low)


def _cube(root: np.ndarray) -> np.ndarray:
    cube = root * root * root
    return np.where(cube > _EPSILON, cube, (116 * root - 16) / _KAPPA)


_ENCODED_LEVELS = np.rint(_ENCODED).astype(np.uint8)
