"""Segmentation maps: reading and writing them, checking their ids, nearest resize, one-hot, colours.

Inside, a segmap holds int64 ids 0 .. k-1 for the k regions of a `LabelSet`, and k for "no region" (an
unlabelled pixel), whose one-hot vector is all zeros.

The names of `sean.segmap.tensors` are loaded on first use: label maps are read without torch, too.
"""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union

import numpy as np
from PIL import Image

from sean.errors import InputError
from sean.images import (
    PictureSource,
    SourcePhoto,
    grey_levels,
    is_tensor,
    open_image,
    orientation_of,
    save_image,
    turned,
)
from sean.labels import Color, LabelSet

if TYPE_CHECKING:
    import torch

    from sean.segmap.tensors import instance_edges as instance_edges
    from sean.segmap.tensors import onehot as onehot

Map = TypeVar("Map", np.ndarray, "torch.Tensor")
SegmapLike = Union[Image.Image, np.ndarray, "torch.Tensor", str, os.PathLike[str]]
"""What a label map may be given as, see `segmap_of`."""

_LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")
_BLACK = (0, 0, 0)
_USUAL_IGNORE_ID = 255


def read_segmap(path: PictureSource, labels: LabelSet) -> np.ndarray:
    """Read a segmap file: a grey picture holds ids, an RGB picture the colours of the palette.

    If the label set has no palette, an RGB picture of three equal channels is read as a grey picture. A palette picture
    holds ids, too, unless its palette has the colours of the set at other indices: a program has then sorted the
    palette, and the colours decide. A map with an EXIF orientation is turned upright.

    Returns:
        int64 [h, w], ids 0..k-1, and k where the file says `labels.ignore_id`.

    Raises:
        InputError: not a readable picture, a lossy format, ids out of range, unknown colours, colours where the label
            set has no palette, or a palette that contradicts the ids.
    """
    return validate(read_ids(path, labels), labels, str(path))


def read_ids(path: PictureSource, labels: LabelSet) -> np.ndarray:
    """Read a segmap file without checking the ids: int64 [h, w] as they stand in the file."""
    return _ids_of(_open_lossless(path), labels, str(path))


def segmap_of(segmap: SegmapLike, labels: LabelSet) -> np.ndarray:
    """The checked map of whatever a segmap may be given as.

    Args:
        segmap: the path of a file or a PIL picture, see `read_segmap`; or an array or tensor of integers [h, w], ids
            0..k.
        labels: the label set, with k regions.

    Returns:
        int64 [h, w] with ids 0..k; a new array.

    Raises:
        InputError: see `read_segmap` and `validate`.
    """
    if isinstance(segmap, str | os.PathLike):
        return read_segmap(segmap, labels)
    if isinstance(segmap, Image.Image):
        segmap = _ids_of(segmap, labels, "the segmap")
    return validate(_array_of(segmap), labels, "the segmap", allow_unlabelled=True)


def _array_of(segmap: Any) -> np.ndarray:
    return segmap.detach().cpu().numpy() if is_tensor(segmap) else np.asarray(segmap)


def segmap_of_photo(
    segmap: SegmapLike,
    labels: LabelSet,
    photo: SourcePhoto,
    model_size: tuple[int, int],
    name: str | os.PathLike[str] = "the segmap",
) -> np.ndarray:
    """The map of a photo: `segmap_of`, turned upright with the photo if it has the orientation of the photo's file.

    Args:
        segmap: see `segmap_of`; with the aspect ratio of the photo in any size, or of the model's size: it then shows
            the whole photo, stretched to that size as the model sees it.
        labels: the label set.
        photo: the photo of the map. Its EXIF orientation says how the photo was turned. If the shape of the map fits
            both the upright and the stored photo (a square photo), the map is taken to be upright.
        model_size: (h, w).
        name: of the map, for messages.

    Raises:
        InputError: see `segmap_of`, or a map of another shape than the photo.
    """
    ids = turned_with(photo, segmap_of(segmap, labels))
    if ids.shape != model_size and not _in_ratio(ids.shape, photo.size):
        height, width = photo.size
        advice = "it lies on its side; turn it" if _in_ratio(ids.shape[::-1], photo.size) else "crop one like the other"
        raise InputError(
            f"expected a photo and its label map of one size, or of one shape (h x w), got {height} x {width} in "
            f"{photo.name} and {ids.shape[0]} x {ids.shape[1]} in {name}; {advice}"
        )
    return ids


