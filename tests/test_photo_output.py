"""Edited photos as files: untouched values to the bit, in the colours, with transparency and metadata of the source."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from sean.errors import InputError
from sean.images import EncodedPicture, SourcePhoto, as_photo, read_photo
from sean.photo_output import in_own_colors, photo_bytes, save_photo

from .profiles import WIDE_GAMUT


def photo_of(values: np.ndarray, image_format: str = "PNG", **options: object) -> SourcePhoto:
    file = io.BytesIO()
    Image.fromarray(values).save(file, image_format, **options)
    return read_photo(EncodedPicture(name="photo", data=file.getvalue()))


@pytest.fixture
def wide(rng: np.random.Generator) -> SourcePhoto:
    """Noise in the colours of a wide gamut, many of which sRGB lacks."""
    return photo_of(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), icc_profile=WIDE_GAMUT)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_untouched_pixels_stay_to_the_bit_in_a_photos_own_colours(
    tmp_path: Path, wide: SourcePhoto, suffix: str
) -> None:
    edited = wide.image.copy()
    edited[:6] = 255 - edited[:6] // 2
    path = tmp_path / f"a.{suffix}"
    if suffix == "webp":
        path.write_bytes(photo_bytes(edited, wide, "WEBP", lossless=True))
    else:
        save_photo(path, edited, wide)
    back = read_photo(path)
    assert back.profile == WIDE_GAMUT and back.own is not None and wide.own is not None
    assert np.array_equal(back.own[6:], wide.own[6:])
    assert np.array_equal(back.image[6:], wide.image[6:])
    # what was edited looks as it should, but for colours that fade from outside sRGB
    moved_far = (np.abs(edited[:6].astype(int) - wide.image[:6]).max(axis=2)) >= 64
    assert moved_far.mean() > 0.5
    assert np.abs(back.image[:6].astype(int) - edited[:6])[moved_far].max() <= 3


def test_a_small_change_keeps_a_colour_that_srgb_lacks() -> None:
    green = np.full((1, 3, 3), (0, 255, 0), dtype=np.uint8)  # clipped to (0, 255, 0) in sRGB, too
    source = photo_of(green, icc_profile=WIDE_GAMUT)
    edited = source.image.copy()
    edited[0, 1, 1] -= 2
    edited[0, 2] = 128
    own = in_own_colors(edited, source).astype(int)
    assert own[0, 0].tolist() == [0, 255, 0]
    assert np.abs(own[0, 1] - (0, 253, 0)).max() <= 8  # sRGB's own green would be (144, 255, 60)
    assert np.ptp(own[0, 2]) <= 1  # grey has no green left


def test_transparency_stays_and_colours_below_it(rng: np.random.Generator) -> None:
    values = rng.integers(0, 256, (8, 8, 4), dtype=np.uint8)
    values[:, :2, 3], values[:, 2:4, 3] = 0, 255
    source = photo_of(values)
    edited = source.image.copy()
    edited[:4, 2:] //= 2
    back = read_photo(EncodedPicture(name="back", data=photo_bytes(edited, source, "PNG")))
    assert back.own is not None and back.alpha is not None
    assert np.array_equal(back.alpha, values[:, :, 3])
    assert np.array_equal(back.own[4:], values[4:, :, :3]) and np.array_equal(back.own[:, :2], values[:, :2, :3])
    assert np.array_equal(back.image[:4, 2:4], edited[:4, 2:4])
    # half transparent black on white is no darker than its transparency lets it be
    floor = 255 - values[:4, 4:, 3].astype(int)
    wanted = np.maximum(edited[:4, 4:].astype(int), floor[..., None])
    assert np.abs(back.image[:4, 4:].astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("image_format", ["JPEG", "BMP"])
def test_without_a_place_for_them_the_file_is_srgb_on_white(wide: SourcePhoto, image_format: str) -> None:
    values = np.dstack([wide.own if wide.own is not None else wide.image, np.full((12, 16), 200, np.uint8)])
    source = photo_of(values, icc_profile=WIDE_GAMUT)
    flat = np.full_like(source.image, 90)
    back = read_photo(EncodedPicture(name="back", data=photo_bytes(flat, source, image_format)))
    assert back.profile is None and back.alpha is None
    assert np.abs(back.image.astype(int) - 90).max() <= 1


def test_exif_stays_but_for_orientation_thumbnail_and_the_size_as_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "a camera"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 6, ExifTags.Base.ExifImageHeight: 4, 0x8827: 200}
    exif[ExifTags.IFD.GPSInfo] = {1: "N"}
    source = photo_of(np.zeros((4, 6, 3), np.uint8), "JPEG", exif=exif)
    for name in ("a.jpg", "a.png", "a.webp", "a.avif"):
        save_photo(tmp_path / name, source.image, source)
        with Image.open(tmp_path / name) as image:
            kept = image.getexif()
            assert image.size == (4, 6)  # upright
            assert kept.get(ExifTags.Base.Orientation, 1) == 1 and kept[ExifTags.Base.Make] == "a camera"
            details = kept.get_ifd(ExifTags.IFD.Exif)
            assert (details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight]) == (4, 6)
            assert details[0x8827] == 200 and kept.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
            assert not kept.get_ifd(ExifTags.IFD.IFD1)


def test_a_thumbnail_of_the_photo_before_its_edit_is_left_out() -> None:
    thumbnail = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(thumbnail, "JPEG")
    data = thumbnail.getvalue()
    # little-endian TIFF: one tag (orientation), then the directory of the thumbnail: its offset and length
    first = b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + (26).to_bytes(4, "little")
    second = b"\x02\0" + b"\x01\x02\x04\0\x01\0\0\0" + (56).to_bytes(4, "little")
    second += b"\x02\x02\x04\0\x01\0\0\0" + len(data).to_bytes(4, "little") + bytes(4)
    block = b"Exif\0\0II*\0\x08\0\0\0" + first + second + data
    source = photo_of(np.zeros((4, 6, 3), np.uint8), "JPEG", exif=block)
    assert source.exif is not None and data in source.exif and source.orientation == 6
    for image_format in ("JPEG", "PNG", "WEBP"):
        assert data not in photo_bytes(source.image, source, image_format)


def test_a_damaged_or_too_long_exif_block_is_left_out() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    for block in (b"Exif\0\0" + bytes(range(200)), b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0"):
        source = SourcePhoto(image=image, exif=block)
        with Image.open(io.BytesIO(photo_bytes(image, source, "JPEG"))) as back:
            assert back.size == (6, 4)
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.MakerNote: bytes(70000)}
    source = SourcePhoto(image=image, exif=exif.tobytes())
    with Image.open(io.BytesIO(photo_bytes(image, source, "JPEG"))) as back:
        assert "exif" not in back.info


def test_jpeg_has_quality_95_and_a_picture_of_another_size_is_none_of_the_source(
    tmp_path: Path, wide: SourcePhoto, rng: np.random.Generator
) -> None:
    image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    save_photo(tmp_path / "a.jpg", image, wide)
    expected = io.BytesIO()
    Image.fromarray(image).save(expected, "JPEG", quality=95)
    assert (tmp_path / "a.jpg").read_bytes() == expected.getvalue()
    with pytest.raises(InputError, match="cannot write a picture named"):
        save_photo(tmp_path / "a.xyz", image, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_plain_photo_is_written_as_it_is(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    source = as_photo(image)
    assert in_own_colors(image, source) is image
    assert np.array_equal(read_photo(EncodedPicture(name="x", data=photo_bytes(image, source, "PNG"))).image, image)
