"""Photos of the commands: opened by the library's policy (`sean.parsing.photo`), with messages for the user."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sean.commands.photo_options import PhotoOptions
from sean.devices import process_device
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.images import save_image
from sean.parsing.faces import Crop
from sean.parsing.faces.crop import DEFAULT_FEATHER
from sean.parsing.label_matching import read_label_mapping
from sean.parsing.photo import Photo, PhotoOpener
from sean.photo_output import save_photo
from sean.progress import tracked
from sean.segmap import may_lie_sideways, segmap_of_photo


@dataclass(frozen=True, kw_only=True)
class OpenedPhoto:
    """A photo, the label map of its crop, and its styles.

    Attributes:
        photo: with its crop.
        image: uint8 [h, w, 3], the crop that the model sees.
        segmap: label ids [h, w].
        styles: of the regions.
    """

    photo: Photo
    image: np.ndarray
    segmap: np.ndarray
    styles: StyleCodes

    def save(self, path: Path, picture: Image.Image) -> Image.Image:
        """Write the rendered picture, pasted into the whole photo if the face was cropped. Returns the picture."""
        if self.photo.crop is None:
            save_image(path, picture)
            return picture
        edited = self.photo.with_edit(np.asarray(picture), None, DEFAULT_FEATHER)
        save_photo(path, edited, self.photo.source)
        return Image.fromarray(edited)


def seen_square(crop: Crop) -> str:
    """A command's message about the part of a photo that the model sees."""
    turned = f", turned by {crop.angle:.0f} degrees" if crop.angle else ""
    return (
        f"; the model sees the square of {crop.size:.0f} pixels at {crop.left:.0f}, {crop.top:.0f} (left, top){turned}"
    )


def pipeline_for(model: str, device: str, options: PhotoOptions) -> SEANPipeline:
    """The model of a command; it opens photos according to the options."""
    pipeline = SEANPipeline.from_pretrained(model, process_device(device))
    mapping = None if options.label_mapping is None else read_label_mapping(options.label_mapping)
    pipeline.photos = PhotoOpener(
        pipeline.labels, pipeline.image_size, device=pipeline.device, parser=options.parser, mapping=mapping
    )
    return pipeline


def read_photo(
    pipeline: SEANPipeline, image: Path, segmap: Path | None, options: PhotoOptions
) -> tuple[Photo, np.ndarray | None]:
    """Open a photo and its label map, if one is given; prints choices that the user may not expect.

    Raises:
        InputError: see `PhotoOpener.open`.
    """
    photos = pipeline.photos
    if segmap is None:
        photos.require_parser(str(image))
    crop = options.crop_choice
    photo = photos.located(image, crop="none" if segmap is not None and crop == "auto" else crop, face=options.face)
    if len(photo.faces) > 1:
        which = f"face {options.face} is taken" if options.face else "the largest one is taken (--face 1 is the next)"
        print(f"{image}: {len(photo.faces)} faces, {which}")
    if segmap is None:
        return photo, None
    assert photo.source is not None
    ids = segmap_of_photo(segmap, pipeline.labels, photo.source, pipeline.image_size, segmap)
    if may_lie_sideways(photo.source, ids.shape):
        print(
            f"{image}: turned upright as its EXIF orientation {photo.source.orientation} says; "
            f"{segmap} is taken to be upright"
        )
    return photo, ids


def open_photo(pipeline: SEANPipeline, image: Path, segmap: Path | None, options: PhotoOptions) -> OpenedPhoto:
    """A photo and its styles; see `read_photo`."""
    photo, ids = pipeline.photos.open(*read_photo(pipeline, image, segmap, options))
    shown = photo.seen(pipeline.image_size)
    return OpenedPhoto(photo=photo, image=shown, segmap=ids, styles=pipeline.encode_seen(shown, ids))


def for_each_photo(photos: Sequence[Path], work: Callable[[Path], None], many: bool) -> None:
    """Process the photos of a command; a bad photo among several does not stop the others.

    Under torchrun, each process takes its share.

    Args:
        photos: all of them.
        work: processes one photo; raises InputError for a bad photo.
        many: whether the command line names several photos or a folder.

    Raises:
        InputError: the error of a single photo; for several, the number of failures, after a line for each.
    """
    if not many:
        for photo in photos:
            work(photo)
        return
    processes, number = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", 1), ("RANK", 0)))
    mine = photos[number::processes]
    failed: dict[Path, str] = {}
    for photo in tracked(mine, "photos", len(mine)):
        try:
            work(photo)
        except InputError as error:
            failed[photo] = str(error)
    for photo, reason in failed.items():
        print(f"{photo}: {reason}", file=sys.stderr)
    if failed:
        raise InputError(f"{len(failed)} of {len(mine)} photos failed, see above")
