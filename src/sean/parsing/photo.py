"""The photo of a session: what the model sees of it, and the edited picture put back into it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from sean.errors import InputError
from sean.icc import bands
from sean.images import ImageLike, SourcePhoto, as_photo, resize_image
from sean.labels import LabelSet
from sean.parsing.faces import Crop, cut, find_face, paste
from sean.parsing.segmenter import Segmenter
from sean.segmap import SegmapLike, resize_segmap, segmap_of_photo

Size = tuple[int, int]
CropChoice = Crop | Literal["auto"] | None

# A parser gets at least this many pixels a side, whatever the model's size; it resizes them as it likes.
_PARSED_SIDE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """A photo, and the part of it that is edited.

    Attributes:
        image: uint8 [h, w, 3], sRGB.
        crop: the square that the model sees; None for the whole photo, stretched to the model's size.
        source: what the file of the photo said besides; None for an image alone.
    """

    image: np.ndarray
    crop: Crop | None = None
    source: SourcePhoto | None = None

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

    def parsed(self, parser: Segmenter, size: Size) -> np.ndarray:
        """The label map, of that size, that a parser makes of what the model sees."""
        height, width = size
        return resize_segmap(parser.segmap(self.seen((max(height, _PARSED_SIDE), max(width, _PARSED_SIDE)))), size)

    def with_edit(self, picture: np.ndarray, weights: np.ndarray | None, feather: float) -> np.ndarray:
        """The photo with the edited picture in its place.

        Args:
            picture: uint8 [h, w, 3], what the model made of what it sees.
            weights: [h, w] in [0, 1], how much of it to take; None for all.
            feather: see `sean.parsing.faces.paste`; without a crop there is no edge.

        Returns:
            uint8 of the photo's size; the photo's own bit for bit outside the crop and where the weight is 0.
        """
        if self.crop is not None:
            return paste(self.image, self.crop, picture, weights, feather)
        size = (self.image.shape[0], self.image.shape[1])
        larger = resize_image(picture, size)
        if weights is None:
            return larger
        larger = larger if larger.flags.writeable and larger is not picture else larger.copy()
        inside = (weights > 0).astype(np.uint8) * 255
        # interpolation carries weight over the edge of what has some: from 1/2 there to 1 in the middle of a pixel
        falloff = np.clip(2 * _smooth(inside, size).astype(np.int16) - 255, 0, 255).astype(np.uint8)
        share = np.minimum(_smooth(np.rint(weights * 255).astype(np.uint8), size), falloff)
        share &= resize_segmap(inside, size)
        for rows in bands(*size):
            edited, own, mask = (Image.fromarray(array[rows]) for array in (larger, self.image, share))
            larger[rows] = np.asarray(Image.composite(edited, own, mask))
        return larger


def _smooth(levels: np.ndarray, size: Size) -> np.ndarray:
    """uint8 [h, w] resized to `size`, bilinear."""
    return np.asarray(Image.fromarray(levels).resize(size[::-1], Image.Resampling.BILINEAR))


def open_photo(image: ImageLike, crop: CropChoice, parser: Segmenter | None) -> Photo:
    """A photo and its crop.

    Args:
        image: a path, a PIL picture or uint8 [h, w, 3]; see `sean.images.as_photo`.
        crop: of that photo; "auto" for the face found in it, or where there is none the square around all of it.
        parser: for finding the face.

    Raises:
        InputError: not a picture, a crop of another photo, or scikit-image is missing.
    """
    source = as_photo(image)
    height, width = source.size
    if crop == "auto":
        crop = find_face(source.image, parser) or Crop.whole((height, width))
    elif crop is not None and crop.photo_size != (height, width):
        raise InputError(f"expected a crop of a photo of {height} x {width}, got one of {crop.photo_size}")
    return Photo(image=source.image, crop=crop, source=source)


def seen_segmap(
    photo: Photo, segmap: SegmapLike | None, parser: Segmenter | None, labels: LabelSet, size: Size
) -> np.ndarray:
    """The map of what the model sees: the given one's part, or the parser's.

    Args:
        photo: with its crop.
        segmap: of the whole photo, see `sean.segmap.segmap_of_photo`.
        parser: makes one where there is none.
        labels: of the model.
        size: of the result.

    Raises:
        InputError: no map and no parser, no map of these label ids, or one of another shape than the photo.
    """
    if segmap is not None:
        source = photo.source or SourcePhoto(image=photo.image)
        return photo.seen_map(segmap_of_photo(segmap, labels, source, size), size)
    if parser is None:
        raise InputError("expected a segmap with the image, as this editor has no parser to make one; give either")
    return photo.parsed(parser, size)
