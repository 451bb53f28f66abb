"""Pictures: the two conversions by hand-computed numbers, the file formats, and damaged files."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sean import images
from sean.errors import InputError
from sean.images import EncodedPicture, image_to_tensor, read_image, resize_image, tensor_to_image, write_image


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


def test_a_photo_is_turned_upright(tmp_path: Path, picture: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(picture, -1))


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


def test_a_float_tiff_is_clamped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-3.0, 7.6, 999.0]], dtype=np.float32)).save(tmp_path / "a.tiff")
    assert read_image(tmp_path / "a.tiff")[0, :, 0].tolist() == [0, 8, 255]


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


@pytest.mark.parametrize("limit", [20, 3])
def test_a_decompression_bomb_is_refused(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    write_image(tmp_path / "a.png", picture)  # 35 pixels: PIL warns above the limit, raises above twice
    monkeypatch.setattr(images.Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(InputError, match="more pixels than can be meant"):
        read_image(tmp_path / "a.png")


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
