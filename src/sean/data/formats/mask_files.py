"""Label maps that are pictures: grey or palette pictures of ids, or pictures in the colours of the classes."""

from collections.abc import Collection, Sequence

import numpy as np
from PIL import Image

from sean.data.formats.tree import SourceClass
from sean.errors import InputError
from sean.images import grey_levels, open_image
from sean.labels import Color
from sean.segmap import is_lossy

_WHITE_BORDER: Color = (224, 224, 192)
VOC_BORDER = 255
"""The id of the border of objects in Pascal VOC, drawn in a colour of its own."""


def open_mask(path: str) -> Image.Image:
    """Decode a mask.

    Raises:
        InputError: it is no picture, or in a format that may have changed the ids.
    """
    image = open_image(path)
    if is_lossy(image):
        raise InputError(f"expected a mask as PNG, but {path} is a {image.format}, which blurs the ids; save it as PNG")
    return image


def read_ids(path: str, classes: Sequence[SourceClass], unlabelled: Collection[int] = ()) -> np.ndarray:
    """The ids of a mask: int64 [h, w].

    An RGB picture has the colours of the classes. A palette picture holds ids, unless all its colours are those of
    classes: then the colours decide, as programs reorder palettes; ids of unlabelled pixels stay. A grey picture holds
    ids.

    Raises:
        InputError: not a mask, see `open_mask`; a colour of no class; transparent pixels.
    """
    image = open_mask(path)
    colors = {each.color: each.id for each in reversed(classes) if each.color is not None}
    if image.mode in ("RGB", "RGBA"):
        return _ids_of_colors(_opaque(image, path), colors, path)
    ids = integers(image, path)
    if image.mode != "P" or not colors:
        return ids
    palette = np.array(image.getpalette("RGB"), dtype=np.int64).reshape(-1, 3)
    table = np.arange(256)
    for index in np.unique(ids).tolist():
        if index in unlabelled:
            continue
        number = colors.get(tuple(palette[index].tolist())) if index < len(palette) else None
        if number is None:
            return ids
        table[index] = number
    return table[ids]


def read_numbers(path: str) -> np.ndarray:
    """The object numbers of an instance mask, int64 [h, w]; in an RGB picture, a number for each colour."""
    image = open_mask(path)
    return packed(_opaque(image, path)) if image.mode in ("RGB", "RGBA") else integers(image, path)


def integers(image: Image.Image, path: str) -> np.ndarray:
    """The stored values of a grey or palette picture, int64 [h, w].

    Raises:
        InputError: it has colours.
    """
    if image.mode in ("LA", "La"):
        image = image.getchannel(0)
    if image.mode not in ("P", "L", "1", "I") and not image.mode.startswith("I;16"):
        raise InputError(f"expected a grey or palette mask, but {path} has mode {image.mode}; save it as 8-bit PNG")
    return grey_levels(image).astype(np.int64)


def packed(colors: np.ndarray) -> np.ndarray:
    """Colours uint8 [..., 3] as one number each, 65536 r + 256 g + b, int64 [...]."""
    red, green, blue = np.moveaxis(colors.astype(np.int64), -1, 0)
    numbers: np.ndarray = red << 16 | green << 8 | blue
    return numbers


def renumbered(numbers: np.ndarray, empty: Sequence[int] = (0,)) -> np.ndarray:
    """Objects renumbered 1, 2, ... in the order of their numbers; 0 for the numbers in `empty`."""
    found, places = np.unique(numbers, return_inverse=True)
    is_object = ~np.isin(found, list(empty))
    table: np.ndarray = np.where(is_object, np.cumsum(is_object), 0)
    return table[places].reshape(numbers.shape)


def voc_color(index: int) -> Color:
    """The colour that Pascal VOC's palette gives an id in 0..255: three bits of it to each channel, high bits first."""
    if index == VOC_BORDER:
        return _WHITE_BORDER
    channels = [0, 0, 0]
    for level in range(7, -1, -1):
        for channel in range(3):
            channels[channel] |= (index >> channel & 1) << level
        index >>= 3
    return channels[0], channels[1], channels[2]


def _opaque(image: Image.Image, path: str) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() < 255:
        raise InputError(f"expected an opaque mask, but {path} has transparent pixels; save it without transparency")
    return pixels[:, :, :3]


def _ids_of_colors(pixels: np.ndarray, colors: dict[Color, int], path: str) -> np.ndarray:
    if not colors:
        if (pixels == pixels[:, :, :1]).all():
            return pixels[:, :, 0].astype(np.int64)
        found = np.unique(pixels.reshape(-1, 3), axis=0)
        shown = ", ".join(" ".join(map(str, color)) for color in found[:3].tolist())
        raise InputError(
            f"{path} has the colours {shown}{', ...' if len(found) > 3 else ''}, and the classes have none; write "
            "'id name r g b' lines into classes.txt, or save the mask as a grey PNG of ids"
        )
    found, places = np.unique(packed(pixels), return_inverse=True)
    known = {red << 16 | green << 8 | blue: number for (red, green, blue), number in colors.items()}
    strange = [int(color) for color in found if int(color) not in known]
    if strange:
        color = (strange[0] >> 16, strange[0] >> 8 & 255, strange[0] & 255)
        row, column = np.argwhere((pixels == color).all(2))[0].tolist()
        raise InputError(
            f"{path}: the colour {color} at row {row}, column {column} is that of no class"
            f"{f' (nor are {len(strange) - 1} others)' if len(strange) > 1 else ''}; add it to the list of classes, or "
            "save the mask without smoothing"
        )
    return np.array([known[int(color)] for color in found], dtype=np.int64)[places].reshape(pixels.shape[:2])
