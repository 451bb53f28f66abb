"""The photo of a session: what the model sees of it, and the edited picture put back into it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from sean.editing.faces import Crop, cut, find_face, paste
from sean.editing.photo_parser import PhotoParser
from sean.errors import InputError
from sean.images import resize_image, to_rgb
from sean.labels import LabelSet
from sean.segmap import resize_segmap, validate

Size = tuple[int, int]
CropChoice = Crop | Literal["auto"] | None

# A parser gets at least this many pixels a side, whatever the model's size; it resizes them as it likes.
_PARSED_SIDE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """A photo, and the part of it that is edited.

    Attributes:
        image: uint8 [h, w, 3].
        crop: the square that the model sees; None for the whole photo, stretched to the model's size.
    """

    image: np.ndarray
    crop: Crop | None = None

    def seen(self, size: Size) -> np.ndarray:
        """What the model sees: uint8 [h, w, 3] of that size."""
        if self.crop is None:
            return resize_image(self.image, size)
        return resize_image(cut(self.image, self.crop, max(size)), size)

    def seen_map(self, segmap: np.ndarray, size: Size) -> np.ndarray:
        """What the model sees of a map [h, w] of the whole photo, of any size; border pixels are repeated beyond it."""
        if self.crop is None:
            return resize_segmap(segmap, size)
        extents = self.image.shape[:2]
        begins = (self.crop.top, self.crop.left)
        axes = []
        for count, begin, extent, length in zip(size, begins, extents, segmap.shape, strict=True):
            middles = begin + (np.arange(count) + 0.5) * self.crop.size / count
            axes.append(np.floor(middles * length / extent).clip(0, length - 1).astype(np.int64))
        return segmap[np.ix_(*axes)]

    def parsed(self, parser: PhotoParser, size: Size) -> np.ndarray:
        """The label map, of that size, that a parser makes of what the model sees."""
        height, width = size
        return resize_segmap(parser(self.seen((max(height, _PARSED_SIDE), max(width, _PARSED_SIDE)))), size)

    def with_edit(self, picture: np.ndarray, weights: np.ndarray | None, feather: float) -> np.ndarray:
        """The photo with the edited picture in its place.

        Args:
            picture: uint8 [h, w, 3], what the model made of what it sees.
            weights: [h, w] in [0, 1], how much of it to take; None for all.
            feather: see `sean.editing.faces.paste`; without a crop there is no edge.

        Returns:
            uint8 of the photo's size; the photo's own bit for bit outside the crop and where the weight is 0.
        """
        if self.crop is not None:
            return paste(self.image, self.crop, picture, weights, feather)
        size = (self.image.shape[0], self.image.shape[1])
        larger = resize_image(picture, size)
        if weights is None:
            return larger
        inside = (weights > 0).astype(np.uint8) * 255
        # interpolation carries weight over the edge of what has some: from 1/2 there to 1 in the middle of a pixel
        falloff = np.clip(2 * _smooth(inside, size).astype(np.int16) - 255, 0, 255).astype(np.uint8)
        share = np.minimum(_smooth(np.rint(weights * 255).astype(np.uint8), size), falloff)
        share &= resize_segmap(inside, size)
        return np.array(Image.composite(Image.fromarray(larger), Image.fromarray(self.image), Image.fromarray(share)))


def _smooth(levels: np.ndarray, size: Size) -> np.ndarray:
    """uint8 [h, w] resized to `size`, bilinear."""
    return np.asarray(Image.fromarray(levels).resize(size[::-1], Image.Resampling.BILINEAR))


def open_photo(image: Image.Image | np.ndarray, crop: CropChoice, parser: PhotoParser | None) -> Photo:
    """A photo and its crop.

    Args:
        image: a PIL picture or uint8 [h, w, 3].
        crop: of that photo; "auto" for the face found in it, or where there is none the square around all of it.
        parser: for finding the face.

    Raises:
        InputError: not a picture, a crop of another photo, or scikit-image is missing.
    """
    pixels = to_rgb(image) if isinstance(image, Image.Image) else image
    resize_image(pixels, (1, 1))  # refuses what is no picture
    height, width = pixels.shape[:2]
    if crop == "auto":
        crop = find_face(pixels, parser) or Crop.whole((height, width))
    elif crop is not None and crop.photo_size != (height, width):
        raise InputError(f"expected a crop of a photo of {height} x {width}, got one of {crop.photo_size}")
    return Photo(image=pixels, crop=crop)


def segmap_of(
    photo: Photo, segmap: Image.Image | np.ndarray | None, parser: PhotoParser | None, labels: LabelSet, size: Size
) -> np.ndarray:
    """The map of what the model sees: the given one's part, or the parser's.

    Args:
        photo: with its crop.
        segmap: label ids of the whole photo, integers [h, w] or a palette or grey PIL picture of any size.
        parser: makes one where there is none.
        labels: of the model.
        size: of the result.

    Raises:
        InputError: no map and no parser, or no map of these label ids.
    """
    if segmap is not None:
        ids = validate(np.asarray(segmap), labels, "the segmap", allow_unlabelled=True)
        return photo.seen_map(ids, size)
    if parser is None:
        raise InputError("expected a segmap with the image, as this editor has no parser to make one; give either")
    return photo.parsed(parser, size)
