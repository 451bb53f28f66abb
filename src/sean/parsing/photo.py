"""Photos: their opening for all commands, pages and functions, and the return of an edited picture into its photo.

`PhotoOpener` defines the policy. A photo with a label map is taken whole. In a photo without a label map the largest
face is found and cropped like the faces of the training pictures, and the parser makes the map of the crop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image

from sean.compositing.frame import Frame, carried
from sean.devices import AUTO, chosen_device
from sean.errors import InputError
from sean.icc import bands
from sean.images import ImageLike, SourcePhoto, as_photo, resize_image
from sean.labels import LabelSet
from sean.parsing.faces import Crop, cut, find_faces, has_landmarks, paste
from sean.parsing.label_matching import LabelMapping
from sean.parsing.segmenter import Segmenter
from sean.pretrained import BUNDLED
from sean.segmap import SegmapLike, resize_segmap, segmap_of_photo

Size = tuple[int, int]
CropChoice = Crop | Sequence[float | int] | Literal["auto", "none"] | None
"""A crop; (left, top, size) in pixels, or (left, top, size, angle) with degrees clockwise; "auto"; or "none", or None,
for the whole photo."""
OnNoFace = Literal["error", "whole"]
ParserChoice = Segmenter | str | None
"""A parser, its name (see `Segmenter.from_pretrained`), "auto", or None for no parser."""

# Least number of pixels per side for a parser, whatever the model's size; the parser resizes to its own size.
_PARSED_SIDE = 256
_LARGEST_PARSED_CROP = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """A photo, and the part of it that is edited.

    Attributes:
        image: uint8 [h, w, 3], sRGB.
        crop: the square, upright or turned, that the model sees; None for the whole photo, stretched to its size.
        source: the other content of the photo's file; None for an image alone.
        faces: crops of the faces found, the largest first; empty if no face was searched.
    """

    image: np.ndarray
    crop: Crop | None = None
    source: SourcePhoto | None = None
    faces: tuple[Crop, ...] = ()

    @property
    def name(self) -> str:
        """Name of the photo for messages."""
        return "the photo" if self.source is None else self.source.name

    def memory(self) -> Iterator[np.ndarray | bytes]:
        """The arrays and blocks of bytes that it holds."""
        yield self.image
        if self.source is not None:
            parts = (self.source.image, self.source.own, self.source.alpha, self.source.profile, self.source.exif)
            yield from (part for part in parts if part is not None)

    def smaller(self, max_side: int) -> "Photo":
        """This photo reduced to at most `max_side` pixels on its longer side; itself if it is not larger."""
        height, width = self.image.shape[:2]
        scale = max_side / max(height, width)
        if scale >= 1:
            return self
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        crop = self.crop
        if crop is not None:
            rows, columns = size[0] / height, size[1] / width
            top, left = crop.top * rows, crop.left * columns
            crop = Crop(top=top, left=left, size=crop.size * scale, photo_size=size, angle=crop.angle)
        return Photo(image=resize_image(self.image, size), crop=crop)

    def seen(self, size: Size) -> np.ndarray:
        """The part that the model sees: uint8 [h, w, 3] of a size."""
        if self.crop is None:
            return resize_image(self.image, size)
        return resize_image(cut(self.image, self.crop, max(size)), size)

    def seen_map(self, segmap: np.ndarray, size: Size) -> np.ndarray:
        """The part that the model sees of a map [h, w] of the whole photo; border pixels are repeated outside."""
        if self.crop is None:
            return resize_segmap(segmap, size)
        extents = self.image.shape[:2]
        if self.crop.angle:
            a, b, c, d, e, f = self.crop.frame.matrix
            u, v = (np.arange(size[1]) + 0.5) / size[1], ((np.arange(size[0]) + 0.5) / size[0])[:, None]
            rows = np.floor((d * u + e * v + f) * segmap.shape[0] / extents[0]).clip(0, segmap.shape[0] - 1)
            columns = np.floor((a * u + b * v + c) * segmap.shape[1] / extents[1]).clip(0, segmap.shape[1] - 1)
            return segmap[rows.astype(np.int64), columns.astype(np.int64)]
        begins = (self.crop.top, self.crop.left)
        axes = []
        for count, begin, extent, length in zip(size, begins, extents, segmap.shape, strict=True):
            middles = begin + (np.arange(count) + 0.5) * self.crop.size / count
            axes.append(np.floor(middles * length / extent).clip(0, length - 1).astype(np.int64))
        return segmap[np.ix_(*axes)]

    def whole_map(self, segmap: np.ndarray, outside: int) -> np.ndarray:
        """The map of the whole photo from the map of the part that the model sees.

        Args:
            segmap: label ids [h, w] of that part, of any size.
            outside: the label id beyond the crop.

        Returns:
            Integers of the photo's size.
        """
        size = (self.image.shape[0], self.image.shape[1])
        if self.crop is None:
            return resize_segmap(segmap, size)
        whole = np.full(size, outside, dtype=segmap.dtype)
        if self.crop.angle:
            for band in bands(*size):
                place = Frame(matrix=(float(size[1]), 0.0, 0.0, 0.0, float(band.stop - band.start), float(band.start)))
                shown = carried(segmap.astype(np.int64) + 1, self.crop.frame, place, (band.stop - band.start, size[1]))
                whole[band] = np.where(shown > 0, shown - 1, outside)
            return whole
        places = []
        for count, begin, length in zip(size, (self.crop.top, self.crop.left), segmap.shape, strict=True):
            places.append(np.floor((np.arange(count) + 0.5 - begin) * length / self.crop.size).astype(np.int64))
        rows, columns = ((place >= 0) & (place < length) for place, length in zip(places, segmap.shape, strict=True))
        whole[np.ix_(rows, columns)] = segmap[np.ix_(places[0][rows], places[1][columns])]
        return whole

    def parsed(self, parser: Segmenter, size: Size) -> np.ndarray:
        """A parser's label map of the part that the model sees, at a size."""
        height, width = size
        return resize_segmap(parser.segmap(self.seen((max(height, _PARSED_SIDE), max(width, _PARSED_SIDE)))), size)

    def with_edit(self, picture: np.ndarray, weights: np.ndarray | None, feather: float) -> np.ndarray:
        """The photo with the edited picture in its place.

        Args:
            picture: uint8 [h, w, 3], the model's picture of the part that it sees.
            weights: [h, w] in [0, 1], opacity of the picture; None for 1 everywhere.
            feather: see `sean.parsing.faces.paste`; without a crop there is no edge.

        Returns:
            uint8 of the photo's size; equal to the photo outside the crop and at weight 0.
        """
        if self.crop is not None:
            return paste(self.image, self.crop, picture, weights, feather)
        size = (self.image.shape[0], self.image.shape[1])
        larger = resize_image(picture, size)
        if weights is None:
            return larger
        larger = larger if larger.flags.writeable and larger is not picture else larger.copy()
        inside = (weights > 0).astype(np.uint8) * 255
        # Interpolation spreads weights over the edge of the mask; the falloff is 0 at the edge and 1 inside.
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


