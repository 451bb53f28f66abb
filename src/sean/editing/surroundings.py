"""The label map of a photo beyond the crop, where hair, cloth and background continue.

The parser labels two wider squares around the crop; specks in its maps take the label around them. Further out, where
heads are too small for the parser, labels are propagated along the photo's edges by random walks (Grady, TPAMI 2006).
Areas that touch the upper or a side border of the photo above the lowest part of the parser's squares are background.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from sean.compositing.colour import srgb_to_lab
from sean.compositing.frame import Frame, carried
from sean.errors import InputError
from sean.parsing.faces.crop import Crop, cut
from sean.parsing.photo import Photo
from sean.parsing.segmenter import Segmenter

# Sides of the parser's squares, in sides of the crop: its maps are good up to 1.5, and separate persons from the
# background up to 1.8.
_WIDER = (1.8, 1.4)
# Cells of the result per side of the crop, and largest number of cells per side.
_CELLS, _MOST_CELLS = 192, 640
# Connected cells of one label beyond the crop that are smaller than this fraction of the crop are a speck.
_SPECK = 0.01
# Cells per side for random walks; the matte refines their borders afterwards. The stiffness is for Lab / 100.
_WALKED_CELLS = 160
_STIFFNESS = 300.0
_TOLERANCE = 1e-2
BACKGROUND = "background"


def surroundings(photo: Photo, segmap: np.ndarray, parser: Segmenter, *, whole: bool) -> tuple[Frame, np.ndarray]:
    """The label map of a larger part of a photo than its crop.

    Args:
        photo: a photo with a crop.
        segmap: label ids [h, w] of the crop.
        parser: a segmenter with the same labels.
        whole: whether to follow the regions to the photo's borders; otherwise to 1.8 times the crop.

    Returns:
        The frame of the result, and label ids int64 [h', w'].
    """
    crop = photo.crop
    assert crop is not None
    near = _around(crop, _WIDER[0])
    side = round(_CELLS * _WIDER[0])
    frame, shape = near.frame, (side, side)
    ids = np.full(shape, -1, dtype=np.int64)
    for factor in _WIDER:
        wider = _around(crop, factor)
        seen = parser.segmap(cut(photo.image, wider, max(parser.size)))
        ids = _over(ids, frame, seen, wider.frame)
    ids[_specks(ids, round(_SPECK * _CELLS**2))] = -1
    ids = _over(ids, frame, segmap, crop.frame)
    if (ids < 0).any():
        nearest = ndimage.distance_transform_edt(ids < 0, return_distances=False, return_indices=True)
        ids = ids[tuple(nearest)]
    if not whole or BACKGROUND not in parser.labels.names:
        return frame, ids
    height, width = crop.photo_size
    place = Frame.whole(height, width)
    scale = min(_CELLS / crop.size, _MOST_CELLS / max(height, width), 1.0)
    all_shape = (max(1, round(height * scale)), max(1, round(width * scale)))
    walked = _walked(photo.image, ids, frame, parser.labels.id_of(BACKGROUND))
    everywhere = carried(walked, place, place, all_shape)
    return place, _over(everywhere, place, ids, frame)


def _over(below: np.ndarray, frame: Frame, ids: np.ndarray, place: Frame) -> np.ndarray:
    """Label ids over `frame`, with those over `place` on top."""
    part = carried(ids.astype(np.int64) + 1, place, frame, (below.shape[0], below.shape[1]))
    return np.where(part > 0, part - 1, below)


def _around(crop: Crop, factor: float) -> Crop:
    size = min(factor * crop.size, 3.0 * max(crop.photo_size))
    reach = (size - crop.size) / 2
    return replace(crop, top=crop.top - reach, left=crop.left - reach, size=size)


def _specks(ids: np.ndarray, smallest: int) -> np.ndarray:
    """The cells [h, w] that belong to connected areas of one label smaller than `smallest`."""
    specks = np.zeros(ids.shape, dtype=bool)
    for label in np.unique(ids[ids >= 0]):
        parts, _ = ndimage.label(ids == label)
        sizes = np.bincount(parts.ravel())
        specks |= (sizes[parts] < smallest) & (parts > 0)
    return specks


def _walked(image: np.ndarray, ids: np.ndarray, frame: Frame, background: int) -> np.ndarray:
    """Label ids over a whole photo, few cells a side, from those [h, w] over a frame of it."""
    height, width = image.shape[:2]
    scale = min(1.0, _WALKED_CELLS / max(height, width))
    shape = (max(2, round(height * scale)), max(2, round(width * scale)))
    place = Frame.whole(height, width)
    seeds = carried(ids + 1, frame, place, shape)
    if (seeds > 0).all():
        return seeds - 1
    lowest = int(np.nonzero((seeds > 0).any(axis=1))[0][-1]) if seeds.any() else shape[0] - 1
    border = np.zeros(shape, dtype=bool)
    border[0] = border[:lowest, 0] = border[:lowest, -1] = True
    seeds[border & (seeds == 0)] = background + 1
    found, numbers = np.unique(seeds, return_inverse=True)
    if len(found) == 2:
        return np.full(shape, found[1] - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of probabilities that are off by the tolerance
        lab = srgb_to_lab(place.seen(image, shape)[0]) / 100
        walks = _random_walker()(
            lab, numbers.reshape(shape), beta=_STIFFNESS, mode="cg_j", channel_axis=2, tol=_TOLERANCE
        )
    return found[walks] - 1


def _random_walker() -> Any:
    try:
        from skimage.segmentation import random_walker
    except Exception as error:  # broken packages raise other errors than ImportError
        raise InputError(
            f"following the background over a whole photo needs scikit-image, which cannot be imported here "
            f"({type(error).__name__}); pip install 'seankit[photo]'"
        ) from error
    return random_walker
