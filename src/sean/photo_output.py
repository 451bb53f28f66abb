"""Edited photos as files, with the colour profile, the transparency and the metadata of the source file."""

import io
import os
import warnings
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from sean.files import atomic_write
from sean.icc import ColorProfile, bands
from sean.images import JPEG_QUALITY, SourcePhoto, check_image, format_of

_HAVE_PROFILES = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO")
_HAVE_ALPHA = ("PNG", "WEBP", "TIFF", "AVIF")
_HAVE_EXIF = ("JPEG", "PNG", "WEBP", "AVIF", "MPO")
_HAVE_QUALITY = ("JPEG", "WEBP", "AVIF", "MPO")
_LONGEST_JPEG_EXIF = 65533
# Change, in levels of 255, from which an edited pixel keeps nothing of its former colour.
_FORGOTTEN = 64
# EXIF tags of the picture's size, which turning the picture upright may exchange.
_EXIF_SIZES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


def save_photo(path: str | os.PathLike[str], edited: np.ndarray, source: SourcePhoto | None) -> None:
    """Write an edited photo, atomically, in the format that the suffix of `path` names; JPEG in quality 95.

    The file gets the ICC profile, the transparency and the EXIF block (without orientation and thumbnail) of the
    source, as far as the format supports them. In a format without ICC profiles the file is in sRGB.

    Args:
        path: the file.
        edited: uint8 [h, w, 3], sRGB, upright. Pixels equal to those of `source.image` get the file's own values.
        source: the photo that was edited; None, or a photo of another size, means no source.

    Raises:
        InputError: the suffix names no format that can be written, or the folder cannot be written.
    """
    image_format = format_of(path)
    image, options = _prepared(edited, source, image_format)
    with atomic_write(path) as temporary:
        image.save(temporary, format=image_format, **options)


def photo_bytes(edited: np.ndarray, source: SourcePhoto | None, image_format: str, **options: Any) -> bytes:
    """An edited photo as the bytes of a file, see `save_photo`; `options` are Pillow's."""
    image, own_options = _prepared(edited, source, image_format)
    file = io.BytesIO()
    image.save(file, format=image_format, **own_options, **options)
    return file.getvalue()


def in_own_colors(edited: np.ndarray, source: SourcePhoto) -> np.ndarray:
    """The colour values of a file with the source's profile and transparency that looks like `edited`.

    Unchanged pixels get the source's own values; hardly changed ones get a mixture, so that a colour outside of sRGB
    fades into the edit.

    Args:
        edited: uint8 [h, w, 3], of the source's size.
        source: the photo that was edited.

    Returns:
        uint8 [h, w, 3].
    """
    if source.own is None:
        return edited
    profile = None if source.profile is None else ColorProfile(source.profile)
    result = source.own.copy()
    for rows in bands(*source.size):
        changed = (edited[rows] != source.image[rows]).any(axis=2)
        if not changed.any():
            continue
        own = source.own[rows][changed][None]  # [1, n, 3]
        before = own if profile is None else profile.to_srgb(own)
        after = edited[rows][changed][None]
        if source.alpha is not None:
            after = _off_white(after, before, source.alpha[rows][changed][None])
        result[rows][changed] = _moved(own, before, after, profile)[0]
    return result


def _moved(own: np.ndarray, before: np.ndarray, after: np.ndarray, profile: ColorProfile | None) -> np.ndarray:
    """The file's values for the sRGB values `after`, made from `own`, the file's values for `before`."""
    if profile is None:
        return after
    lost = own.astype(np.float32) - profile.from_srgb(before)
    distance = np.abs(after.astype(np.float32) - before).max(axis=2, keepdims=True)
    kept = lost * np.clip(1 - distance / _FORGOTTEN, 0, 1)
    return np.clip(np.rint(profile.from_srgb(after) + kept), 0, 255).astype(np.uint8)


def _off_white(shown: np.ndarray, before: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colour that looks like `shown` on a white background; `before` for fully transparent pixels."""
    opacity = alpha[..., None].astype(np.float32)
    color = 255 - (255 - shown.astype(np.float32)) * 255 / np.maximum(opacity, 1)
    return np.where(opacity > 0, np.clip(np.rint(color), 0, 255), before).astype(np.uint8)


def _prepared(edited: np.ndarray, source: SourcePhoto | None, image_format: str) -> tuple[Image.Image, dict[str, Any]]:
    """The picture to write and the options to write it with."""
    check_image(edited)
    options: dict[str, Any] = {"quality": JPEG_QUALITY} if image_format in _HAVE_QUALITY else {}
    if source is None or source.size != edited.shape[:2]:
        return Image.fromarray(edited), options
    exif = _clean_exif(source) if image_format in _HAVE_EXIF else None
    if exif is not None:
        options["exif"] = exif
    needed = (source.alpha is not None, _HAVE_ALPHA), (source.profile is not None, _HAVE_PROFILES)
    if any(is_needed and image_format not in formats for is_needed, formats in needed):
        return Image.fromarray(edited), options  # on white, in sRGB
    if source.profile is not None:
        options["icc_profile"] = source.profile
    image = Image.fromarray(in_own_colors(edited, source))
    if source.alpha is not None:
        image.putalpha(Image.fromarray(source.alpha))
    return image, options


def _clean_exif(source: SourcePhoto) -> bytes | None:
    """The EXIF block for the upright picture, without its thumbnail; None if it is missing or cannot be kept."""
    if source.exif is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif = Image.Exif()
            exif.load(source.exif)
            exif.pop(ExifTags.Base.Orientation, None)
            details = exif.get_ifd(ExifTags.IFD.Exif)
            height, width = source.size
            for tag, extent in zip(_EXIF_SIZES, (width, height), strict=True):
                if tag in details:
                    details[tag] = extent
            data = exif.tobytes()
    except Exception:  # untrusted bytes
        return None
    return data if len(data) <= _LONGEST_JPEG_EXIF else None
