"""Pictures at the edges of the program: files, uint8 arrays [h, w, 3], and the float tensors used inside.

Inside, a picture is a float tensor [3, h, w] with values in [-1, 1]; this module is the only place that
converts between the two, and the only one that decodes picture files.
"""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from sean.errors import InputError
from sean.files import atomic_write

_JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """The bytes of a picture file that is part of another file; prints as `name`, which messages show."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


PictureSource = str | os.PathLike[str] | EncodedPicture


def open_image(source: PictureSource) -> Image.Image:
    """Decode a picture file completely, as it is: mode, palette and orientation untouched.

    Raises:
        InputError: the file is missing, empty, truncated, no picture, or too large to be meant.
    """
    if isinstance(source, EncodedPicture):
        return _decoded(io.BytesIO(source.data), source.name, len(source.data))
    path = Path(source)
    if not path.is_file():
        what = "found a folder" if path.is_dir() else "found no file"
        raise InputError(f"expected a picture at {path}, {what}; check the path")
    return _decoded(path, str(path), path.stat().st_size)


def _decoded(file: Path | io.BytesIO, name: str, num_bytes: int) -> Image.Image:
    if num_bytes == 0:
        raise InputError(f"expected a picture, but {name} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Doubtful metadata is no reason to trouble the user; a picture of absurd size is an error.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                image.load()
                return _detached(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} has more pixels than can be meant ({error}); make it smaller") from error
    except UnidentifiedImageError as error:
        raise InputError(f"expected a picture (PNG, JPEG, ...), but {name} is none") from error
    except PermissionError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; check its permissions") from error
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise InputError(f"{name} is a damaged or truncated picture ({_one_line(error)})") from error


def read_image(path: PictureSource) -> np.ndarray:
    """Read a picture as RGB, turned upright as its EXIF tag says; transparency is laid on white.

    Returns:
        uint8 [h, w, 3].

    Raises:
        InputError: see `open_image`.
    """
    image = open_image(path)
    try:
        image = ImageOps.exif_transpose(image)
    except Exception as error:  # the EXIF block is untrusted bytes as well
        raise InputError(f"{path} has a damaged EXIF block ({_one_line(error)}); save it anew") from error
    return to_rgb(image)


def to_rgb(image: Image.Image) -> np.ndarray:
    """Any PIL picture as uint8 [h, w, 3]; 16-bit greys are scaled, transparency is laid on white."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image).astype(np.float64)
        if image.mode != "F" and grey.size and grey.max() > 255:
            grey = grey / 257.0
        levels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        return np.repeat(levels[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba)
    return np.array(image.convert("RGB"))


def write_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write uint8 [h, w, 3] to `path`, atomically, in the format that the suffix names.

    Raises:
        InputError: the suffix names no format that can be written, or the folder cannot be written.
    """
    _check_uint8(image)
    save_image(path, Image.fromarray(image))


def format_of(path: str | os.PathLike[str]) -> str:
    """Pillow's name of the format that the suffix of `path` names; InputError where it cannot be written."""
    image_format = Image.registered_extensions().get(Path(path).suffix.lower())
    if image_format is None or image_format not in Image.SAVE:
        raise InputError(f"cannot write a picture named {Path(path).name!r}; use the suffix .png or .jpg")
    return image_format


def save_image(path: str | os.PathLike[str], image: Image.Image) -> None:
    """Write a PIL picture of any mode (see `write_image`)."""
    image_format = format_of(path)
    options = {"quality": _JPEG_QUALITY} if image_format in ("JPEG", "WEBP") else {}
    with atomic_write(path) as temporary:
        image.save(temporary, format=image_format, **options)


def image_to_tensor(image: np.ndarray) -> Float[Tensor, "3 h w"]:
    """uint8 [h, w, 3] -> float32 [3, h, w]: 0 becomes -1, 255 becomes 1."""
    _check_uint8(image)
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1))
    return torch.from_numpy(channels_first).to(torch.float32).div_(127.5).sub_(1.0)


def tensor_to_image(image: Float[Tensor, "3 h w"]) -> np.ndarray:
    """Float [3, h, w] in [-1, 1] -> uint8 [h, w, 3], rounded; values outside are clamped."""
    levels = image.detach().to(device="cpu", dtype=torch.float32).add(1.0).mul(127.5)
    array: np.ndarray = levels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return array


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 [h, w, 3] to size = (h, w): bicubic, antialiased where it shrinks."""
    _check_uint8(image)
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized)


def _detached(image: Image.Image) -> Image.Image:
    """A copy without the open file that still knows its format (`copy` forgets it)."""
    copy = image.copy()
    copy.format = image.format
    return copy


def _check_uint8(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            f"expected a picture as uint8 [h, w, 3], got {image.dtype} {list(image.shape)}; "
            "convert it to 8-bit RGB first"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
