"""Mattes: the share of a region in each pixel of a photo, from a small map and the photo's own edges.

The colour guided filter (He, Sun and Tang, TPAMI 2013) on a small grid gives the matte as a local linear function of
colour. The coefficients of the function are smooth, so they can be enlarged and applied to the photo's own pixels (He
and Sun, Fast Guided Filter, 2015). The matte therefore follows the edges of the photo, down to single hairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sean.compositing.constants import shared_constants
from sean.compositing.frame import resized, smooth_step

_SHARED = shared_constants("matte")

# Variance of colours in [0, 1] far below which a window counts as flat.
_FLATNESS = _SHARED["FLATNESS"]
# Radius of the filter, and largest distance of the matte from the map: in pixels of the map, and at least this
# fraction of the frame, the typical error of parsers.
_RADIUS = tuple(_SHARED["RADIUS"])
_REACH = tuple(_SHARED["REACH"])
# Largest distance of the matte from the map as a fraction of the depth of a region.
_THICKNESS = _SHARED["THICKNESS"]
# Radius of the windows in which the colours of a region and of its surroundings are known, as a fraction of the frame.
_NEIGHBOURHOOD = _SHARED["NEIGHBOURHOOD"]
# Weight of the whole region's mean colour in the local mean colour, which is uncertain near the region's border.
_GLOBAL_COLOUR = _SHARED["GLOBAL_COLOUR"]
# Weight of lightness beside (a, b): shine on hair is brighter, but has the hair's hue.
_LIGHTNESS_WEIGHT = _SHARED["LIGHTNESS_WEIGHT"]
# Smaller differences between the colours of a region and of its surroundings do not show what shines through.
_LEAST_DIFFERENCE = _SHARED["LEAST_DIFFERENCE"]
# Shares up to this one become 0, shares from 1 minus this one become 1: colours vary within region and surroundings.
_VEIL_SLACK = _SHARED["VEIL_SLACK"]
# Share of the surroundings in the window at which their colour is known.
_KNOWN_SHARE = _SHARED["KNOWN_SHARE"]
_LITTLE = _SHARED["LITTLE"]
# The guided filter reaches 0 and 1 in flat parts only; values within this distance are set to 0 or 1.
_SLACK = _SHARED["SLACK"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Matte:
    """A matte as a function of the photo's colours.

    Attributes:
        slopes: float32 [3, h, w], of R, G and B in [0, 1].
        offset: float32 [h, w].
        least: float32 [h, w], lower bound of the matte: 1 for pixels that are certainly in the region.
        most: float32 [h, w], upper bound of the matte: 0 for pixels that are certainly outside the region.
    """

    slopes: np.ndarray
    offset: np.ndarray
    least: np.ndarray
    most: np.ndarray

    def on_grid(self, colours: np.ndarray) -> np.ndarray:
        """The matte [h, w] of a picture of the grid's size with float32 colours [3, h, w] in [0, 1]."""
        return finished_matte((self.slopes * colours).sum(axis=0) + self.offset, self.least, self.most)


