"""Photos of the commands that render: with their label maps, or cropped to the face and parsed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from sean.commands.photo_options import PhotoOptions
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.images import SourcePhoto, read_photo, save_image
from sean.parsing.faces import Crop, find_faces
from sean.parsing.faces.crop import DEFAULT_FEATHER
from sean.parsing.faces.landmarks import has_landmarks
from sean.parsing.label_matching import read_label_mapping
from sean.parsing.photo import Photo
from sean.parsing.segmenter import Segmenter
from sean.photo_output import save_photo
from sean.pretrained import BUNDLED
from sean.segmap import may_lie_sideways, segmap_of_photo


@dataclass(frozen=True, kw_only=True)
class PhotoFile:
    """A photo, and its label map or what is to be parsed of it.

    Attributes:
        image: the photo.
        segmap: label ids [h, w]; None where the parser is to make them.
        crop: the square of the photo to parse and edit; None for all of it.
    """

    image: SourcePhoto
    segmap: np.ndarray | None = None
    crop: Crop | None = None


@dataclass(frozen=True, kw_only=True)
class OpenedPhoto:
    """What the model sees of a photo, its label map and its styles.

    Attributes:
        image: uint8 [h, w, 3].
        segmap: label ids [h, w].
        styles: of the regions.
        cropped: the photo and its crop, where the model sees only the face in it.
    """

    image: np.ndarray
    segmap: np.ndarray
    styles: StyleCodes
    cropped: Photo | None = None

    def save(self, path: Path, picture: Image.Image) -> Image.Image:
        """Write the rendered picture; where the face was cropped, the whole photo with it pasted in. Returns it."""
        if self.cropped is None:
            save_image(path, picture)
            return picture
        edited = self.cropped.with_edit(np.asarray(picture), None, DEFAULT_FEATHER)
        save_photo(path, edited, self.cropped.source)
        return Image.fromarray(edited)


def edited_square(crop: Crop) -> str:
    """What a command says of the part of a photo that it edited."""
    return f"; edited is the square of {crop.size:.0f} pixels at {crop.left:.0f}, {crop.top:.0f} (left, top)"


class PhotoOpener:
    """Opens the photos of one command; a parser is loaded when the first photo without a label map comes.

    Args:
        pipeline: the model that is to see them.
        options: for those that have none.
    """

    def __init__(self, pipeline: SEANPipeline, options: PhotoOptions) -> None:
        self._pipeline = pipeline
        self._options = options

    def read(self, image: Path, segmap: Path | None) -> PhotoFile:
        """A photo with its label map, or with the crop of its largest face.

        Raises:
            InputError: not such files, of different shapes, no face is found, or there is no parser of these labels.
        """
        if segmap is None:
            self._check_labels(image)
            photo = read_photo(image)
            return PhotoFile(image=photo, crop=self._found_crop(photo.image, image))
        photo = read_photo(image)
        ids = segmap_of_photo(segmap, self._pipeline.labels, photo, self._pipeline.image_size, segmap)
        if may_lie_sideways(photo, ids.shape):
            print(
                f"{image}: turned upright as its EXIF orientation {photo.orientation} says; "
                f"{segmap} is taken to be upright"
            )
        return PhotoFile(image=photo, segmap=ids)

    def open(self, image: Path, segmap: Path | None) -> OpenedPhoto:
        """A photo and its styles; without a label map, cropped to its largest face and parsed. Raises: see `read`."""
        file, size = self.read(image, segmap), self._pipeline.image_size
        if file.segmap is not None:
            styles = self._pipeline.encode(file.image, file.segmap)
            return OpenedPhoto(image=file.image.image, segmap=file.segmap, styles=styles)
        photo = Photo(image=file.image.image, crop=file.crop, source=file.image)
        seen, ids = photo.seen(size), photo.parsed(self.parser, size)
        cropped = None if photo.crop is None else photo
        return OpenedPhoto(image=seen, segmap=ids, styles=self._pipeline.encode(seen, ids), cropped=cropped)

    def _found_crop(self, pixels: np.ndarray, image: Path) -> Crop | None:
        """The crop of the largest face; None for the whole picture as it is."""
        if self._options.crop == "none" or not has_landmarks(self._pipeline.labels):
            return None
        faces = find_faces(pixels, self.parser)
        if not faces:
            raise InputError(
                f"expected a face in {image}, found none; --crop none takes the whole picture as one, or give its "
                "label map"
            )
        if len(faces) > 1:
            print(f"{image}: {len(faces)} faces, the largest one is taken")
        return faces[0]

    def _check_labels(self, image: Path) -> None:
        labels = self._pipeline.labels
        if self._options.parser == BUNDLED and not has_landmarks(labels):
            raise InputError(
                f"expected a label map for {image}: the bundled parser makes maps of faces, and this model's labels "
                f"are others ({labels.name}); give the map, or a --parser of these labels"
            )

    @cached_property
    def parser(self) -> Segmenter:
        """The parser, loaded when it is first asked for."""
        path = self._options.label_mapping
        mapping = None if path is None else read_label_mapping(path)
        return Segmenter.from_pretrained(self._options.parser, self._pipeline.labels, self._pipeline.device, mapping)
