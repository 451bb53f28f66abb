"""Differences of pictures, and colours of their regions."""

from typing import Any

import numpy as np

from sean.compositing.colour import RegionColour, lab_colour, srgb_to_lab


def difference(one: Any, other: Any) -> int:
    """The largest difference of two uint8 pictures, as PIL or arrays.

    At most 1 between pictures that were computed in other batches, steps or places in memory: another kernel may round
    a value the other way.
    """
    pair = np.stack([np.asarray(one), np.asarray(other)]).astype(int)  # refuses pictures of different shapes
    return int(np.abs(pair[0] - pair[1]).max())


def region_colour(image: np.ndarray, weights: np.ndarray) -> RegionColour:
    """The colour of a region of a picture uint8 [h, w, 3]; weights: bool, or float in [0, 1], [h, w], not all 0."""
    shown = weights > 0
    found = lab_colour(srgb_to_lab(image[shown]), weights[shown].astype(np.float32))
    assert found is not None
    return found
