"""Pictures at the edges of the program: files, uint8 arrays [h, w, 3], and the float tensors used inside.

Every picture is opened here, and so in one way: upright as its EXIF tag says, in sRGB, transparency laid on white, 8
bits a channel. Inside, a picture is a float tensor [3, h, w] with values in [-1, 1]; this package is the only place
that converts between the two, and the only one that decodes picture files.

The names of `sean.images.tensors` are loaded on first use: pictures are opened without torch, too.
"""

import importlib
import io
import math
import os
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from sean.errors import InputError
from sean.files import atomic_write, is_file, is_folder
from sean.icc import ColorProfile, bands

if TYPE_CHECKING:
    import torch

    from sean.images.tensors import image_to_tensor as image_to_tensor
    from sean.images.tensors import resize_bilinear as resize_bilinear
    from sean.images.tensors import tensor_to_image as tensor_to_image

JPEG_QUALITY = 95
GREY_BITS = "sean_grey_bits"
"""Key in `Image.info`: the bits of a grey picture that Pillow has spread over 0..255."""

# Photos of more pixels shrink in bands of at least so many rows of the result: bands overlap by 4 rows.
_BANDED_PIXELS, _LEAST_BAND = 2**24, 8
# Pixels of the smaller picture that bicubic interpolation looks to either side.
_BICUBIC_REACH = 2

