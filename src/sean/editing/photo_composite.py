"""A session's edits in its photo, at the photo's own resolution: the person stays, only what was edited changes.

Three kinds of pixels. Where a region keeps its shape and takes another style, the photo itself is recoloured
(`sean.compositing`): its detail stays, its light and colour become those of the style, also where the region goes on
beyond what the model sees. Where the map was changed, new regions are drawn with the model's light and shade in the
photo's colours and grain. Everything else is the photo, bit for bit.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch

from sean.compositing.colour import RegionColour, srgb_to_lab
from sean.compositing.composite import composite
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange, carried
from sean.editing.state import Base, BlockSettings, EditorState
from sean.editing.surroundings import BACKGROUND, frame_of, surroundings
from sean.parsing.photo import Photo
from sean.parsing.segmenter import Segmenter

Blend = Literal["detail", "paste", "render"]
"""How edits get into a photo: "detail", as this module says; "paste", the model's picture wherever map or style were
changed; "render", the model's picture in all of the crop."""

BLENDS: tuple[Blend, ...] = ("detail", "paste", "render")

# A parser that labels so much of the crop as the map has it may say what lies around the crop, too.
_AGREEMENT = 0.85
# Regions that go on far beyond the crop: they are followed through the whole photo.
_FAR = (BACKGROUND, "cloth")
_STRANDS = ("hair",)


class PhotoComposite:
    """One photo with the edits of states in it; what depends on the photo alone is computed once.

    Args:
        photo: the photo and its crop.
        segmap: label ids [h, w] of what the model sees of it.
        own: gives the model's picture of that map with the photo's own styles, uint8 [h, w, 3]; called when a change
            has to be told from the model's pictures.
        parser: gives what follows regions out of the crop, or None to end them there.
    """

    def __init__(
        self,
        photo: Photo,
        segmap: np.ndarray,
        own: Callable[[], np.ndarray],
        parser: Callable[[], Segmenter | None] = lambda: None,
    ) -> None:
        self.photo = photo
        self._segmap = segmap
        self._own = own
        self._parser = parser
        self._place = Frame.whole(*photo.image.shape[:2]) if photo.crop is None else frame_of(photo.crop)
        self._guides: dict[bool, tuple[PhotoGuide, np.ndarray]] = {}
        self._own_picture: np.ndarray | None = None
        self._follower: tuple[Segmenter | None] | None = None

    def with_edits(
        self, state: EditorState, base: Base, rendered: Callable[[], np.ndarray], *, quick: bool = False
    ) -> np.ndarray:
        """The photo with the edits of a state in it.

        Args:
            state: its map has the size of the photo's.
            base: of the session.
            rendered: gives the model's picture of the state, uint8 [h, w, 3]; called when it is needed.
            quick: draw new regions more coarsely, as while a brush is moving.

        Returns:
            uint8 [H, W, 3], a new array; the photo's own bits where nothing was edited.
        """
        labels = base.sources.labels
        restyled = restyled_regions(state, base)
        redrawn = not np.array_equal(state.segmap, self._segmap)
        if not restyled and not redrawn:
            return self.photo.image.copy()
        far = {labels.id_of(name) for name in _FAR if name in labels.names}
        guide, ids = self._guide(any(label in far for label, _ in restyled))
        changes = self._changes(state, base, restyled, guide, ids)
        pictures = None
        if redrawn or any(change.target is None for change in changes):
            if self._own_picture is None:
                self._own_picture = self._own()
            pictures = ModelPictures(own=self._own_picture, edited=rendered(), frame=self._place)
        targets = ((label, _target(label, settings, base)) for (label, n), settings in restyled.items() if not n)
        return composite(
            guide,
            changes,
            pictures,
            (self._segmap, state.segmap) if redrawn else None,
            strands=[labels.id_of(name) for name in _STRANDS if name in labels.names],
            colours={label: (target, strength) for label, (target, strength) in targets if target is not None},
            quick=quick,
        )

    def memory(self) -> Iterator[np.ndarray | bytes]:
        """The arrays that are kept of the photo, the photo included."""
        yield from self.photo.memory()
        if self._own_picture is not None:
            yield self._own_picture
        for guide, ids in self._guides.values():
            yield ids
            yield from guide.memory()

    def _changes(
        self,
        state: EditorState,
        base: Base,
        restyled: dict[tuple[int, int], BlockSettings],
        guide: PhotoGuide,
        ids: np.ndarray,
    ) -> list[RegionChange]:
        numbers = carried(state.instances, self._place, guide.frame, (ids.shape[0], ids.shape[1]))
        changes = []
        for (label, instance), settings in restyled.items():
            others = [number for each, number in state.styles if each == label and number]
            mask = (ids == label) & ((numbers == instance) if instance else ~np.isin(numbers, others))
            target, strength = _target(label, settings, base)
            if mask.any():
                changes.append(RegionChange(mask=mask, target=target, strength=strength))
        return changes

    def _guide(self, everywhere: bool) -> tuple[PhotoGuide, np.ndarray]:
        """The guide, and the map of its frame: of the crop and some surroundings, or of the whole photo."""
        if everywhere not in self._guides:
            self._guides.clear()  # of a large photo each takes hundreds of megabytes
            parser, frame, ids = self._following, self._place, self._segmap
            if parser is not None:
                frame, ids = surroundings(self.photo, self._segmap, parser, whole=everywhere)
            guide = PhotoGuide(self.photo.image, frame, (ids.shape[0], ids.shape[1]))
            self._guides[everywhere] = (guide, ids)
        return self._guides[everywhere]

    @property
    def _following(self) -> Segmenter | None:
        """The parser, where there is a photo around the crop and it sees the crop as the map does."""
        if self._follower is None:
            parser = None if self.photo.crop is None else self._parser()
            if parser is not None:
                height, width = self._segmap.shape
                seen = self.photo.parsed(parser, (height, width))
                parser = parser if (seen == self._segmap).mean() >= _AGREEMENT else None
            self._follower = (parser,)
        return self._follower[0]


def restyled_regions(state: EditorState, base: Base) -> dict[tuple[int, int], BlockSettings]:
    """The styles set, by (label, instance), that are others than the picture's own."""
    return {
        key: settings
        for key, settings in sorted(state.styles.items(), key=lambda item: item[0])
        if not _is_own(key[0], settings, base)
    }


def _is_own(label: int, settings: BlockSettings, base: Base) -> bool:
    """Whether the styles set for a label are the picture's own: unset, of strength 0, or equal."""
    own = base.sources.complete_own.codes[label]
    if not base.sources.own.present[label] and settings != (None,) * len(settings):
        return False  # it has no colour of its own
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
