"""Segmentation maps: reading and writing them, checking their ids, nearest resize, one-hot, colours.

Inside, a segmap holds int64 ids 0 .. k-1 for the k regions of a `LabelSet`, and k for "no region" (an
unlabelled pixel), whose one-hot vector is all zeros.
"""

import os
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from sean.errors import InputError
from sean.images import PictureSource, open_image, save_image
from sean.labels import LabelSet

Map = TypeVar("Map", np.ndarray, Tensor)

_LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")
_BLACK = (0, 0, 0)


def read_segmap(path: PictureSource, labels: LabelSet) -> np.ndarray:
    """Read a segmap file: a palette or grey picture holds ids, an RGB picture the colours of the palette.

    Returns:
        int64 [h, w], ids 0..k-1, and k where the file says `labels.ignore_id`.

    Raises:
        InputError: not a readable picture, a lossy format, ids out of range, unknown colours, or colours
            where the label set has no palette.
    """
    return validate(read_ids(path, labels), labels, str(path))


def read_ids(path: PictureSource, labels: LabelSet) -> np.ndarray:
    """Read a segmap file without checking the ids: int64 [h, w] as they stand in the file."""
    image = _open_lossless(path)
    if image.mode in ("RGB", "RGBA"):
        return _ids_of_colors(_opaque(image, path), labels, path)
    return _integers(image, path)


def read_instances(path: PictureSource) -> np.ndarray:
    """Read an instance map: int64 [h, w], one number per object; in an RGB picture, one colour per object."""
    image = _open_lossless(path)
    if image.mode in ("RGB", "RGBA"):
        return _packed(np.asarray(image.convert("RGB")))
    return _integers(image, path)


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
    if isinstance(segmap, Tensor):
        rows = torch.arange(height, device=segmap.device) * height_in // height
        columns = torch.arange(width, device=segmap.device) * width_in // width
        return segmap.index_select(-2, rows).index_select(-1, columns)
    source_rows = np.arange(height) * height_in // height
    source_columns = np.arange(width) * width_in // width
    return segmap[..., source_rows[:, None], source_columns]


def onehot(segmap: Int[Tensor, "b h w"], num_regions: int) -> Float[Tensor, "b {num_regions} h w"]:
    """One-hot planes as float32; a pixel with the id num_regions ("no region") is zero in all of them."""
    regions = torch.arange(num_regions, device=segmap.device).view(1, num_regions, 1, 1)
    return (segmap.unsqueeze(1) == regions).to(torch.float32)


def instance_edges(instances: Int[Tensor, "b h w"]) -> Float[Tensor, "b 1 h w"]:
    """1 where one of the four neighbours belongs to another instance, else 0; float32."""
    edges = torch.zeros_like(instances, dtype=torch.bool)
    below = instances[:, 1:, :] != instances[:, :-1, :]
    right = instances[:, :, 1:] != instances[:, :, :-1]
    edges[:, 1:, :] |= below
    edges[:, :-1, :] |= below
    edges[:, :, 1:] |= right
    edges[:, :, :-1] |= right
    return edges.unsqueeze(1).to(torch.float32)


def _open_lossless(path: PictureSource) -> Image.Image:
    image = open_image(path)
    if image.format in _LOSSY:
        raise InputError(
            f"expected a label map as PNG, but {path} is a {image.format}, which blurs the ids; save it as PNG"
        )
    return image


def _integers(image: Image.Image, path: PictureSource) -> np.ndarray:
    if image.mode in ("LA", "La"):
        image = image.getchannel(0)
    if image.mode not in ("P", "L", "1", "I") and not image.mode.startswith("I;16"):
        raise InputError(
            f"expected a palette, grey or RGB label map, but {path} has mode {image.mode}; save it as 8-bit PNG"
        )
    return np.asarray(image).astype(np.int64)


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
    known = {(red << 16 | green << 8 | blue): -1 for red, green, blue in (*labels.palette, _BLACK)}
    # From the last id to the first, so that of two labels with one colour the lower id is read.
    for region, (red, green, blue) in reversed(list(enumerate(labels.palette))):
        known[red << 16 | green << 8 | blue] = region
    if known[0] < 0:
        if labels.ignore_id is None:
            del known[0]
        else:
            known[0] = labels.ignore_id
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


def _illegal_ids_message(ids: np.ndarray, labels: LabelSet, source: str | os.PathLike[str], shown: int = 5) -> str:
    illegal = np.unique(ids).tolist()
    listed = ", ".join(str(label) for label in illegal[:shown]) + (", ..." if len(illegal) > shown else "")
    return (
        f"expected label ids {legal_ids(labels)} of {labels.name!r}, got {listed} in {source}; "
        "fix the map or use the right label set"
    )
