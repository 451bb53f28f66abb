"""The change of one region's colour: what each of its pixels becomes when the region takes another colour.

Lightness goes through a curve that brings the mean of the region to the new mean. Its slope there, the contrast of
what is kept of the photo, follows the brightness: black hair made from blond hair loses contrast in proportion, blond
hair made from black hair gains less than in proportion, so that noise does not become strands. Where a straight line
would leave [0, 100], the curve bends and ends there. Colour (a, b) is shifted by the difference of the means; the
shift grows with lightness as a dye's does, so shadows and highlights keep their greys.

A region of several colours, such as an orange and black suit, has no single colour to shift: the shift that makes
orange blue would make black more than blue. The wider (a, b) spread, the more all pixels take the hue of the new colour
instead, each in proportion to its own chroma. A background shows several things even if their colours spread narrowly:
when its colour moves far, a red flag before a grey wall becomes a blue flag before a blue wall, not a violet flag.
"""

import math
from dataclasses import dataclass

import numpy as np

from sean.compositing.colour import RegionColour
from sean.compositing.constants import shared_constants
from sean.compositing.frame import smooth_step

_SHARED = shared_constants("transfer")

# A gain over 1 enters the contrast with this exponent where the contrast of the new colour is not known.
_LIGHTENING = _SHARED["LIGHTENING"]
# So far, as a factor, may a known contrast differ from what the gain of lightness makes of the region's own.
_FREEDOM = _SHARED["FREEDOM"]
# The same for a gain below 1: dark hair and skin shine, so that they keep a little more than in proportion.
_DARKENING = _SHARED["DARKENING"]
# How much of the shift of colour grows with lightness.
_TINT = _SHARED["TINT"]
# Above the mean the colour pales towards white with this exponent: highlights are those of the lamp.
_WHITENING = _SHARED["WHITENING"]
_MIN_LIGHTNESS, _MAX_LIGHTNESS = _SHARED["MIN_LIGHTNESS"], _SHARED["MAX_LIGHTNESS"]
_OFFSET = _SHARED["OFFSET"]
# Spreads of (a, b) up to which a region has one colour, as hair, skin and lips have, and from which it has several.
_ONE_COLOUR, _SEVERAL_COLOURS = _SHARED["ONE_COLOUR"], _SHARED["SEVERAL_COLOURS"]
# Distance by which the mean of (a, b) must move for the new hue to replace several other hues.
_FAR_HUE = _SHARED["FAR_HUE"]
# Two distances by which the mean of (a, b) of several things moves: up to the first each thing keeps its hue, from the
# second all take one hue.
_ONE_HUE = tuple(_SHARED["ONE_HUE"])
# Chroma added to all pixels, so that greys take a part of the new hue; largest part of a pixel, relative to the mean.
_GREY, _MOST_HUE = _SHARED["GREY"], _SHARED["MOST_HUE"]
# A chroma that passes for grey.
_FAINT = _SHARED["FAINT"]


