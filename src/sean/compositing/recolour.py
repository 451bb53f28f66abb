"""Recolouring of regions of a photo: the detail stays, light and colour change.

A pixel with colour c, of which a share m belongs to a region, becomes c + m (T(c) - c). If skin shines through hair, c
is a mixture of both, and lightening the mixture as if it were hair would make it orange. The change of a region of
strands is therefore limited to the strands' own part of a pixel, to the degree that the strands get lighter or change
their hue: with a share q of the surroundings, the strands' own colour is f = c - q (B - F), and the result is
c + min(m, 1 - q) (T(f) - f).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sean.compositing.colour import RegionColour, lab_to_srgb, srgb_to_lab
from sean.compositing.constants import shared_constants
from sean.compositing.frame import Frame, carried, smooth_step
from sean.compositing.guide import PhotoGuide, RegionPixels, VeiledPixels
from sean.compositing.transfer import ColourTransfer, colour_transfer

_SHARED = shared_constants("recolour")

# Gains of lightness, and distances of (a, b), up to which all of a pixel changes, and from which only the strands' own
# part does: what shines through does not show where the change is small.
_VEIL_GAINS = tuple(_SHARED["VEIL_GAINS"])
_VEIL_SHIFTS = tuple(_SHARED["VEIL_SHIFTS"])


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionChange:
    """A region that takes another colour.

    Attributes:
        mask: bool [h, w], the region in the photo's map.
        target: the colour at strength 1. None takes the change from `own` to `edited` in the model's pictures, which
            already includes the strength.
        strength: strength in [0, 1].
        strands: whether the surroundings shine through the region, as through hair.
        several: whether the region shows several things, as a background does.
    """

    mask: np.ndarray
    target: RegionColour | None = None
    strength: float = 1.0
    strands: bool = False
    several: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelPictures:
    """The model's pictures of a photo.

    Attributes:
        own: uint8 [h, w, 3], the reconstruction before the edit.
        edited: uint8 [h, w, 3], the picture after the edit.
        frame: the position of both in the photo.
    """

    own: np.ndarray
    edited: np.ndarray
    frame: Frame


def recoloured(guide: PhotoGuide, changes: Sequence[RegionChange], pictures: ModelPictures | None = None) -> np.ndarray:
    """The photo with other colours in some regions.

    Args:
        guide: guide of the photo.
        changes: one change per region.
        pictures: the model's pictures, required for changes without a target.

    Returns:
        uint8 [h, w, 3]; equal to the photo outside the regions, and everywhere if all strengths are 0.
    """
    result = guide.photo.copy()
    plans = [plan for change in changes if (plan := _plan(guide, change, pictures)) is not None]
    flat = result.reshape(-1, 3)

    def write(part: RegionPixels) -> None:
        moved = part.lab.copy()
        for share, veiled, (_, transfer) in zip(part.shares, part.veiled, plans, strict=True):
            own = part.lab
            if veiled is not None:
                own, share = _unveiled(own, share, veiled, _veil_strength(transfer))
            moved += share[:, None] * (transfer(own) - own)
        flat[part.index] = lab_to_srgb(moved)

    if plans:
        strands = [change.strands and _veil_strength(transfer) > 0 for change, transfer in plans]
        guide.each_part([change.mask for change, _ in plans], write, strands)
    return result


def _veil_strength(transfer: ColourTransfer) -> float:
    """In [0, 1], how far only the strands' own part of a pixel changes: 0 unless they get lighter or of another hue."""
    gain = transfer.new[0] / transfer.own[0]
    shift = math.dist(transfer.new[1:], transfer.own[1:])
    values = zip((gain, shift), (_VEIL_GAINS, _VEIL_SHIFTS), strict=True)
    lighter, other = smooth_step(np.array([(value - first) / (last - first) for value, (first, last) in values]))
    return float(1 - (1 - lighter) * (1 - other))


def _unveiled(
    lab: np.ndarray, share: np.ndarray, veiled: VeiledPixels, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """The strands' own colours [n, 3] and shares [n] of pixels of a region."""
    lab, share = lab.copy(), share.copy()
    through = np.float32(strength) * veiled.share
    own = lab[veiled.place] - through[:, None] * veiled.difference
    own[:, 0] = np.clip(own[:, 0], 0, 100)
    lab[veiled.place] = own
    share[veiled.place] = np.minimum(share[veiled.place], 1 - through)
    return lab, share


def _plan(
    guide: PhotoGuide, change: RegionChange, pictures: ModelPictures | None
) -> tuple[RegionChange, ColourTransfer] | None:
    own = guide.colour(change.mask)
    if own is None or change.strength == 0:
        return None
    if change.target is not None:
        return change, colour_transfer(own, change.target, change.strength, several=change.several)
    moved = None if pictures is None else _model_change(guide, change.mask, pictures)
    if moved is None or not moved.any():
        return None
    mean = own.mean + moved
    target = RegionColour(mean=(float(mean[0]), float(mean[1]), float(mean[2])))
    return change, colour_transfer(own, target, several=change.several)


def _model_change(guide: PhotoGuide, mask: np.ndarray, pictures: ModelPictures) -> np.ndarray | None:
    """The mean change [3] in Lab of a region in the model's pictures; None if they do not show the region."""
    shown = carried(mask, guide.frame, pictures.frame, (pictures.own.shape[0], pictures.own.shape[1]))
    if not shown.any():
        return None
    change: np.ndarray = srgb_to_lab(pictures.edited[shown]) - srgb_to_lab(pictures.own[shown])
    return change.mean(axis=0, dtype=np.float64)
