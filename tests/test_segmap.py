"""Segmentation maps: what each kind of file means, ids out of range, nearest resize, one-hot, edges."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from sean.errors import InputError
from sean.labels import ADE20K, CITYSCAPES, LabelSet
from sean.segmap import (
    colorize,
    instance_edges,
    onehot,
    read_instances,
    read_segmap,
    resize_segmap,
    validate,
    write_segmap,
)

PALETTE = ((10, 0, 0), (0, 20, 0), (0, 0, 30))
TOY = LabelSet(name="toy", names=("a", "b", "c"), palette=PALETTE, ignore_id=255)
STRICT = LabelSet(name="strict", names=("a", "b", "c"))
IDS = np.array([[0, 1], [2, 255]], dtype=np.uint8)
INSIDE = [[0, 1], [2, 3]]

maps = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))


def save(path: Path, array: np.ndarray) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_grey_palette_and_deep_files_hold_ids(tmp_path: Path) -> None:
    assert read_segmap(save(tmp_path / "grey.png", IDS), TOY).tolist() == INSIDE
    assert read_segmap(save(tmp_path / "deep.png", IDS.astype(np.uint16)), TOY).tolist() == INSIDE
    palette = Image.fromarray(IDS)
    palette.putpalette([200] * 768)  # the colours of a palette file say nothing
    palette.save(tmp_path / "palette.png")
    read = read_segmap(tmp_path / "palette.png", TOY)
    assert read.tolist() == INSIDE and read.dtype == np.int64
    bits = save(tmp_path / "bits.png", np.array([[True, False]]))
    assert read_segmap(bits, TOY).tolist() == [[1, 0]]
    alpha = save(tmp_path / "alpha.png", np.dstack([IDS, np.full_like(IDS, 255)]))
    assert read_segmap(alpha, TOY).tolist() == INSIDE


def test_colors_are_read_through_the_palette(tmp_path: Path) -> None:
    colors = np.array([*PALETTE, (0, 0, 0)], dtype=np.uint8).reshape(2, 2, 3)
    assert read_segmap(save(tmp_path / "rgb.png", colors), TOY).tolist() == INSIDE
    opaque = np.dstack([colors, np.full((2, 2), 255, np.uint8)])
    assert read_segmap(save(tmp_path / "rgba.png", opaque), TOY).tolist() == INSIDE
    with pytest.raises(InputError, match="transparent pixels"):
        read_segmap(save(tmp_path / "clear.png", opaque - np.uint8(1)), TOY)


def test_of_two_labels_with_one_color_the_lower_id_is_read(tmp_path: Path) -> None:
    car = np.array([[(0, 0, 142), (0, 0, 0)]], dtype=np.uint8)
    assert read_segmap(save(tmp_path / "city.png", car), CITYSCAPES).tolist() == [[26, 0]]


def test_an_unknown_color_is_named_with_its_place(tmp_path: Path) -> None:
    colors = np.full((2, 3, 3), PALETTE[1], dtype=np.uint8)
    colors[1, 2] = (0, 21, 0)
    path = save(tmp_path / "rgb.png", colors)
    with pytest.raises(InputError) as caught:
        read_segmap(path, TOY)
    assert str(caught.value).startswith(f"{path}: colour (0, 21, 0) at row 1, column 2 is not in the palette")
    # black is "unlabelled" only where the set knows unlabelled pixels
    black = save(tmp_path / "black.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(InputError, match=r"colour \(0, 0, 0\)"):
        read_segmap(black, LabelSet(name="toy", names=("a", "b", "c"), palette=PALETTE))


def test_colors_without_a_palette_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "rgb.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(InputError, match=f"{path} is an RGB picture, but labels 'strict' have no palette"):
        read_segmap(path, STRICT)


def test_lossy_and_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.webp"):
        with pytest.raises(InputError, match=f"{name} is a .*, which blurs the ids"):
            read_segmap(save(tmp_path / name, IDS), TOY)
    Image.new("CMYK", (2, 2)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match="has mode CMYK"):
        read_segmap(tmp_path / "a.tiff", TOY)
    with pytest.raises(InputError, match="found no file"):
        read_segmap(tmp_path / "missing.png", TOY)


def test_ids_out_of_range_name_file_ids_and_range(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.array([[0, 3, 7, 255]], dtype=np.uint8))
    with pytest.raises(InputError) as caught:
        read_segmap(path, TOY)
    assert str(caught.value).startswith(f"expected label ids 0..2 or 255 (unlabelled) of 'toy', got 3, 7 in {path}")
    with pytest.raises(InputError, match=r"expected label ids 0\.\.2 of 'strict', got 3, 7, 255 in"):
        read_segmap(path, STRICT)
    with pytest.raises(InputError, match=r"got 3, 4, 5, 6, 7, \.\.\. in here"):
        validate(np.arange(3, 20)[None], STRICT, "here")


def test_validate_by_hand() -> None:
    assert validate(IDS, TOY).tolist() == INSIDE
    assert validate(np.array(INSIDE), TOY, allow_unlabelled=True).tolist() == INSIDE
    with pytest.raises(InputError, match="got 3 in the segmap"):
        validate(np.array(INSIDE), TOY)  # ids counted from 1, as ADE20K's files have them
    with pytest.raises(InputError, match="got -1 in"):
        validate(np.array([[-1]]), STRICT, allow_unlabelled=True)
    same = LabelSet(name="same", names=("a", "b", "c"), ignore_id=3)
    assert validate(np.array(INSIDE), same).tolist() == INSIDE
    original = np.array([[255]])
    validate(original, TOY)[0, 0] = 1
    assert original[0, 0] == 255
    for wrong in (np.zeros((2, 2)), np.zeros((1, 2, 2), np.uint8), np.zeros((0, 2), np.uint8)):
        with pytest.raises(InputError, match=r"expected a map of label ids, integers \[h, w\], in x"):
            validate(wrong, TOY, "x")


@given(maps)
def test_what_is_written_is_read(segmap: np.ndarray) -> None:
    many = LabelSet(name="many", names=tuple(f"label{index}" for index in range(400)), ignore_id=500)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_segmap(path, segmap, TOY)
        assert np.array_equal(read_segmap(path, TOY), segmap)
        with Image.open(path) as image:
            assert image.mode == "P"
            shown = np.array(image.convert("RGB"))
        labelled = segmap < 3
        assert np.array_equal(shown[labelled], colorize(segmap, TOY)[labelled])
        deep = np.where(segmap == 3, 400, segmap * 133)
        write_segmap(path, deep, many)
        assert np.array_equal(read_segmap(path, many), deep)
        Image.fromarray(colorize(segmap, TOY)).save(path)
        assert np.array_equal(read_segmap(path, TOY), segmap)


def test_a_map_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unlabelled pixels, but labels 'strict' have no ignore id"):
        write_segmap(tmp_path / "a.png", np.array(INSIDE), STRICT)
    with pytest.raises(InputError, match=r"only \.png keeps the ids"):
        write_segmap(tmp_path / "a.jpg", np.array(INSIDE), TOY)
    with pytest.raises(InputError, match="got 4 in the segmap to write"):
        write_segmap(tmp_path / "a.png", np.array([[4]]), TOY)
    assert list(tmp_path.iterdir()) == []


def test_unlabelled_is_shown_black() -> None:
    assert colorize(np.array([[1, 3]]), TOY).tolist() == [[[0, 20, 0], [0, 0, 0]]]
    assert colorize(np.array([[149, 150]]), ADE20K).tolist() == [[[92, 0, 255], [0, 0, 0]]]


@given(maps, st.integers(1, 12), st.integers(1, 12))
def test_resize_takes_the_source_pixel_of_the_rule(segmap: np.ndarray, height: int, width: int) -> None:
    height_in, width_in = segmap.shape
    slow = [
        [segmap[row * height_in // height, column * width_in // width] for column in range(width)]
        for row in range(height)
    ]
    assert resize_segmap(segmap, (height, width)).tolist() == np.array(slow).tolist()
    batch = torch.from_numpy(np.stack([segmap, segmap + 1]))[:, None]
    resized = resize_segmap(batch, (height, width))
    assert resized.dtype == torch.int64
    assert resized[1, 0].tolist() == (np.array(slow) + 1).tolist()


def test_onehot_of_no_region_is_zero() -> None:
    planes = onehot(torch.tensor([[[0, 2, 3]]]), 3)
    assert planes.dtype == torch.float32
    assert planes[0, :, 0].T.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


@given(maps)
def test_onehot_has_one_plane_per_labelled_pixel(segmap: np.ndarray) -> None:
    tensor = torch.from_numpy(segmap)[None]
    planes = onehot(tensor, 3)
    assert torch.equal(planes.sum(1), (tensor < 3).float())
    assert torch.equal((planes * torch.arange(3).view(1, 3, 1, 1)).sum(1)[tensor < 3].long(), tensor[tensor < 3])


@given(maps)
def test_edges_are_where_a_neighbour_differs(segmap: np.ndarray) -> None:
    height, width = segmap.shape
    slow = np.zeros(segmap.shape)
    for row in range(height):
        for column in range(width):
            for below, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                y, x = row + below, column + right
                if 0 <= y < height and 0 <= x < width and segmap[y, x] != segmap[row, column]:
                    slow[row, column] = 1
    edges = instance_edges(torch.from_numpy(segmap)[None])
    assert tuple(edges.shape) == (1, 1, height, width)
    assert edges[0, 0].tolist() == slow.tolist()


def test_instances_are_any_numbers_or_colors(tmp_path: Path) -> None:
    deep = save(tmp_path / "deep.png", np.array([[26001, 26002, 7]], dtype=np.uint16))
    assert read_instances(deep).tolist() == [[26001, 26002, 7]]
    rgb = save(tmp_path / "rgb.png", np.array([[(1, 2, 3), (0, 0, 9)]], dtype=np.uint8))
    assert read_instances(rgb).tolist() == [[0x010203, 9]]
