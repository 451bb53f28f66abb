"""A session's edits in its photo, at the photo's own resolution: the person stays, only what was edited changes.

Three kinds of pixels. Where a region keeps its shape and takes another style, the photo itself is recoloured
(`sean.compositing`): its detail stays, its light and colour become those of the style. Where the map was changed, the
model's picture is put in, in the photo's colours. Everything else is the photo, bit for bit.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from sean.compositing.colour import RegionColour, lab_to_srgb, region_colour, srgb_to_lab
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange, recoloured
from sean.compositing.transfer import colour_transfer
from sean.editing.canvas import faded
from sean.editing.state import Base, BlockSettings, EditorState
from sean.parsing.photo import Photo

Blend = Literal["detail", "paste", "render"]
"""How edits get into a photo: "detail", as this module says; "paste", the model's picture wherever map or style were
changed; "render", the model's picture in all of the crop."""

BLENDS: tuple[Blend, ...] = ("detail", "paste", "render")

# A region of fewer pixels in the map tells nothing of a colour.
_MIN_PIXELS = 12


class PhotoComposite:
    """One photo with the edits of states in it; what depends on the photo alone is computed once.

    Args:
        photo: the photo and its crop.
        segmap: label ids [h, w] of what the model sees of it.
        own: gives the model's picture of that map with the photo's own styles, uint8 [h, w, 3]; called when a change
            has to be told from the model's pictures.
    """

    def __init__(self, photo: Photo, segmap: np.ndarray, own: Callable[[], np.ndarray]) -> None:
        self.photo = photo
        self._segmap = segmap
        self._own = own
        self._guide: PhotoGuide | None = None
        self._own_picture: np.ndarray | None = None

    def with_edits(
        self, state: EditorState, base: Base, rendered: Callable[[], np.ndarray], *, margin: float, feather: float
    ) -> np.ndarray:
        """The photo with the edits of a state in it.

        Args:
            state: its map has the size of the photo's.
            base: of the session.
            rendered: gives the model's picture of the state, uint8 [h, w, 3]; called when it is needed.
            margin: see `sean.Editor.composite`; of the parts whose map was changed.
            feather: likewise.

        Returns:
            uint8 [H, W, 3], a new array; the photo's own bits where nothing was edited.
        """
        changes = restyled(state, self._segmap, base)
        redrawn = state.segmap != self._segmap
        picture = rendered() if redrawn.any() or any(change.target is None for change in changes) else None
        result = self._recoloured(changes, picture)
        if picture is None or not redrawn.any():
            return result
        photo = Photo(image=result, crop=self.photo.crop)
        matched = in_colours_of(picture, photo.seen((picture.shape[0], picture.shape[1])), state.segmap, ~redrawn)
        weights = faded(redrawn, margin * redrawn.shape[0] + 1)
        return photo.with_edit(matched, weights, feather)

    def _recoloured(self, changes: list[RegionChange], picture: np.ndarray | None) -> np.ndarray:
        if not changes:
            return self.photo.image.copy()
        if self._guide is None:
            self._guide = PhotoGuide(self.photo.image, frame_of(self.photo), self._segmap.shape[:2])
        pictures = None
        if picture is not None and any(change.target is None for change in changes):
            if self._own_picture is None:
                self._own_picture = self._own()
            pictures = ModelPictures(own=self._own_picture, edited=picture, frame=self._guide.frame)
        return recoloured(self._guide, changes, pictures)


def frame_of(photo: Photo) -> Frame:
    """The place in a photo of what the model sees of it."""
    if photo.crop is None:
        return Frame.whole(photo.image.shape[0], photo.image.shape[1])
    return Frame.square(photo.crop.top, photo.crop.left, photo.crop.size)


def restyled(state: EditorState, original: np.ndarray, base: Base) -> list[RegionChange]:
    """The regions that keep their place in the photo's map and have another style than the photo's own.

    Args:
        state: of the session.
        original: label ids [h, w], the photo's map.
        base: of the session.

    Returns:
        A change for each label and style. Its target is the colour of the style's source; None where that is not
        known, or differs from block to block.
    """
    masks: dict[tuple[int, BlockSettings], np.ndarray] = {}
    kept = state.segmap == original
    for region in base.regions(state):
        if not _is_own(region.label, region.styles, base):
            pixels = kept & (state.segmap == region.label) & (state.instances == region.instance)
            key = (region.label, region.styles)
            masks[key] = masks[key] | pixels if key in masks else pixels
    changes = []
    for (label, settings), mask in masks.items():
        if mask.any():
            target, strength = _target(label, settings, base)
            changes.append(RegionChange(mask=mask, target=target, strength=strength))
    return changes


def _is_own(label: int, settings: BlockSettings, base: Base) -> bool:
    """Whether the styles set for a label are the picture's own: unset, of strength 0, or equal."""
    own = base.sources.complete_own.codes[label]
    return all(setting is None or torch.equal(base.sources.code(label, setting), own) for setting in settings)


def _target(label: int, settings: BlockSettings, base: Base) -> tuple[RegionColour | None, float]:
    """The colour that a style gives a label, and its strength; None where the model's pictures have to tell."""
    setting = settings[0]
    if setting is None or any(other != setting for other in settings):
        return None, 1.0
    source, strength = setting
    colours = base.sources.get(source).mean_colours
    if colours is None or colours[label].isnan().any():
        return None, 1.0
    lab = srgb_to_lab(colours[label].round().numpy().astype(np.uint8)[None])[0].tolist()
    return RegionColour(mean=(lab[0], lab[1], lab[2])), strength


def in_colours_of(picture: np.ndarray, photo: np.ndarray, segmap: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A model's picture with the colour and contrast that its regions have in the photo.

    Args:
        picture: uint8 [h, w, 3], of the model.
        photo: uint8 [h, w, 3], what the model sees of the photo.
        segmap: label ids [h, w] of the picture.
        known: bool [h, w], where the photo shows the label that the map says.

    Returns:
        uint8 [h, w, 3]; labels that the photo shows nowhere stay as the model painted them.
    """
    result = picture.copy()
    for label in np.unique(segmap[~known]).tolist():
        inside = segmap == label
        shown = inside & known
        if np.count_nonzero(shown) < _MIN_PIXELS:
            continue
        made, wanted = region_colour(picture, shown), region_colour(photo, shown)
        if made is not None and wanted is not None:
            result[inside] = lab_to_srgb(colour_transfer(made, wanted)(srgb_to_lab(picture[inside])))
    return result
