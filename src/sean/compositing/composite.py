"""The composite: a photo with the edits of the model's picture in it, at the photo's own resolution."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from sean.compositing.colour import RegionColour
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange, recoloured
from sean.compositing.redraw import redrawn


def composite(
    guide: PhotoGuide,
    changes: Sequence[RegionChange],
    pictures: ModelPictures | None = None,
    maps: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    strands: Collection[int] = (),
    colours: Mapping[int, tuple[RegionColour, float]] | None = None,
    quick: bool = False,
) -> np.ndarray:
    """Put an edit into a photo.

    Args:
        guide: guide of the photo.
        changes: the regions that take another colour.
        pictures: the model's pictures before and after the edit; not needed if every change has a target and the map is
            unchanged.
        maps: label ids [h, w] of the photo and of the edited picture, both over the frame of the pictures; None if the
            map is unchanged.
        strands, colours, quick: see `redrawn`.

    Returns:
        uint8 [H, W, 3]: recoloured regions with the photo's detail, the model's picture in the photo's colours and
        grain where the map changed, and the photo's pixels bit for bit elsewhere.
    """
    result = recoloured(guide, changes, pictures)
    if maps is None:
        return result
    assert pictures is not None
    return redrawn(
        result, pictures.frame, maps[0], maps[1], pictures.edited, strands=strands, colours=colours, quick=quick
    )
