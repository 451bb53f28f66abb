"""ICC profiles: conversion of a picture file's colour values to sRGB and back.

The conversions go band by band of rows, so that a large photo needs no second copy of itself in Pillow.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from PIL import Image, ImageCms

_BAND_PIXELS = 2**20
_PROBED_LEVELS = np.arange(0, 256, 17, dtype=np.uint8)
# Largest difference, in levels of 255, between the profiles that camera makers call sRGB.
_SRGB_TOLERANCE = 2


@dataclass(frozen=True)
class ColorProfile:
    """The ICC profile of a picture.

    Attributes:
        data: the bytes of the profile.
        mode: Pillow's mode of the values that it describes: "RGB", "L" or "CMYK".
    """

    data: bytes
    mode: str = "RGB"

    @classmethod
    def of(cls, data: bytes | None, mode: str) -> "ColorProfile | None":
        """The profile; None if it is missing, damaged, of another colour mode, or sRGB.

        Viewers also ignore a profile that does not fit its picture.
        """
        if not data:
            return None
        profile = cls(data, mode)
        try:
            is_srgb = profile._is_srgb
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return None
        return None if is_srgb else profile

    def to_srgb(self, values: np.ndarray) -> np.ndarray:
        """Values uint8 [h, w] or [h, w, c] of the profile as sRGB: uint8 [h, w, 3]."""
        return _applied(self._to_srgb, values)

    def from_srgb(self, image: np.ndarray) -> np.ndarray:
        """The inverse for a profile of RGB: uint8 [h, w, 3] to the same; colours that the profile lacks are clipped."""
        return _applied(self._from_srgb, image)

    @cached_property
    def _to_srgb(self) -> ImageCms.ImageCmsTransform:
        own = ImageCms.ImageCmsProfile(io.BytesIO(self.data))
        return ImageCms.buildTransform(own, _srgb(), self.mode, "RGB")

    @cached_property
    def _from_srgb(self) -> ImageCms.ImageCmsTransform:
        own = ImageCms.ImageCmsProfile(io.BytesIO(self.data))
        return ImageCms.buildTransform(_srgb(), own, "RGB", self.mode)

    @property
    def _is_srgb(self) -> bool:
        """Whether the conversion leaves a grid of colours unchanged."""
        transform = self._to_srgb  # raises for a profile of another kind
        if self.mode != "RGB":
            return False
        grid = np.stack(np.meshgrid(*3 * [_PROBED_LEVELS]), axis=-1).reshape(1, -1, 3)
        moved = np.abs(_applied(transform, grid).astype(np.int16) - grid)
        return int(moved.max()) <= _SRGB_TOLERANCE


def bands(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture in bands of about a million pixels."""
    count = max(1, _BAND_PIXELS // max(1, width))
    for start in range(0, height, count):
        yield slice(start, min(start + count, height))


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _applied(transform: ImageCms.ImageCmsTransform, values: np.ndarray) -> np.ndarray:
    height, width = values.shape[:2]
    result = np.empty((height, width, 3), dtype=np.uint8)
    mode = transform.input_mode
    for rows in bands(height, width):
        # Pillow takes an array of four channels for RGBA: the mode has to be named
        block = np.ascontiguousarray(values[rows])
        band = Image.frombytes(mode, (width, block.shape[0]), block.tobytes())
        result[rows] = np.asarray(transform.apply(band))
    return result
