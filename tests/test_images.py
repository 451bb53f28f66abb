"""Pictures: the two conversions by hand-computed numbers, the file formats, and damaged files."""

import os
import struct
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from sean.errors import InputError
from sean.images import (
    EncodedPicture,
    as_photo,
    image_to_tensor,
    read_image,
    read_photo,
    register_heic,
    resize_image,
    tensor_to_image,
    turned,
    write_image,
)

from .profiles import GREY_GAMMA, WIDE_GAMUT, opened


@pytest.fixture
def picture(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_conversion_by_hand() -> None:
    image = np.array([[[0, 51, 255]]], dtype=np.uint8)
    tensor = image_to_tensor(image)
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.float32, (3, 1, 1))
    torch.testing.assert_close(tensor.flatten(), torch.tensor([-1.0, -0.6, 1.0]))
    # 127.5 * (v + 1): -1.5 and 1.5 clamp, 0.004 gives 128.01, -0.6078 gives 50.0
    values = torch.tensor([-1.5, 1.5, 0.004]).view(3, 1, 1)
    assert tensor_to_image(values).tolist() == [[[0, 255, 128]]]
    assert tensor_to_image(torch.full((3, 1, 1), -0.6071, dtype=torch.float64)).tolist() == [[[50, 50, 50]]]


@given(st.lists(st.integers(0, 255), min_size=12, max_size=12))
def test_every_level_survives_the_round_trip(levels: list[int]) -> None:
    image = np.array(levels, dtype=np.uint8).reshape(2, 2, 3)
    tensor = image_to_tensor(image)
    assert float(tensor.abs().max()) <= 1.0
    assert np.array_equal(tensor_to_image(tensor), image)


def test_writing_png_is_lossless_and_atomic(tmp_path: Path, picture: np.ndarray) -> None:
    write_image(tmp_path / "new" / "a.png", picture)
    assert np.array_equal(read_image(tmp_path / "new" / "a.png"), picture)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_the_bytes_of_a_picture_are_read_as_its_file(tmp_path: Path, picture: np.ndarray) -> None:
    for name in ("a.png", "a.jpg"):
        write_image(tmp_path / name, picture)
        data = (tmp_path / name).read_bytes()
        assert np.array_equal(read_image(EncodedPicture(name="x", data=data)), read_image(tmp_path / name))
    damages = {b"": "x.tar:a.png is empty", b"no": "x.tar:a.png is none", data[:-9]: "x.tar:a.png is a damaged"}
    for damaged, message in damages.items():
        with pytest.raises(InputError, match=message) as caught:
            read_image(EncodedPicture(name="x.tar:a.png", data=damaged))
        assert "\n" not in str(caught.value)


def test_the_suffix_names_the_format(tmp_path: Path, picture: np.ndarray) -> None:
    write_image(tmp_path / "a.JPG", picture)
    with Image.open(tmp_path / "a.JPG") as image:
        assert image.format == "JPEG"
    for name in ("a.xyz", "a", "a.txt"):
        with pytest.raises(InputError, match=f"cannot write a picture named '{name}'"):
            write_image(tmp_path / name, picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.JPG"]


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_a_photo_is_turned_upright(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png", exif=with_orientation(6))  # to be turned clockwise
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(picture, -1))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_in_all_formats(tmp_path: Path, picture: np.ndarray, orientation: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(picture).save(path, exif=with_orientation(orientation), **options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(path), expected)
    with Image.open(path) as image:  # as Pillow gives it, loaded or not
        assert np.array_equal(as_photo(image).image, expected)
        assert np.array_equal(as_photo(image).image, expected)
    if suffix != "jpg":
        assert np.array_equal(turned(picture, orientation), expected)


def app1(jpeg: bytes, block: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def test_a_damaged_exif_block_is_ignored(tmp_path: Path, picture: np.ndarray) -> None:
    write_image(tmp_path / "a.jpg", picture)
    data = (tmp_path / "a.jpg").read_bytes()
    expected = read_image(tmp_path / "a.jpg")
    cut = b"MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0"
    for block in (bytes(range(200)), cut, b"", b"MM\0*\xff\xff\xff\xff"):
        photo = read_photo(EncodedPicture(name="x", data=app1(data, b"Exif\0\0" + block)))
        assert np.array_equal(photo.image, expected) and photo.orientation == 1
    Image.fromarray(picture).save(tmp_path / "b.png", exif=with_orientation(99))
    assert np.array_equal(read_image(tmp_path / "b.png"), picture)


def test_a_picture_may_be_a_path_pillows_or_an_array(tmp_path: Path, picture: np.ndarray) -> None:
    write_image(tmp_path / "a.png", picture)
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(picture), picture):
        assert np.array_equal(as_photo(source).image, picture)
    photo = as_photo(picture)
    assert as_photo(photo) is photo
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-40])
    with Image.open(tmp_path / "b.png") as lazy, pytest.raises(InputError, match="the picture is damaged or truncated"):
        as_photo(lazy)
    for wrong, got in ((picture / 255, "float64"), (picture[:, :, 0], "uint8")):
        with pytest.raises(InputError, match=rf"expected a picture as uint8 \[h, w, 3\], got {got}"):
            as_photo(wrong)


