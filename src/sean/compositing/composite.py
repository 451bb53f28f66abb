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
        guide: of the photo.
        changes: the regions that take another colour.
        pictures: of the model, before and after the edit; may be left out where every change has a target and the map
            stayed as it is.
        maps: label ids [h, w] of the photo and of the edited picture, both over the frame of the pictures; None where
            the map stayed as it is.
        strands, colours, quick: see `redrawn`.

    Returns:
        uint8 [H, W, 3]: where the map is unchanged, the photo's detail under the new colours; where it changed, the
        model's picture in the photo's colours and grain; elsewhere the photo's own, bit for bit.
    """
    result = recoloured(guide, changes, pictures)
    if maps is None:
        return result
    assert pictures is not None
    return redrawn(
        result, pictures.frame, maps[0], maps[1], pictures.edited, strands=strands, colours=colours, quick=quick
    )
