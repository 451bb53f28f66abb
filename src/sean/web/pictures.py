"""Pictures as the bytes of PNG files, quickly."""

import io

import numpy as np
from PIL import Image

from sean.labels import LabelSet
from sean.segmap import colorize, palette_image

THUMBNAIL_SIZE = 128
_SMALL_PIXELS = 256 * 256
_JPEG_QUALITY = 95
PNG_LEVEL = 1  # of compression: the levels above take several times as long for little


def png(image: Image.Image | np.ndarray) -> bytes:
    """A PIL picture or an array that Pillow takes, as a PNG."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def photo_file(image: np.ndarray) -> bytes:
    """A photo uint8 [h, w, 3] for a page: a PNG where it is small, else a JPEG whose losses are not seen."""
    if image.shape[0] * image.shape[1] <= _SMALL_PIXELS:
        return png(image)
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def map_png(segmap: np.ndarray, labels: LabelSet) -> bytes:
    """Label ids [h, w] in 0..k as a PNG that `sean.segmap.read_segmap` reads back: a palette picture of the set's
    colours, or, where the ids do not fit into that, one of the colours themselves."""
    none = labels.num_regions if labels.ignore_id is None else labels.ignore_id
    if none > 255:
        return png(colorize(segmap, labels))
    return png(palette_image(np.where(segmap == labels.num_regions, none, segmap), labels))


def thumbnail(image: Image.Image | np.ndarray) -> bytes:
    """A picture made to fit into a square of `THUMBNAIL_SIZE` pixels, as a PNG."""
    small = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
    small.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    return png(small)