def test_heic_is_named_where_it_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for brands in (b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic"):
        (tmp_path / "me.jpg").write_bytes(b"\0\0\0\x18ftyp" + brands + bytes(2000))
        with pytest.raises(InputError, match=r"me\.jpg is a HEIC photo, which cannot be read here; save it as"):
            read_image(tmp_path / "me.jpg")
    (tmp_path / "me.avif").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(200))
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "me.avif")
    assert "HEIC" not in str(caught.value)


def test_heic_is_read_upright_where_pillow_heif_is_installed(tmp_path: Path) -> None:
    if not register_heic():
        pytest.skip("needs pillow-heif")
    stripes = np.zeros((64, 96, 3), dtype=np.uint8)
    stripes[:, :48] = 255
    Image.fromarray(stripes).save(tmp_path / "a.heic", quality=100, exif=with_orientation(6).tobytes())
    read = read_image(tmp_path / "a.heic")
    assert read.shape == (96, 64, 3) and read[:40].min() > 200 and read[56:].max() < 60


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (np.array([[0, 100, 255]], np.uint16), [0, 100, 255]),
        (np.array([[0, 2048, 4095]], np.uint16), [0, 128, 255]),  # 2048 * 255 / 4095 = 127.53
        (np.array([[0, 25700, 65535]], np.uint16), [0, 100, 255]),
        (np.array([[0, 100 * 65793, 2**24 - 1]], np.int32), [0, 100, 255]),
        (np.array([[0.0, 0.4, 1.0]], np.float32), [0, 102, 255]),
        (np.array([[-3.0, 7.6, 999.0]], np.float32), [0, 8, 255]),
        (np.array([[np.nan, 0.2, np.inf]], np.float32), [0, 51, 255]),
    ],
    ids=["8 of 16 bits", "12 of 16 bits", "16 bits", "24 of 32 bits", "0..1", "0..255", "no numbers"],
)
def test_deep_greys_become_8_bits(tmp_path: Path, values: np.ndarray, levels: list[int]) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0].tolist() == [[level] * 3 for level in levels]