class PhotoOpener:
    """Opens photos for a model.

    Args:
        labels: label set of the model.
        size: height and width, in pixels, of the model's pictures.
        device: device that the parser computes on.
        parser: makes the maps of photos without one. "auto" is the bundled face parser, loaded when first needed, if
            the labels are those of faces; otherwise there is no parser.
        mapping: matches differing label names of a parser given by name with `labels`.

    Raises:
        InputError: the parser has other labels.
    """

    def __init__(
        self,
        labels: LabelSet,
        size: Size,
        *,
        device: str | torch.device = "cpu",
        parser: ParserChoice = AUTO,
        mapping: LabelMapping | None = None,
    ) -> None:
        if isinstance(parser, Segmenter) and parser.labels.names != labels.names:
            raise InputError(
                f"expected a parser for the labels {labels.name!r} of the model, got one for {parser.labels.name!r}; "
                "open it with the model's labels"
            )
        if parser is not None and not isinstance(parser, Segmenter | str):
            raise InputError(f"expected a parser or its name, got {type(parser).__name__}; see sean.Segmenter")
        self.labels = labels
        self.size = size
        self._device = device
        self._parser = parser
        self._mapping = mapping

    @property
    def parser(self) -> Segmenter | None:
        """The parser, loaded on first use; None if there is no parser.

        Raises:
            InputError: see `Segmenter.from_pretrained`.
        """
        if self._parser in (AUTO, BUNDLED) and not has_landmarks(self.labels):
            return None
        if isinstance(self._parser, str):
            name = BUNDLED if self._parser == AUTO else self._parser
            self._parser = Segmenter.from_pretrained(name, self.labels, self._device, self._mapping)
        return self._parser

    def require_parser(self, name: str) -> Segmenter:
        """The parser.

        Args:
            name: name of the photo, for the message.

        Raises:
            InputError: there is no parser, or see `parser`.
        """
        parser = self.parser
        if parser is None and self._parser is None:
            raise InputError(f"expected a label map with {name}, as there is no parser to make one; give either")
        if parser is None:
            raise InputError(
                f"expected a label map for {name}: the bundled parser makes maps of faces, and this model's labels "
                f"are others ({self.labels.name}); give the map, or a parser of these labels"
            )
        return parser

    def open(
        self,
        image: ImageLike | Photo,
        segmap: SegmapLike | None = None,
        *,
        crop: CropChoice = "auto",
        face: int = 0,
        on_no_face: OnNoFace = "error",
        segmap_name: str = "the segmap",
    ) -> tuple[Photo, np.ndarray]:
        """Open a photo, choose the part that the model sees, and get the label map of that part.

        Args:
            image: a path, a PIL picture, uint8 [h, w, 3] or a tensor [3, h, w], see `sean.images.as_photo`; or a photo
                with a crop, see `located`.
            segmap: label ids of the whole photo, see `sean.segmap.segmap_of_photo`; None lets the parser make them.
            crop: the part that the model sees. "auto" is the square around a face if the labels are those of faces and
                no label map is given, else the whole photo, stretched to the model's size, as with "none" or None.
            face: index of the face for "auto", ordered by size: 0 is the largest.
            on_no_face: action of "auto" if it finds no face: "error", or "whole" for the square around the photo.
            segmap_name: name of the map's file, for messages.

        Returns:
            The photo, and int64 [h, w] of the model's size.

        Raises:
            InputError: not a picture, a map with other labels or of another shape, a crop outside the photo, no face,
                no face of that index, no parser for a photo without a map, or scikit-image is missing.
        """
        if segmap is not None:
            photo = self.located(image, crop="none" if _is_auto(crop) else crop, face=face)
            source = photo.source or SourcePhoto(image=photo.image)
            ids = segmap_of_photo(segmap, self.labels, source, self.size, segmap_name)
            return photo, photo.seen_map(ids, self.size)
        given = image if isinstance(image, Photo) else as_photo(image)
        parser = self.require_parser(given.name)
        photo = self.located(given, crop=crop, face=face, on_no_face=on_no_face)
        return photo, photo.parsed(parser, self.size)

    def located(
        self, image: ImageLike | Photo, *, crop: CropChoice = "auto", face: int = 0, on_no_face: OnNoFace = "error"
    ) -> Photo:
        """Open a photo and choose the part that the model sees, without a map; see `open`."""
        if isinstance(image, Photo):
            return image
        source = as_photo(image)
        whole = Photo(image=source.image, source=source)
        if _is_auto(crop) and has_landmarks(self.labels):
            return self._at_face(source, face, on_no_face)
        if face != 0:
            raise InputError(f"expected face 0 where no face is searched for (crop 'auto', no label map), got {face!r}")
        if crop is None or (isinstance(crop, str) and crop in ("none", AUTO)):
            return whole
        return Photo(image=source.image, source=source, crop=_crop_of(crop, source))

    def _at_face(self, source: SourcePhoto, face: int, on_no_face: OnNoFace) -> Photo:
        if on_no_face not in get_args(OnNoFace):
            raise InputError(f"expected on_no_face as one of {', '.join(get_args(OnNoFace))}, got {on_no_face!r}")
        faces = tuple(find_faces(source.image, self.parser))
        if not faces:
            if on_no_face == "error":
                raise InputError(
                    f"expected a face in {source.name}, found none; take the whole picture as one (crop 'none'), name "
                    "the square around the face as the crop, or give the photo's label map"
                )
            return Photo(image=source.image, source=source, crop=Crop.whole(source.size))
        if not isinstance(face, int) or not 0 <= face < len(faces):
            count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
            raise InputError(f"expected face 0..{len(faces) - 1}, as {source.name} shows {count}, got face {face!r}")
        return Photo(image=source.image, source=source, crop=faces[face], faces=faces)


