"""The options of all commands that open photos. Light: the help of a command loads no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sean.errors import InputError
from sean.files import is_folder
from sean.pretrained import BUNDLED

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
_READ_ONLY = (".heic", ".heif")


@dataclass(frozen=True, kw_only=True)
class PhotoOptions:
    """How photos without a label map are opened.

    Attributes:
        parser: makes the label map of a photo that has none: "bundled" (faces), a parser's folder or hub id, or
            segformer: and a hub id or folder (needs transformers).
        label_mapping: JSON file that matches the parser's label names with the model's, see sean evaluate --help; not
            for sean parse, whose maps have the parser's own labels.
        crop: of photos without a label map: "auto" finds the face and shows only it to the model (the result is put
            back into the photo); X,Y,SIZE is the square to take, in pixels from the left upper corner, and
            X,Y,SIZE,ANGLE a square turned by ANGLE degrees clockwise, for a tilted head; "none" takes the whole
            picture. With a label map, "auto" takes the whole picture, too.
        face: index of the face, ordered by size: 0 is the largest.
    """

    parser: str = BUNDLED
    label_mapping: Path | None = None
    crop: str = "auto"
    face: int = 0

    @property
    def crop_choice(self) -> Literal["auto", "none"] | tuple[float, ...]:
        """The crop as `sean.Editor.set_image` takes it.

        Raises:
            InputError: the text has none of these forms.
        """
        if self.crop == "auto" or self.crop == "none":
            return self.crop  # type: ignore[return-value]
        try:
            numbers = tuple(float(number) for number in self.crop.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in (3, 4) or not all(math.isfinite(number) for number in numbers):
            raise InputError(
                f"expected --crop as auto, none, X,Y,SIZE in pixels, or X,Y,SIZE,ANGLE with degrees, got {self.crop!r}"
            )
        return numbers


DEFAULT_PHOTO_OPTIONS = PhotoOptions()


def is_many(given: Sequence[Path]) -> bool:
    """Whether a command line names several photos, or a folder of them."""
    return len(given) > 1 or any(is_folder(path) for path in given)


def listed_photos(given: Sequence[Path]) -> list[Path]:
    """The photos of a command line: the given files, and the picture files of folders, sorted.

    Raises:
        InputError: a folder has no picture.
    """
    photos: list[Path] = []
    for path in given:
        if is_folder(path):
            found = sorted(each for each in path.iterdir() if each.suffix.lower() in PICTURE_SUFFIXES)
            if not found:
                raise InputError(f"expected pictures in the folder {path}, found none")
            photos += found
        else:
            photos.append(path)
    return photos


def outputs_for(photos: Sequence[Path], output: Path, many: bool, suffix: str = "") -> list[Path]:
    """The output files: `output` itself for one photo, files with the photos' names in it for several.

    Args:
        photos: the photos of the command.
        output: a file, or a folder where there are `many`.
        many: whether the command line names several photos or a folder.
        suffix: of the results in a folder; "" keeps the photo's own, or takes .jpg for HEIC, which is only read.

    Raises:
        InputError: `output` is a file where it must be a folder, or two photos of one name would share a file.
    """
    if not many:
        return [output]
    if output.is_file():
        raise InputError(f"expected --output as a folder for {len(photos)} photos, got the file {output}")
    targets = [output / f"{photo.stem}{suffix or _writable(photo.suffix)}" for photo in photos]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise InputError(f"expected photos of different names, got several for {min(twice)}; rename one of them")
    return targets


def _writable(suffix: str) -> str:
    return ".jpg" if suffix.lower() in _READ_ONLY else suffix


def check_overwrites(photos: Sequence[Path], outputs: Sequence[Path], overwrite: bool) -> None:
    """Refuse to write a result over the photo that it was made of.

    Raises:
        InputError: an output is one of the photos.
    """
    if overwrite:
        return
    originals = {photo.resolve() for photo in photos}
    for output in outputs:
        if output.resolve() in originals:
            raise InputError(f"expected another --output than the photo {output} itself; --overwrite replaces it")
