"""A session's edits in its photo, at the photo's own resolution: only the edited regions change.

There are three kinds of pixels. If a region keeps its shape and takes another style, the photo is recoloured
(`sean.compositing`): the detail stays, and light and colour become those of the style, also beyond the part that the
model sees. If the map was changed, new regions are drawn with the model's light and shade in the photo's colours and
grain. All other pixels are those of the photo, bit for bit.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch

from sean.compositing.colour import RegionColour, srgb_to_lab
from sean.compositing.composite import composite
from sean.compositing.frame import Frame, carried
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange
from sean.editing.sources import is_colour
from sean.editing.state import Base, BlockSettings, EditorState
from sean.editing.surroundings import BACKGROUND, surroundings
from sean.parsing.photo import Photo
from sean.parsing.segmenter import Segmenter

Blend = Literal["detail", "paste", "render"]
"""Method of compositing: "detail", described above; "paste", the model's picture wherever map or style were changed;
"render", the model's picture in the whole crop."""

BLENDS: tuple[Blend, ...] = ("detail", "paste", "render")

# Least agreement of a parser with the label map inside the crop for its labels to be used around the crop.
_AGREEMENT = 0.85
# Regions that extend far beyond the crop: they are followed through the whole photo.
_FAR = (BACKGROUND, "cloth")
_STRANDS = ("hair",)


class PhotoComposite:
    """Composites of one photo with the edits of states; results that depend on the photo alone are cached.

    Args:
        photo: the photo and its crop.
        segmap: label ids [h, w] of the part that the model sees.
        own: returns the model's picture of that map with the photo's own styles, uint8 [h, w, 3]; called when a change
            must be derived from the model's pictures.
        parser: returns the segmenter that follows regions beyond the crop, or None to end regions at the crop.
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
        self._place = Frame.whole(*photo.image.shape[:2]) if photo.crop is None else photo.crop.frame
        self._guides: dict[bool, tuple[PhotoGuide, np.ndarray]] = {}
        self._own_picture: np.ndarray | None = None
        self._follower: tuple[Segmenter | None] | None = None

    def with_edits(
        self, state: EditorState, base: Base, rendered: Callable[[], np.ndarray], *, quick: bool = False
    ) -> np.ndarray:
        """The photo with the edits of a state in it.

        Args:
            state: a state whose map has the size of `segmap`.
            base: base of the session.
            rendered: returns the model's picture of the state, uint8 [h, w, 3]; called when needed.
            quick: draw new regions more coarsely, as while a brush is moving.

        Returns:
            uint8 [H, W, 3], a new array; unedited pixels equal the photo.
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
        """The cached arrays, including the photo."""
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
            if mask.any():
                target, strength = _target(label, settings, base)
                if target is not None and settings[0] is not None and not is_colour(settings[0][0]):
                    target = guide.inside_colour(mask, target)
                name = base.sources.labels.names[label]
                kind = {"strands": name in _STRANDS, "several": name == BACKGROUND}
                changes.append(RegionChange(mask=mask, target=target, strength=strength, **kind))
        return changes

    def _guide(self, everywhere: bool) -> tuple[PhotoGuide, np.ndarray]:
        """The guide and the map of its frame: the crop with surroundings, or the whole photo."""
        if everywhere not in self._guides:
            self._guides.clear()  # a guide of a large photo takes hundreds of megabytes
            parser, frame, ids = self._following, self._place, self._segmap
            if parser is not None:
                frame, ids = surroundings(self.photo, self._segmap, parser, whole=everywhere)
            guide = PhotoGuide(self.photo.image, frame, (ids.shape[0], ids.shape[1]))
            self._guides[everywhere] = (guide, ids)
        return self._guides[everywhere]

    @property
    def _following(self) -> Segmenter | None:
        """The parser if the photo extends beyond the crop and the parser agrees with the map inside the crop."""
        if self._follower is None:
            parser = None if self.photo.crop is None else self._parser()
            if parser is not None:
                height, width = self._segmap.shape
                seen = self.photo.parsed(parser, (height, width))
                parser = parser if (seen == self._segmap).mean() >= _AGREEMENT else None
            self._follower = (parser,)
        return self._follower[0]


def restyled_regions(state: EditorState, base: Base) -> dict[tuple[int, int], BlockSettings]:
    """The styles by (label, instance) that differ from the picture's own."""
    return {
        key: settings
        for key, settings in sorted(state.styles.items(), key=lambda item: item[0])
        if not _is_own(key[0], settings, base)
    }


def _is_own(label: int, settings: BlockSettings, base: Base) -> bool:
    """Whether the styles of a label are the picture's own: unset, of strength 0, or equal."""
    own = base.sources.complete_own.codes[label]
    if not base.sources.own.present[label] and settings != (None,) * len(settings):
        return False  # it has no colour of its own
    return all(setting is None or torch.equal(base.sources.code(label, setting), own) for setting in settings)


def _target(label: int, settings: BlockSettings, base: Base) -> tuple[RegionColour | None, float]:
    """The colour that a style gives to a label, and its strength; None if only the model's pictures show it."""
    setting = settings[0]
    if setting is None or any(other != setting for other in settings):
        return None, 1.0
    source, strength = setting
    colours = base.sources.get(source).mean_colours
    if colours is None or colours[label].isnan().any():
        return None, 1.0
    lab = srgb_to_lab(colours[label].round().numpy().astype(np.uint8)[None])[0].tolist()
    return RegionColour(mean=(lab[0], lab[1], lab[2])), strength