def test_colours_are_converted_to_srgb_as_the_profile_says(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(tmp_path / "wide.png", icc_profile=WIDE_GAMUT)
    photo = read_photo(tmp_path / "wide.png")
    assert photo.profile == WIDE_GAMUT and photo.own is not None and np.array_equal(photo.own, picture)
    slow = ImageCms.profileToProfile(Image.fromarray(picture), opened(WIDE_GAMUT), ImageCms.createProfile("sRGB"))
    assert np.abs(photo.image.astype(int) - np.asarray(slow)).max() <= 1
    with Image.open(tmp_path / "wide.png") as image:
        assert np.array_equal(as_photo(image).image, photo.image)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for ignored in (srgb, b"no profile", GREY_GAMMA):  # the last one is for other values
        Image.fromarray(picture).save(tmp_path / "other.png", icc_profile=ignored)
        other = read_photo(tmp_path / "other.png")
        assert np.array_equal(other.image, picture) and other.own is None and other.profile is None


def test_grey_and_cmyk_profiles_are_obeyed(tmp_path: Path) -> None:
    grey = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    grey.save(tmp_path / "grey.png", icc_profile=GREY_GAMMA)
    levels = read_image(tmp_path / "grey.png")[0]
    assert (levels[:, 0] == levels[:, 2]).all()
    # a linear grey of 55 is (55 / 255) ** (1 / 2.4) * 1.055 - 0.055 = 0.501 in sRGB
    assert abs(int(levels[55, 0]) - 128) <= 1


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [100, 0, 200, 51]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    # 51 / 255 = 0.2: 0.2 * (100, 0, 200) + 0.8 * 255
    assert photo.image[0].tolist() == [[255] * 3, [10, 20, 30], [224, 204, 244]]
    assert photo.alpha is not None and photo.alpha[0].tolist() == [0, 255, 51]
    assert photo.own is not None and np.array_equal(photo.own, pixels[:, :, :3])
    pixels[:, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "b.png")
    assert read_photo(tmp_path / "b.png").alpha is None


def test_other_modes_become_rgb(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png")[0].tolist() == [[0] * 3, [100] * 3, [255] * 3]
    Image.fromarray(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], dtype=np.uint8)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png")[0].tolist() == [[255, 255, 255], [10, 20, 30]]
    Image.fromarray(np.array([[7, 8]], dtype=np.uint8)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png")[0].tolist() == [[7] * 3, [8] * 3]
    palette = Image.new("P", (1, 1), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert read_image(tmp_path / "palette.png")[0].tolist() == [[9, 8, 7]]


def test_files_that_are_no_pictures_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_image(tmp_path / "whole.png", noise)
    write_image(tmp_path / "whole.jpg", noise)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture")
    for name in ("png", "jpg"):
        whole = (tmp_path / f"whole.{name}").read_bytes()
        (tmp_path / f"half.{name}").write_bytes(whole[: len(whole) // 2])
    expected = {
        "missing.png": "found no file",
        "": "found a folder",
        "empty.png": "is empty (0 bytes)",
        "text.png": "is none",
        "half.png": "damaged or truncated",
        "half.jpg": "damaged or truncated",
    }
    for name, message in expected.items():
        with pytest.raises(InputError) as caught:
            read_image(tmp_path / name)
        assert message in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


@given(st.integers(8, 400), st.integers(0, 255))
def test_a_flipped_byte_is_an_error_or_a_picture(position: int, value: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_image(path, np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3))
        data = bytearray(path.read_bytes())
        data[position % len(data)] = value
        path.write_bytes(data)
        try:
            assert read_image(path).dtype == np.uint8
        except InputError as error:
            assert str(path) in str(error)


def test_a_decompression_bomb_is_refused_and_the_largest_phone_photo_is_not(tmp_path: Path) -> None:
    def header(width: int, height: int) -> EncodedPicture:
        fields = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", fields), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
        parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
        return EncodedPicture(name="x.png", data=b"\x89PNG\r\n\x1a\n" + b"".join(parts))

    with pytest.raises(InputError, match=r"^x\.png has 400 million pixels, and a picture may have 179 million; make"):
        read_image(header(20000, 20000))
    with pytest.raises(InputError, match="truncated"):  # its size is none of its faults
        read_image(header(12000, 9000))


def test_resize_keeps_flat_colors_and_antialiases() -> None:
    flat = np.full((9, 5, 3), 77, dtype=np.uint8)
    assert np.array_equal(resize_image(flat, (4, 11)), np.full((4, 11, 3), 77, dtype=np.uint8))
    stripes = np.zeros((16, 16, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    # without antialiasing every fourth column of a stripe pattern is one of its two colours
    assert 110 < resize_image(stripes, (4, 4))[:, 1:3].mean() < 145
    assert resize_image(stripes, (16, 16)) is stripes


def test_only_rgb_bytes_are_taken() -> None:
    for wrong in (np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), np.zeros((0, 2, 3), np.uint8)):
        with pytest.raises(InputError, match=r"expected a picture as uint8 \[h, w, 3\]"):
            image_to_tensor(wrong)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_is_a_picture_file(tmp_path: Path) -> None:
    """What a shell's <(convert a.png jpg:-) gives to a command."""
    picture, pipe = tmp_path / "a.png", tmp_path / "pipe"
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(picture)
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(pipe.write_bytes, picture.read_bytes())
        assert (read_image(pipe) == read_image(picture)).all()
        written.result()


@pytest.mark.parametrize("size", [(96, 128), (299, 400), (7, 400), (300, 100)])
def test_large_photos_shrink_band_by_band(
    size: tuple[int, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    whole = resize_image(image, size)
    monkeypatch.setattr("sean.images._BANDED_PIXELS", 1000)
    monkeypatch.setattr("sean.images._LEAST_BAND", 3)
    banded = resize_image(image, size)
    assert np.abs(whole.astype(int) - banded).max() <= 1