@dataclass(frozen=True, kw_only=True)
class ColourTransfer:
    """The change from one colour of a region to another.

    Attributes:
        own: mean Lab of the region as it is.
        new: mean Lab that it is to have.
        slope: of the curve of lightness at the own mean.
        one_hue: in [0, 1], how far pixels take the new hue, in place of a shift of their own.
        chroma: mean length of (a, b) in the region as it is; used if `one_hue` is over 0.
    """

    own: tuple[float, float, float]
    new: tuple[float, float, float]
    slope: float
    one_hue: float = 0.0
    chroma: float = 0.0

    def __call__(self, lab: np.ndarray) -> np.ndarray:
        """float32 Lab [n, 3] of the region's pixels -> their Lab after the change."""
        result = np.empty_like(lab)
        lightness = self.lightness(lab[:, 0])
        result[:, 0] = lightness
        own_tint = self._tint(lab[:, 0], self.own[0])
        new_tint = self._tint(lightness, self.new[0])
        kept = min(1.0, (self.new[0] + _OFFSET) / (self.own[0] + _OFFSET)) * min(1.0, self._chroma_ratio)
        for channel in (1, 2):
            rest = lab[:, channel] - np.float32(self.own[channel]) * own_tint
            result[:, channel] = np.float32(kept) * rest + np.float32(self.new[channel]) * new_tint
        if self.one_hue > 0:
            colourful = (np.hypot(lab[:, 1], lab[:, 2]) + _GREY) / np.float32(self.chroma + _GREY)
            share = new_tint * np.minimum(colourful, np.float32(_MOST_HUE))
            for channel in (1, 2):
                hue = np.float32(self.new[channel]) * share
                result[:, channel] += np.float32(self.one_hue) * (hue - result[:, channel])
        return result

    def lightness(self, lightness: np.ndarray) -> np.ndarray:
        """L in [0, 100] of pixels -> their L after the change: monotone, the own mean to the new one."""
        own, new = self.own[0], self.new[0]
        above = (lightness - own) / (100 - own)
        up = _bent(np.clip(above, 0, 1), self.slope * (100 - own) / (100 - new)) * (100 - new)
        down = _bent(np.clip((own - lightness) / own, 0, 1), self.slope * own / new) * new
        return np.where(above > 0, new + up, new - down).astype(np.float32)

    @property
    def _chroma_ratio(self) -> float:
        """How colourful the new mean is beside the own one: greys keep nothing of the variety of a strong colour."""
        own, new = (math.hypot(mean[1], mean[2]) + _FAINT for mean in (self.own, self.new))
        return new / own

    @staticmethod
    def _tint(lightness: np.ndarray, mean: float) -> np.ndarray:
        share = (lightness + _OFFSET) / (mean + _OFFSET)
        below_white = np.clip((100 - lightness) / (100 - mean), 0, 1) ** _WHITENING
        return (np.clip(1 + _TINT * (share - 1), 0, 2) * below_white).astype(np.float32)


def colour_transfer(
    own: RegionColour, target: RegionColour, strength: float = 1.0, *, several: bool = False
) -> ColourTransfer:
    """The transfer that takes a region from its own colour to another one.

    Args:
        own: of the region in the photo.
        target: that it is to have at strength 1.
        strength: in [0, 1], the part of the way; the transfer is continuous in it and the identity at 0.
        several: whether the region shows several things, as a background does.
    """
    new = tuple(a + strength * (b - a) for a, b in zip(own.mean, target.mean, strict=True))
    start = _clipped(own.mean[0])
    end = _clipped(new[0])
    slope = natural_slope(start, end)
    if target.contrast is not None and own.contrast:
        final = natural_slope(start, _clipped(target.mean[0]))
        bounded = min(max(target.contrast / own.contrast, final / _FREEDOM), final * _FREEDOM)
        slope *= (bounded / final) ** strength
    one_hue = 0.0
    if own.chroma is not None:
        moved = math.dist(new[1:], own.mean[1:])
        spread, far = smooth_step(
            np.array(
                [
                    (own.spread - _ONE_COLOUR) / (_SEVERAL_COLOURS - _ONE_COLOUR),
                    (moved - _ONE_HUE[0]) / (_ONE_HUE[1] - _ONE_HUE[0]),
                ]
            )
        )
        one_hue = max(min(1.0, moved / _FAR_HUE) * float(spread), several * float(far))
    return ColourTransfer(
        own=(start, own.mean[1], own.mean[2]),
        new=(end, float(new[1]), float(new[2])),
        slope=float(slope),
        one_hue=one_hue,
        chroma=own.chroma or 0.0,
    )


def natural_slope(own: float, new: float) -> float:
    """The contrast, as a factor, that a region keeps whose mean lightness changes from `own` to `new`."""
    gain = new / own
    return gain ** (_DARKENING if gain <= 1 else _LIGHTENING)


def _clipped(lightness: float) -> float:
    return min(max(lightness, _MIN_LIGHTNESS), _MAX_LIGHTNESS)


def _bent(share: np.ndarray, slope: float) -> np.ndarray:
    """A monotone curve on [0, 1] with f(0) = 0 and that slope there: a line up to slope 1, else bent to end at 1."""
    return slope * share if slope <= 1 else slope * share / (1 + (slope - 1) * share)