_LEVELS = {4: 0x11, 2: 0x55}
# Cameras store 12 bits in files of 16, and instruments 24 in files of 32.
_DEPTHS = (8, 12, 16, 24, 31)
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """The bytes of a picture file that is part of another file; prints as `name`, which messages show."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


PictureSource = str | os.PathLike[str] | EncodedPicture


@dataclass(frozen=True, kw_only=True, eq=False)
class SourcePhoto:
    """A photo as the model sees it, and the other content of its file, which `sean.photo_output` writes back.

    Attributes:
        image: uint8 [h, w, 3]: sRGB, upright, transparent parts on white.
        own: uint8 [h, w, 3], upright: the colour values of the file, where `image` has others because of a profile or
            of transparency.
        alpha: uint8 [h, w], upright, 255 where the photo is opaque; None where it is so everywhere.
        profile: the ICC profile of `own`; None for sRGB.
        exif: the EXIF block as it was in the file.
        orientation: 1..8, the EXIF tag of how the photo lay in the file.
        name: for messages.
    """

    image: np.ndarray
    own: np.ndarray | None = None
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    orientation: int = 1
    name: str = "the photo"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        return self.image.shape[0], self.image.shape[1]


ImageLike = Union[Image.Image, np.ndarray, "torch.Tensor", str, os.PathLike[str], SourcePhoto]
"""What a photo may be given as, see `as_photo`."""


def open_image(source: PictureSource) -> Image.Image:
    """Decode a picture file completely, as it is: mode, palette and orientation untouched.

    Raises:
        InputError: the file is missing, empty, truncated, no picture, or too large to be meant.
    """
    if isinstance(source, EncodedPicture):
        return _decoded(io.BytesIO(source.data), source.name, len(source.data))
    path = Path(source)
    # a pipe of a shell, as in <(convert ...), can be read once, and decoders seek
    if os.path.exists(path) and path.is_fifo():
        return open_image(EncodedPicture(name=str(path), data=path.read_bytes()))
    if not is_file(path):
        what = "found a folder" if is_folder(path) else "found no file"
        raise InputError(f"expected a picture at {path}, {what}; check the path")
    return _decoded(path, str(path), path.stat().st_size)


def _decoded(file: Path | io.BytesIO, name: str, num_bytes: int) -> Image.Image:
    if num_bytes == 0:
        raise InputError(f"expected a picture, but {name} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Users need no warnings of doubtful metadata, nor of pictures of more than half the size that Pillow
            # refuses: phones make such photos.
            warnings.simplefilter("ignore")
            with _identified(file) as image:
                bits = grey_bits(image)
                image.load()
            if bits < 8:
                image.info[GREY_BITS] = bits
            return image
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(error, name)) from error
    except UnidentifiedImageError as error:
        raise InputError(unidentified(name, _head(file))) from error
    except MemoryError as error:
        raise InputError(f"{name} takes more memory to decode than there is; make it smaller") from error
    except PermissionError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; check its permissions") from error
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise InputError(f"{name} is a damaged or truncated picture ({_one_line(error)})") from error


def _identified(file: Path | io.BytesIO) -> Image.Image:
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        if not (is_heic(_head(file)) and register_heic()):
            raise
        return Image.open(file)


def register_heic() -> bool:
    """Teach Pillow HEIC, the format of iPhones; False where pillow-heif is not installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def is_heic(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a HEIC picture."""
    brands = head[8:32]
    return head[4:8] == b"ftyp" and b"avi" not in brands and any(brand in brands for brand in _HEIC_BRANDS)


def unidentified(name: str, head: bytes) -> str:
    """The message for a file that Pillow does not know: its name, its first bytes."""
    if is_heic(head) and register_heic():
        return f"{name} is a damaged or truncated HEIC photo"
    if is_heic(head):
        return (
            f"{name} is a HEIC photo, which cannot be read here; save it as JPEG, or install pillow-heif "
            "(pip install 'seankit[heic]')"
        )
    return f"expected a picture (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF), but {name} is none"


def _head(file: Path | io.BytesIO) -> bytes:
    if isinstance(file, io.BytesIO):
        return bytes(file.getbuffer()[:32])
    with file.open("rb") as stream:
        return stream.read(32)


def _too_large(error: Exception, name: str) -> str:
    counts = [f"{int(count) / 1e6:.0f}" for count in re.findall(r"\d+", str(error))]
    has, most = counts[:2] if len(counts) >= 2 else ("too many", "0")
    return f"{name} has {has} million pixels, and a picture may have {most} million; make it smaller"


def grey_bits(image: Image.Image) -> int:
    """Bits a pixel of a grey picture that is not loaded yet, 1 to 8; 8 for any other.

    Pillow spreads grey levels of 2 and 4 bits over 0..255, which suits pictures but not label ids.
    """
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else None
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    if image.mode != "L" or not isinstance(raw_mode, str):
        return image.info.get(GREY_BITS, 8)
    return next((bits for bits in _LEVELS if raw_mode.startswith(f"L;{bits}")), 8)


def grey_levels(image: Image.Image) -> np.ndarray:
    """The numbers of a grey, palette or one-bit picture as they stand in the file: an integer array [h, w]."""
    bits = grey_bits(image)
    levels = np.asarray(image)
    return levels // _LEVELS[bits] if bits in _LEVELS else levels


def read_image(source: PictureSource) -> np.ndarray:
    """Read a picture as the model is to see it, see `read_photo`.

    Returns:
        uint8 [h, w, 3].

    Raises:
        InputError: see `open_image`.
    """
    return read_photo(source).image


def read_photo(source: PictureSource) -> SourcePhoto:
    """Read a picture: upright as its EXIF tag says, in sRGB as its ICC profile says, transparency on white.

    A damaged EXIF block or profile is ignored, as viewers do.

    Raises:
        InputError: see `open_image`.
    """
    return _photo_of(open_image(source), str(source))


def as_photo(image: ImageLike) -> SourcePhoto:
    """A photo of whatever a picture may be given as.

    Args:
        image: a path; a PIL picture, with the EXIF orientation and ICC profile of its `info`; an array uint8 [h, w, 3],
            sRGB; or a tensor [3, h, w], uint8 or float in [-1, 1].

    Raises:
        InputError: no such file, or not a picture.
    """
    if isinstance(image, SourcePhoto):
        return image
    if is_tensor(image):
        return SourcePhoto(image=importlib.import_module("sean.images.tensors").array_of_photo(image))
    if isinstance(image, str | os.PathLike):
        return read_photo(image)
    if not isinstance(image, Image.Image):
        array = cast(np.ndarray, image)
        check_image(array)
        return SourcePhoto(image=array)
    try:
        image.load()
    except Exception as error:  # a file that was opened lazily
        raise InputError(f"the picture is damaged or truncated ({_one_line(error)})") from error
    return _photo_of(image, "the photo")


def to_rgb(image: Image.Image) -> np.ndarray:
    """Any PIL picture as uint8 [h, w, 3], see `as_photo`."""
    return as_photo(image).image


def _photo_of(image: Image.Image, name: str) -> SourcePhoto:
    """A photo of a loaded PIL picture."""
    if 0 in image.size:
        raise InputError(f"expected a picture, but {name} has no pixels ({image.width} x {image.height})")
    exif, orientation = _exif_of(image)
    own, alpha, profile = _values(image)
    del image  # frees half a gigabyte for a large photo that no caller holds
    if alpha is not None:
        alpha = turned(alpha, orientation)
    own = turned(own, orientation)
    pixels = own if profile is None else profile.to_srgb(own)
    if alpha is not None:
        pixels = _on_white(pixels, alpha)
    return SourcePhoto(
        image=pixels,
        own=None if pixels is own else own,
        alpha=alpha,
        profile=None if profile is None else profile.data,
        exif=exif,
        orientation=orientation,
        name=name,
    )


def _values(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, ColorProfile | None]:
    """RGB uint8 [h, w, 3], alpha uint8 [h, w] unless it is opaque, and the profile of the RGB unless that is sRGB."""
    icc = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_eight_bits(image)[:, :, None], 3, axis=2), None, None
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = _array(image, "RGBA")
        alpha = rgba[:, :, 3]
        opaque = int(alpha.min()) == 255
        return rgba[:, :, :3].copy(), None if opaque else alpha.copy(), ColorProfile.of(icc, "RGB")
    if image.mode in ("CMYK", "L"):  # an edited picture is RGB: there is no way back to these
        profile = ColorProfile.of(icc, image.mode)
        if profile is not None:
            return profile.to_srgb(np.asarray(image)), None, None
    return _array(image, "RGB"), None, ColorProfile.of(icc, "RGB")


def _array(image: Image.Image, mode: str) -> np.ndarray:
    """The pixels of a PIL picture in a mode of 8-bit channels: uint8 [h, w, c]. Takes little more than the result."""
    result = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    for rows in bands(image.height, image.width):
        band = image.crop((0, rows.start, image.width, rows.stop))
        result[rows] = np.asarray(band if band.mode == mode else band.convert(mode))
    return result


def _eight_bits(image: Image.Image) -> np.ndarray:
    """A grey picture of more than 8 bits as uint8 [h, w].

    Integers have as many of `_DEPTHS` bits as the largest value needs. Floats lie in 0..1 where all values are at most
    1, else in 0..255. Values outside are clamped; NaN is black.
    """
    values = np.asarray(image)
    largest = float(np.nan_to_num(values.max() if values.dtype.kind != "f" else np.nanmax(values, initial=0), posinf=0))
    if image.mode == "F":
        scale = 255.0 if largest <= 1 else 1.0
    else:
        scale = 255 / (2 ** next(depth for depth in _DEPTHS if largest < 2**depth) - 1)
    result = np.empty(values.shape, dtype=np.uint8)
    for rows in bands(*values.shape):
        levels = np.nan_to_num(values[rows].astype(np.float64) * scale, nan=0.0)
        result[rows] = np.clip(np.rint(levels), 0, 255)
    return result


def _on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    result = np.empty_like(rgb)
    for rows in bands(*alpha.shape):
        opacity = alpha[rows, :, None].astype(np.uint16)
        result[rows] = (rgb[rows] * opacity + 255 * (255 - opacity) + 127) // 255
    return result


def _exif_of(image: Image.Image) -> tuple[bytes | None, int]:
    """The EXIF block and the orientation in it; None and 1 where it is damaged: it is untrusted bytes as well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        block = image.info.get("exif")
        return block if isinstance(block, bytes) and block else None, orientation if orientation in range(1, 9) else 1
    except Exception:
        return None, 1


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of a loaded PIL picture, 1..8; 1 where there is none."""
    return _exif_of(image)[1]


def turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """A picture or map [h, w, ...] as it lies in a file, turned upright as the EXIF orientation 1..8 says."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def write_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write uint8 [h, w, 3] to `path`, atomically, in the format that the suffix names.

    Raises:
        InputError: the suffix names no format that can be written, or the folder cannot be written.
    """
    check_image(image)
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
    options = {"quality": JPEG_QUALITY} if image_format in ("JPEG", "WEBP", "AVIF") else {}
    with atomic_write(path) as temporary:
        image.save(temporary, format=image_format, **options)


def jpeg_round_trip(image: np.ndarray, quality: int) -> np.ndarray:
    """Store uint8 [h, w, 3] as JPEG of a quality in 1..95, in memory, and read it back."""
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, format="JPEG", quality=quality)
    return np.array(Image.open(stored))


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 [h, w, 3] to size = (h, w): bicubic, antialiased where it shrinks.

    Photos of more than 16 million pixels shrink band by band: Pillow would take 4 bytes a pixel for a copy of the
    photo, and as many for one with its rows reduced.
    """
    check_image(image)
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    rows = image.shape[0] / height
    if rows < 1 or image.shape[0] * image.shape[1] <= _BANDED_PIXELS:
        return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    result = np.empty((height, width, 3), dtype=np.uint8)
    reach = math.ceil(_BICUBIC_REACH * rows) + 1
    step = max(_LEAST_BAND, _BANDED_PIXELS // 4 // math.ceil(rows * image.shape[1]))
    for start in range(0, height, step):
        band = slice(start, min(start + step, height))
        top, bottom = band.start * rows, min(band.stop * rows, float(image.shape[0]))
        first = max(0, math.floor(top) - reach)
        part = Image.fromarray(image[first : math.ceil(bottom) + reach])
        box = (0.0, top - first, float(part.width), bottom - first)
        result[band] = np.asarray(part.resize((width, band.stop - band.start), Image.Resampling.BICUBIC, box=box))
    return result


def check_image(image: np.ndarray) -> None:
    """Raise InputError unless this is an array uint8 [h, w, 3] with pixels."""
    is_array = isinstance(image, np.ndarray)
    if not is_array or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        got = f"{image.dtype} {list(image.shape)}" if hasattr(image, "dtype") else type(image).__name__
        raise InputError(f"expected a picture as uint8 [h, w, 3], got {got}; convert it to 8-bit RGB first")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def is_tensor(value: object) -> bool:
    """Whether this is a tensor of torch; loads no torch, without which there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def __getattr__(name: str) -> Any:
    if name not in ("image_to_tensor", "resize_bilinear", "tensor_to_image"):
        raise AttributeError(f"module 'sean.images' has no attribute {name!r}")
    return getattr(importlib.import_module("sean.images.tensors"), name)
