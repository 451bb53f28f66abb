"""Uploads that are pictures, and uploads that are not, or too much; decoded in the process that guards against them."""

import io
import os
import signal
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from sean.errors import InputError
from sean.images import EncodedPicture, read_photo
from sean.labels import CELEBAMASK_HQ
from sean.web.decoding import FORMATS, Decoder, decode, read_frame, write_frame
from sean.web.limits import MIB, Limits

from ..profiles import WIDE_GAMUT
from .conftest import png_bytes

LIMITS = Limits(upload_bytes=4 * MIB, decode_bytes=24 * MIB)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(LIMITS)
    yield decoder
    decoder.close()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int, data: bytes = b"") -> bytes:
    """An RGB PNG that says it is so large, with any data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_pictures_come_back_as_they_are(decoder: Decoder, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(decoder.image(png_bytes(image)).image, image)
    decoder.check(png_bytes(image))


def test_label_maps_come_back_as_ids(decoder: Decoder) -> None:
    ids = np.arange(18, dtype=np.uint8).reshape(3, 6)
    result = decoder.segmap(png_bytes(ids), CELEBAMASK_HQ)
    assert result.dtype == np.int64 and np.array_equal(result, ids)
    with pytest.raises(InputError, match=r"label ids 0\.\.18 .*, got 19"):
        decoder.segmap(png_bytes(ids + 2), CELEBAMASK_HQ)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "the file is empty"),
        (b"this is no picture", "expected a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "expected a picture"),
        (png_bytes(np.zeros((99, 99, 3), np.uint8))[:80], "damaged or truncated"),
        (png_of_size(8200, 7000), r"8200 x 7000 pixels \(57 million\).* 51 million at most"),
        (HEIC, r"a HEIC photo, which cannot be read here; save it as JPEG|a damaged or truncated HEIC photo"),
        (png_of_size(2**31 - 1, 2**31 - 1), "million at most"),
        (png_of_size(0, 5), "expected a picture"),
    ],
    ids=["empty", "text", "eps", "truncated", "57 megapixels", "heic", "enormous", "no pixels"],
)
def test_what_is_no_picture_or_too_large_is_refused_in_one_line(decoder: Decoder, data: bytes, complaint: str) -> None:
    for task in (decoder.image, decoder.check):
        if task == decoder.check and "damaged" in complaint:
            continue  # its header is fine
        with pytest.raises(InputError, match=complaint) as raised:
            task(data)
        assert "\n" not in str(raised.value)


def test_a_bomb_of_text_is_refused(decoder: Decoder) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("bomb", "x" * 50 * MIB, zip=True)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, format="PNG", pnginfo=info)
    assert file.tell() < MIB
    with pytest.raises(InputError):
        decoder.image(file.getvalue())


def test_memory_is_bounded_and_the_next_picture_is_decoded(decoder: Decoder, rng: np.random.Generator) -> None:
    file = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(file, format="JPEG")
    with pytest.raises(InputError, match=r"damaged|memory|limits"):
        decoder.image(file.getvalue())
    image = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(decoder.image(png_bytes(image)).image, image)


def test_a_process_that_takes_too_long_is_replaced(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png_bytes(np.zeros((2, 2, 3), np.uint8))
    decoder.check(data)
    process = decoder._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)  # as if it were at something endless
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_limits", Limits(decode_seconds=0.1))
        with pytest.raises(InputError, match="within the limits of this server"):
            decoder.image(data)
    assert process.poll() is not None
    decoder.check(data)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_pictures_of_all_formats_are_decoded(decoder: Decoder, image_format: str) -> None:
    if image_format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    image = Image.new("RGB", (48, 32), (200, 40, 90))
    file = io.BytesIO()
    options = {"save_all": True, "append_images": [image]} if image_format == "MPO" else {}
    image.save(file, image_format, **options)
    decoded = decoder.image(file.getvalue()).image
    assert decoded.shape == (32, 48, 3)
    assert np.abs(decoded.astype(int) - (200, 40, 90)).max() <= 6


def test_profile_transparency_and_orientation_come_along(decoder: Decoder, rng: np.random.Generator) -> None:
    pixels, exif, file = rng.integers(0, 256, (6, 9, 4), dtype=np.uint8), Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Image.fromarray(pixels).save(file, "PNG", icc_profile=WIDE_GAMUT, exif=exif)
    here, there = read_photo(EncodedPicture(name="x", data=file.getvalue())), decoder.image(file.getvalue())
    assert here.size == (9, 6) and there.orientation == 6 and there.exif is not None and there.alpha is not None
    for name in ("image", "own", "alpha", "profile", "exif", "orientation"):
        assert np.array_equal(getattr(here, name), getattr(there, name)), name


@pytest.mark.slow
def test_a_photo_of_50_megapixels_is_decoded_within_the_limits() -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    picture = Image.effect_noise((817, 612), 60).convert("RGB").resize((8192, 6144))
    picture.save(file, "JPEG", quality=90, progressive=True, icc_profile=WIDE_GAMUT, exif=exif)
    decoder = Decoder(Limits())
    try:
        photo = decoder.image(file.getvalue())
        assert photo.size == (8192, 6144) and photo.own is not None
    finally:
        decoder.close()


def test_only_common_formats_are_known() -> None:
    assert "EPS" not in FORMATS
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, format="PCX")
    with pytest.raises(InputError, match="expected a picture"):
        decode("image", file.getvalue(), 100)


def test_frames_are_read_back_and_nonsense_ends_the_conversation(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    with path.open("wb") as stream:
        write_frame(stream, {"task": "image"}, b"data")
    whole = path.read_bytes()

    def read(data: bytes, max_bytes: int) -> tuple[dict[str, Any], bytes]:
        path.write_bytes(data)
        with path.open("rb") as stream:
            return read_frame(stream, max_bytes)

    assert read(whole, 4) == ({"task": "image", "bytes": 4}, b"data")
    for data, max_bytes in ((whole[:3], 9), (whole[:20], 9), (whole[:-1], 9), (whole, 3), (b"\xff" * 100, 9)):
        with pytest.raises(EOFError):
            read(data, max_bytes)
