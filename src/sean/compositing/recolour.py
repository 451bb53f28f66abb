"""Recolouring of regions of a photo: the detail stays, light and colour change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sean.compositing.colour import RegionColour, lab_to_srgb, srgb_to_lab
from sean.compositing.frame import Frame, carried
from sean.compositing.guide import PhotoGuide, RegionPixels
from sean.compositing.transfer import ColourTransfer, colour_transfer


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionChange:
    """A region that takes another colour.

    Attributes:
        mask: bool [h, w], the region in the photo's map.
        target: the colour at strength 1. None takes the change from `own` to `edited` in the model's pictures, which
            already includes the strength.
        strength: strength in [0, 1].
    """

    mask: np.ndarray
    target: RegionColour | None = None
    strength: float = 1.0


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
        for share, (_, transfer) in zip(part.shares, plans, strict=True):
            difference = transfer(part.lab) - part.lab
            moved += share[:, None] * difference
        flat[part.index] = lab_to_srgb(moved)

    if plans:
        guide.each_part([mask for mask, _ in plans], write)
    return result


def _plan(
    guide: PhotoGuide, change: RegionChange, pictures: ModelPictures | None
) -> tuple[np.ndarray, ColourTransfer] | None:
    own = guide.colour(change.mask)
    if own is None or change.strength == 0:
        return None
    if change.target is not None:
        return change.mask, colour_transfer(own, change.target, change.strength)
    moved = None if pictures is None else _model_change(guide, change.mask, pictures)
    if moved is None or not moved.any():
        return None
    mean = own.mean + moved
    return change.mask, colour_transfer(own, RegionColour(mean=(float(mean[0]), float(mean[1]), float(mean[2]))))


def _model_change(guide: PhotoGuide, mask: np.ndarray, pictures: ModelPictures) -> np.ndarray | None:
    """The mean change [3] in Lab of a region in the model's pictures; None if they do not show the region."""
    shown = carried(mask, guide.frame, pictures.frame, (pictures.own.shape[0], pictures.own.shape[1]))
    if not shown.any():
        return None
    change: np.ndarray = srgb_to_lab(pictures.edited[shown]) - srgb_to_lab(pictures.own[shown])
    return change.mean(axis=0, dtype=np.float64)