def turned_with(photo: SourcePhoto, segmap: np.ndarray) -> np.ndarray:
    """A map [h, w], turned upright with its photo if it has the shape of the stored photo, not of the upright photo.

    Programs that ignore the EXIF orientation write such maps.
    """
    size, stored = photo.size, photo.size[::-1]
    fits = segmap.shape == size or (segmap.shape != stored and _in_ratio(segmap.shape, size))
    if photo.orientation >= 5 and not fits and _in_ratio(segmap.shape, stored):
        return turned(segmap, photo.orientation)
    return segmap


def may_lie_sideways(photo: SourcePhoto, segmap_size: tuple[int, ...]) -> bool:
    """Whether the shape of a map leaves open if it shows the photo upright or as it lies in its file."""
    return photo.orientation != 1 and (photo.orientation < 5 or photo.size[0] == photo.size[1] == segmap_size[0])


def _in_ratio(size: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two sizes (h, w) show the same shape, where one was made of the other by rounding to whole pixels."""
    difference = abs(size[0] * other[1] - size[1] * other[0])
    return difference <= max(max(size), max(other))


def read_instances(path: PictureSource) -> np.ndarray:
    """Read an instance map: int64 [h, w], one number per object; in an RGB picture, one colour per object."""
    return _numbers_of(_open_lossless(path), str(path))


def numbers_of(numbers: SegmapLike) -> np.ndarray:
    """An integer map [h, w] that needs no label set, as instances, of whatever it may be given as."""
    if isinstance(numbers, str | os.PathLike):
        return read_instances(numbers)
    return _numbers_of(numbers, "the map") if isinstance(numbers, Image.Image) else _array_of(numbers)


def validate(
    segmap: np.ndarray,
    labels: LabelSet,
    source: str | os.PathLike[str] = "the segmap",
    *,
    allow_unlabelled: bool = False,
) -> np.ndarray:
    """Check a map of label ids and turn the ignore id into k.

    Args:
        segmap: integers [h, w].
        labels: the label set, with k regions.
        source: file (or other name) for the message.
        allow_unlabelled: also accept k, i.e. a map that has been through here before.

    Returns:
        int64 [h, w] with ids 0..k; a new array.

    Raises:
        InputError: wrong shape or kind of numbers, or ids out of range; names source, ids and range.
    """
    if segmap.ndim != 2 or 0 in segmap.shape or segmap.dtype.kind not in "iub":
        raise InputError(
            f"expected a map of label ids, integers [h, w], in {source}, got {segmap.dtype} {list(segmap.shape)}"
        )
    ids = segmap.astype(np.int64)
    if labels.ignore_id is not None:
        ids[segmap == labels.ignore_id] = labels.num_regions
    legal = (ids >= 0) & (ids < labels.num_regions)
    if allow_unlabelled:
        legal |= ids == labels.num_regions
    elif labels.ignore_id is not None:
        # A bare k in a file is a mistake (ids counted from 1) unless k is the ignore id itself.
        legal |= segmap == labels.ignore_id
    if not legal.all():
        raise InputError(_illegal_ids_message(ids[~legal], labels, source))
    return ids


def legal_ids(labels: LabelSet) -> str:
    """The ids that a file may hold, in words: "0..18" or "0..149 or 255 (unlabelled)"."""
    extra = "" if labels.ignore_id is None else f" or {labels.ignore_id} (unlabelled)"
    return f"0..{labels.num_regions - 1}{extra}"


def write_segmap(path: str | os.PathLike[str], segmap: np.ndarray, labels: LabelSet) -> None:
    """Write int64 [h, w] with ids 0..k as a PNG that `read_segmap` reads back, atomically.

    The PNG is a palette picture in the colours of the set; with ids above 255, a 16-bit grey one.

    Raises:
        InputError: ids out of range, a suffix other than .png, or unlabelled pixels where the set has no
            ignore id to write them as.
    """
    if Path(path).suffix.lower() != ".png":
        raise InputError(f"cannot write a segmap to {path}: only .png keeps the ids; change the suffix")
    ids = validate(segmap, labels, "the segmap to write", allow_unlabelled=True)
    unlabelled = ids == labels.num_regions
    if unlabelled.any():
        if labels.ignore_id is None:
            raise InputError(
                f"cannot write {path}: the segmap has unlabelled pixels, but labels {labels.name!r} have no "
                "ignore id; give every pixel a region or the label set an ignore id"
            )
        ids[unlabelled] = labels.ignore_id
    if max(labels.num_regions - 1, labels.ignore_id or 0) > 255:
        save_image(path, Image.fromarray(ids.astype(np.uint16)))
        return
    save_image(path, palette_image(ids, labels))


def palette_image(ids: np.ndarray, labels: LabelSet) -> Image.Image:
    """Ids [h, w] in 0..255 (a set's, its ignore id among them) as a palette picture in the colours of the set."""
    image = Image.fromarray(ids.astype(np.uint8))
    # All 256 entries: with fewer, the PNG would get fewer bits a pixel and lose the ignore id.
    colors = np.zeros((256, 3), dtype=np.uint8)
    colors[: labels.num_regions] = labels.colors
    image.putpalette(colors.tobytes())
    return image


def colorize(segmap: np.ndarray, labels: LabelSet) -> np.ndarray:
    """int64 [h, w] with ids 0..k -> uint8 [h, w, 3] in the colours of the set; unlabelled is black."""
    table = np.array([*labels.colors, _BLACK], dtype=np.uint8)
    return table[validate(segmap, labels, "the segmap to show", allow_unlabelled=True)]


def resize_segmap(segmap: Map, size: tuple[int, int]) -> Map:
    """Nearest resize of a map [..., h, w] to size = (h, w): output i takes input (i * size_in) // size_out.

    Any integer map will do (label ids, instance ids), as an array or as a tensor on any device.
    """
    height, width = size
    height_in, width_in = segmap.shape[-2:]
    if (height, width) == (height_in, width_in):
        return segmap
    if is_tensor(segmap):
        return importlib.import_module("sean.segmap.tensors").resize_tensor(segmap, size)
    source_rows = np.arange(height) * height_in // height
    source_columns = np.arange(width) * width_in // width
    return segmap[..., source_rows[:, None], source_columns]


def is_lossy(image: Image.Image) -> bool:
    """Whether a picture comes from a file of a format that may have changed ids, such as JPEG."""
    return image.format in _LOSSY


def _open_lossless(path: PictureSource) -> Image.Image:
    image = open_image(path)
    if is_lossy(image):
        raise InputError(
            f"expected a label map as PNG, but {path} is a {image.format}, which blurs the ids; save it as PNG"
        )
    return image


def _ids_of(image: Image.Image, labels: LabelSet, name: str) -> np.ndarray:
    """The ids of a map as a picture, upright and unchecked."""
    if image.mode in ("RGB", "RGBA"):
        pixels = _opaque(image, name)
        is_grey = labels.palette is None and (pixels == pixels[:, :, :1]).all()
        ids = pixels[:, :, 0].astype(np.int64) if is_grey else _ids_of_colors(pixels, labels, name)
    else:
        ids = _integers(image, name)
        if image.mode == "P":
            ids = _ids_of_palette(ids, image, labels, name)
    return turned(ids, orientation_of(image))


def _numbers_of(image: Image.Image, name: str) -> np.ndarray:
    is_colored = image.mode in ("RGB", "RGBA")
    numbers = _packed(np.asarray(image.convert("RGB"))) if is_colored else _integers(image, name)
    return turned(numbers, orientation_of(image))


def _ids_of_palette(indices: np.ndarray, image: Image.Image, labels: LabelSet, name: str) -> np.ndarray:
    """The ids of a palette picture: its indices, or the ids of its colours where the set has these at other ids.

    Raises:
        InputError: most colours belong to other ids of the set, and some do not belong to the set.
    """
    known, own = _id_of_color(labels, labels.colors), _packed(np.array(labels.colors))
    colors = _packed(np.array(image.getpalette(), dtype=np.int64).reshape(-1, 3))
    used = [index for index in np.unique(indices).tolist() if index < len(colors)]
    elsewhere = [
        index for index in used if index != labels.ignore_id and (index >= len(own) or own[index] != colors[index])
    ]
    num_foreign = sum(int(colors[index]) not in known for index in elsewhere)
    # black may be "unlabelled", but is the first colour of many a palette that means nothing
    num_moved = sum(known.get(int(colors[index]), labels.ignore_id) != labels.ignore_id for index in elsewhere)
    if not num_moved or num_moved < num_foreign:
        return indices
    if num_foreign:
        raise InputError(
            f"the palette of {name} has {num_moved} colours of labels {labels.name!r} at other indices than their ids, "
            f"and {num_foreign} that are none of theirs; save the map as a grey PNG of label ids"
        )
    if indices.max() >= len(colors):
        raise InputError(
            f"{name} is damaged: a pixel has colour {indices.max()} of a palette of {len(colors)}; save the map again"
        )
    table = np.array([known.get(int(color), 0) for color in colors], dtype=np.int64)
    return table[indices]


def _integers(image: Image.Image, path: PictureSource) -> np.ndarray:
    if image.mode in ("LA", "La"):
        image = image.getchannel(0)
    if image.mode not in ("P", "L", "1", "I") and not image.mode.startswith("I;16"):
        raise InputError(
            f"expected a palette, grey or RGB label map, but {path} has mode {image.mode}; save it as 8-bit PNG"
        )
    return grey_levels(image).astype(np.int64)


def _opaque(image: Image.Image, path: PictureSource) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() < 255:
        raise InputError(
            f"expected an opaque label map, but {path} has transparent pixels; save it without transparency"
        )
    return pixels[:, :, :3]


def _packed(colors: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(colors.astype(np.int64), -1, 0)
    packed: np.ndarray = red << 16 | green << 8 | blue
    return packed


def _ids_of_colors(pixels: np.ndarray, labels: LabelSet, path: PictureSource) -> np.ndarray:
    if labels.palette is None:
        raise InputError(
            f"{path} is an RGB picture, but labels {labels.name!r} have no palette; save it as a grey or "
            "palette PNG of label ids, or add 'r g b' to each line of classes.txt"
        )
    known = _id_of_color(labels, labels.palette)
    keys = np.array(sorted(known), dtype=np.int64)
    values = np.array([known[int(key)] for key in keys], dtype=np.int64)
    packed = _packed(pixels)
    positions = np.minimum(np.searchsorted(keys, packed), len(keys) - 1)
    unknown = keys[positions] != packed
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        color = tuple(int(channel) for channel in pixels[row, column])
        raise InputError(
            f"{path}: colour {color} at row {row}, column {column} is not in the palette of "
            f"{labels.name!r} ({int(unknown.sum())} such pixels); use its exact colours or save label ids"
        )
    found: np.ndarray = values[positions]
    return found


def _id_of_color(labels: LabelSet, colors: Sequence[Color]) -> dict[int, int]:
    """The id by packed colour, the lower of two; the ignore id by black, unless that is a label's colour."""
    known = {} if labels.ignore_id is None else {0: labels.ignore_id}
    for region, (red, green, blue) in reversed(list(enumerate(colors))):
        known[red << 16 | green << 8 | blue] = region
    return known


def _illegal_ids_message(ids: np.ndarray, labels: LabelSet, source: str | os.PathLike[str], shown: int = 5) -> str:
    illegal = np.unique(ids).tolist()
    listed = ", ".join(str(label) for label in illegal[:shown]) + (", ..." if len(illegal) > shown else "")
    return (
        f"expected label ids {legal_ids(labels)} of {labels.name!r}, got {listed} in {source}; "
        f"{ignore_advice(illegal, labels)}fix the map or use the right label set"
    )


def ignore_advice(illegal: Sequence[int], labels: LabelSet) -> str:
    """What to do about illegal ids that mark unlabelled pixels in most data sets; empty where there are none."""
    unlabelled = _USUAL_IGNORE_ID
    if labels.ignore_id is not None or unlabelled not in illegal:
        return ""
    return f"if {unlabelled} marks unlabelled pixels, add the line 'ignore {unlabelled}' to classes.txt; else "


def __getattr__(name: str) -> Any:
    if name not in ("instance_edges", "onehot"):
        raise AttributeError(f"module 'sean.segmap' has no attribute {name!r}")
    return getattr(importlib.import_module("sean.segmap.tensors"), name)