def parse(
    photo: ImageLike,
    *,
    parser: Segmenter | str = BUNDLED,
    crop: CropChoice = "auto",
    face: int = 0,
    on_no_face: OnNoFace = "error",
    device: str | torch.device = AUTO,
) -> np.ndarray:
    """The label map of a photo.

    Args:
        photo: the path of a file, a PIL picture, uint8 [h, w, 3] or a float tensor [3, h, w] in [-1, 1].
        parser: a segmenter or its name, see `sean.Segmenter.from_pretrained`. The bundled one has the 19 labels of
            CelebAMask-HQ; a network given by name is cached.
        crop: "auto" parses the square around a face if the parser's labels are those of faces, else the whole photo;
            (left, top, size) or (left, top, size, angle) gives the square; "none" takes the whole photo.
        face: index of the face, ordered by size: 0 is the largest.
        on_no_face: "error", or "whole" to treat the whole photo as a face.
        device: device of a network given by name.

    Returns:
        int64 [h, w] of the photo's size, turned upright: ids of the parser's labels. Pixels beyond the square have the
        label "background" or, if the labels have no background, the number of labels ("no region").

    Raises:
        InputError: not a picture, no face, no such parser, or scikit-image is missing.
    """
    segmenter = _loaded(parser, str(device)) if isinstance(parser, str) else parser
    labels = segmenter.labels
    opener = PhotoOpener(labels, segmenter.size, parser=segmenter)
    opened = opener.located(photo, crop=crop, face=face, on_no_face=on_no_face)
    shown = opened.image
    if opened.crop is not None:
        shown = cut(shown, opened.crop, min(max(1, round(opened.crop.size)), _LARGEST_PARSED_CROP))
    outside = labels.names.index("background") if "background" in labels.names else labels.num_regions
    return opened.whole_map(segmenter.segmap(shown), outside)


@lru_cache(maxsize=2)
def _loaded(name: str, device: str) -> Segmenter:
    return Segmenter.from_pretrained(name, device=chosen_device(device))


def _is_auto(crop: CropChoice) -> bool:
    return isinstance(crop, str) and crop == AUTO


def _crop_of(crop: Crop | Sequence[float | int] | str, source: SourcePhoto) -> Crop:
    height, width = source.size
    if isinstance(crop, Crop):
        if crop.photo_size != (height, width):
            raise InputError(f"expected a crop of a photo of {height} x {width}, got one of {crop.photo_size}")
        return crop
    try:
        left, top, size, *turned = (float(number) for number in crop)
        angle = turned[0] if turned else 0.0
        if len(turned) > 1:
            raise ValueError
    except (TypeError, ValueError):
        raise InputError(
            "expected a crop as auto, none, (left, top, size) in pixels, or these and an angle in degrees, "
            f"got {crop!r}"
        ) from None
    return Crop(top=top, left=left, size=size, photo_size=(height, width), angle=angle)
