"""Pictures as the bytes of PNG files, quickly."""

import io

import numpy as np
from PIL import Image

from sean.labels import LabelSet
from sean.segmap import colorize, palette_image

THUMBNAIL_SIZE = 128
PNG_LEVEL = 1  # of compression: the levels above take several times as long for little


def png(image: Image.Image | np.ndarray) -> bytes:
    """A PIL picture or an array that Pillow takes, as a PNG."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=PNG_LEVEL)
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