def finished_matte(linear: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """The matte from the value of the linear function and its bounds, all of one shape."""
    sharp = np.clip((linear - _SLACK) / (1 - 2 * _SLACK), 0, 1)
    return np.minimum(np.maximum(sharp, least), most)


@dataclass(frozen=True, kw_only=True, eq=False)
class Veil:
    """What shines through a region of strands: the share of its surroundings in a pixel, as a function of its Lab.

    Skin seen through hair makes its pixels a mixture: hair F, skin B, share q of the skin, F + q (B - F). The share
    follows from the colour's projection on the line from F to B, both means of the neighbourhood.

    Attributes:
        slopes: float32 [3, h, w], of L, a and b.
        offset: float32 [h, w].
        near: float32 [h, w] in [0, 1], how well the colour of the surroundings is known.
        difference: float32 [3, h, w], Lab of the surroundings minus that of the region.
    """

    slopes: np.ndarray
    offset: np.ndarray
    near: np.ndarray
    difference: np.ndarray

    @classmethod
    def of(cls, lab: np.ndarray, matte: np.ndarray, inside: np.ndarray, mean: Sequence[float]) -> "Veil":
        """The veil of a region.

        Args:
            lab: float32 [h, w, 3], the picture.
            matte: float32 [h, w], the region's matte.
            inside: bool [h, w], the pixels that the photo shows.
            mean: Lab of the region as a whole.
        """
        size = 2 * max(1, round(_NEIGHBOURHOOD * max(matte.shape))) + 1
        planes = lab.transpose(2, 0, 1)
        hair = np.clip(10 * matte - 9, 0, 1).astype(np.float32) * inside
        other = np.clip(1 - 10 * matte, 0, 1).astype(np.float32) * inside
        near = _twice_mean(other, size)
        rest = (other * planes).sum(axis=(1, 2), dtype=np.float64) / max(float(other.sum(dtype=np.float64)), 1.0)
        own = _local_mean(planes, hair, _twice_mean(hair, size), mean, size)
        whole = np.array(mean, np.float32)[:, None, None]
        own = own + np.float32(_GLOBAL_COLOUR) * (whole - own)
        difference = _local_mean(planes, other, near, rest, size) - own
        weights = np.array([_LIGHTNESS_WEIGHT**2, 1, 1], np.float32)[:, None, None] * difference
        slopes = weights / ((weights * difference).sum(axis=0) + np.float32(_LEAST_DIFFERENCE**2))
        return cls(
            slopes=slopes,
            offset=-(slopes * own).sum(axis=0),
            near=smooth_step(near / _KNOWN_SHARE),
            difference=difference,
        )


def finished_veil(linear: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The share of the surroundings from the value of the linear function, of one shape."""
    return near * np.clip((linear - _VEIL_SLACK) / (1 - 2 * _VEIL_SLACK), 0, 1)


def _local_mean(
    planes: np.ndarray, weights: np.ndarray, mean_weights: np.ndarray, rest: Sequence[float] | np.ndarray, size: int
) -> np.ndarray:
    """The weighted mean [3, h, w] of planes around each pixel; `rest` [3] where there is nothing of that weight."""
    little = np.float32(_LITTLE)
    sums = np.stack([_twice_mean(weights * each, size) for each in planes])
    return (sums + little * np.array(rest, np.float32)[:, None, None]) / (mean_weights + little)


def _twice_mean(values: np.ndarray, size: int) -> np.ndarray:
    """The mean over a square, twice: weights fall linearly with the distance."""
    for _ in range(2):
        values = ndimage.uniform_filter(values, size=size, mode="nearest")
    return values


class ColourGuide:
    """The statistics of a picture that all its mattes share.

    Args:
        colours: float32 [3, h, w] in [0, 1].
        radius: radius of the filter, in pixels.
    """

    def __init__(self, colours: np.ndarray, radius: float) -> None:
        self.colours = colours
        self._size = 2 * max(1, round(radius)) + 1
        self._means = self._mean(colours)
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        rr, rg, rb, gg, gb, bb = (
            self._mean(colours[i] * colours[j]) - self._means[i] * self._means[j] for i, j in pairs
        )
        rr, gg, bb = rr + _FLATNESS, gg + _FLATNESS, bb + _FLATNESS
        cofactors = np.stack(
            [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg, rr * bb - rb * rb, rb * rg - rr * gb,
             rr * gg - rg * rg]
        )  # fmt: skip
        self._inverse = cofactors / (rr * cofactors[0] + rg * cofactors[1] + rb * cofactors[2])

    def memory(self) -> Iterator[np.ndarray]:
        """The cached arrays."""
        return iter((self.colours, self._means, self._inverse))

    def filter(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The guided filter of weights [h, w]: slopes [3, h, w] and offset [h, w] of the local linear function."""
        mean = self._mean(weights)
        r, g, b = self._mean(self.colours * weights) - self._means * mean
        i = self._inverse
        slopes = np.stack(
            [i[0] * r + i[1] * g + i[2] * b, i[1] * r + i[3] * g + i[4] * b, i[2] * r + i[4] * g + i[5] * b]
        )
        offset = mean - (slopes * self._means).sum(axis=0)
        return self._mean(slopes), self._mean(offset)

    def matte(self, mask: np.ndarray) -> Matte:
        """The matte of a region.

        Args:
            mask: bool [h', w'], the region in a map of the same frame, of any size.
        """
        shape = (self.colours.shape[1], self.colours.shape[2])
        weights = resized(mask.astype(np.float32), shape)
        inside = weights >= 0.5
        slopes, offset = self.filter(weights)
        reach = _length(_REACH, shape, (mask.shape[0], mask.shape[1]))
        depth = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
        away = ndimage.distance_transform_edt(np.pad(~inside, 1, mode="edge"))[1:-1, 1:-1]
        if not inside.any():
            away = np.full(shape, np.inf)
        if inside.all():
            depth = np.full(shape, np.inf)
        # lips, eyes and brows must have an inside, although they are thinner than the error of parsers
        thickness = float(depth.max()) if inside.any() else np.inf
        reach = min(reach, max(1.0, _THICKNESS * thickness))
        return Matte(
            slopes=slopes.astype(np.float32),
            offset=offset.astype(np.float32),
            least=smooth_step((depth - 1) / reach),
            most=smooth_step(1 - (away - 1) / reach),
        )

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """The mean over the filter's square, of the last two axes."""
        sizes = (1,) * (values.ndim - 2) + (self._size, self._size)
        return ndimage.uniform_filter(values, size=sizes, mode="nearest")


def guide_radius(shape: tuple[int, int], map_shape: tuple[int, int]) -> float:
    """The radius of the filter, in pixels of a grid of a shape, for maps of another shape."""
    return _length(_RADIUS, shape, map_shape)


def _length(limits: tuple[float, float], shape: tuple[int, int], map_shape: tuple[int, int]) -> float:
    pixel = max(shape[0] / map_shape[0], shape[1] / map_shape[1], 1.0)
    return max(limits[0] * pixel, limits[1] * max(shape))
