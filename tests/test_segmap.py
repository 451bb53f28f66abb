"""Segmentation maps: what each kind of file means, ids out of range, nearest resize, one-hot, edges."""

import io
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from sean.errors import InputError
from sean.images import EncodedPicture, SourcePhoto, read_image, turned
from sean.labels import ADE20K, CELEBAMASK_HQ, CITYSCAPES, LabelSet
from sean.segmap import (
    colorize,
    instance_edges,
    may_lie_sideways,
    numbers_of,
    onehot,
    palette_image,
    read_instances,
    read_segmap,
    resize_segmap,
    segmap_of,
    segmap_of_photo,
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
    path = save(tmp_path / "rgb.png", np.array([[[1, 1, 1], [1, 2, 1]]], np.uint8))
    with pytest.raises(InputError, match=f"{path} is an RGB picture, but labels 'strict' have no palette"):
        read_segmap(path, STRICT)


def test_three_equal_channels_are_a_grey_map_where_there_are_no_colours(tmp_path: Path) -> None:
    path = save(tmp_path / "rgb.png", np.repeat(np.array([[[0], [2], [1]]], np.uint8), 3, axis=2))
    assert read_segmap(path, STRICT).tolist() == [[0, 2, 1]]
    with pytest.raises(InputError, match=r"colour \(2, 2, 2\) .* is not in the palette"):
        read_segmap(path, TOY)


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


def grey_png(ids: np.ndarray, bits: int) -> EncodedPicture:
    """A grey PNG of 1, 2 or 4 bits a pixel, which Pillow does not write."""
    per_byte = 8 // bits
    padded = np.pad(ids, ((0, 0), (0, -ids.shape[1] % per_byte))).reshape(len(ids), -1, per_byte)
    packed = (padded << (8 - bits * (1 + np.arange(per_byte)))).sum(axis=2).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return EncodedPicture(name="grey.png", data=b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_greys_of_few_bits_hold_ids(bits: int, rng: np.random.Generator) -> None:
    labels = LabelSet(name="many", names=tuple(map(str, range(19))))
    ids = rng.integers(0, 2**bits, (5, 7))
    file = grey_png(ids, bits)
    assert read_segmap(file, labels).tolist() == ids.tolist()
    assert read_instances(file).tolist() == ids.tolist()
    with Image.open(io.BytesIO(file.data)) as image:  # as Pillow gives it, before it is loaded
        assert segmap_of(image, labels).tolist() == ids.tolist()
    picture = read_image(file)[:, :, 0]  # a picture has the levels that a viewer shows
    assert picture.tolist() == (ids * 255 // (2**bits - 1)).tolist()


def resorted(segmap: np.ndarray, labels: LabelSet, *, order: str) -> Image.Image:
    """The product's own map as an optimizer saves it: the colours stay, the indices follow the order of the palette."""
    ids = np.where(segmap == labels.num_regions, 255 if labels.ignore_id is None else labels.ignore_id, segmap)
    colors = np.asarray(palette_image(ids, labels).convert("RGB")).reshape(-1, 3)
    palette, indices, counts = np.unique(colors, axis=0, return_inverse=True, return_counts=True)
    rank = np.argsort(-counts, kind="stable") if order == "frequency" else np.arange(len(palette))
    image = Image.fromarray(np.argsort(rank)[indices].reshape(segmap.shape).astype(np.uint8))
    image.putpalette(palette[rank].tobytes())
    return image


@pytest.mark.parametrize("order", ["colour", "frequency"])
@pytest.mark.parametrize("labels", [TOY, CELEBAMASK_HQ, ADE20K, STRICT], ids=lambda labels: labels.name)
def test_a_resorted_palette_is_read_by_its_colours(
    tmp_path: Path, rng: np.random.Generator, labels: LabelSet, order: str
) -> None:
    regions = labels.num_regions + (labels.ignore_id is not None)
    segmap = rng.integers(0, regions, (30, 40))
    segmap[:, :20] = 2
    image = resorted(segmap, labels, order=order)
    image.save(tmp_path / "a.png")
    assert not np.array_equal(np.asarray(image), segmap)
    # of two labels with one colour, which ADE20K has, the lower id is read
    lower = np.array([*map(labels.colors.index, labels.colors), labels.num_regions])
    assert np.array_equal(read_segmap(tmp_path / "a.png", labels), lower[segmap])
    assert np.array_equal(segmap_of(image, labels), lower[segmap])


def palette_png(ids: list[int], colors: dict[int, tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(np.array([ids], dtype=np.uint8))
    table = np.full((256, 3), 9, dtype=np.uint8)
    for index, color in colors.items():
        table[index] = color
    image.putpalette(table.tobytes())
    return image


def test_a_palette_that_means_nothing_leaves_the_ids() -> None:
    a, b, c = PALETTE
    assert segmap_of(palette_png([0, 1, 2, 255], {}), TOY).tolist() == [[0, 1, 2, 3]]
    black = palette_png([0, 0], {0: (0, 0, 0)})  # the first colour of most palettes; for this set it is "unlabelled"
    assert segmap_of(black, TOY).tolist() == [[0, 0]]
    chance = palette_png([0, 1, 2], {0: (1, 1, 1), 1: (2, 2, 2), 2: b})  # one colour of three
    assert segmap_of(chance, TOY).tolist() == [[0, 1, 2]]
    unused = palette_png([0, 1], {0: a, 1: b, 2: a, 3: c})
    assert segmap_of(unused, TOY).tolist() == [[0, 1]]


def test_a_pixel_beyond_its_palette_is_refused() -> None:
    a, b, c = PALETTE
    picture = Image.fromarray(np.array([[0, 1, 2, 200]], dtype=np.uint8))
    picture.putpalette([*c, *b, *a])
    with pytest.raises(InputError, match="is damaged: a pixel has colour 200 of a palette of 3; save the map again"):
        segmap_of(picture, TOY)


def test_a_palette_that_contradicts_the_ids_is_refused(tmp_path: Path) -> None:
    _, b, c = PALETTE
    palette_png([0, 1, 2], {0: b, 1: c, 2: (7, 7, 7)}).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"the palette of .*a\.png has 2 colours of labels 'toy' at other indices"):
        read_segmap(tmp_path / "a.png", TOY)


def test_a_map_is_turned_as_its_own_exif_says(tmp_path: Path) -> None:
    exif, ids = Image.Exif(), np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    exif[0x0112] = 6
    for array in (ids, np.array(PALETTE, np.uint8)[ids]):
        Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
        assert read_segmap(tmp_path / "a.png", TOY).tolist() == np.rot90(ids, -1).tolist()


@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_map_that_lies_as_the_file_of_the_photo_is_turned_with_it(orientation: int) -> None:
    stored = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
    upright = turned(stored, orientation)
    photo = SourcePhoto(image=np.zeros((6, 4, 3), np.uint8), orientation=orientation)
    for given_map in (stored, upright):
        assert segmap_of_photo(given_map, TOY, photo, (8, 8)).tolist() == upright.tolist()
    small = segmap_of_photo(stored[::2, ::2], TOY, photo, (8, 8))  # 2 x 3
    assert small.tolist() == turned(stored[::2, ::2], orientation).tolist()


def test_a_map_of_another_shape_is_refused() -> None:
    photo = SourcePhoto(image=np.zeros((60, 40, 3), np.uint8), name="me.jpg")
    for size in ((60, 40), (30, 20), (61, 41), (600, 400), (7, 5), (128, 128)):
        assert segmap_of_photo(np.zeros(size, np.uint8), TOY, photo, (128, 128)).shape == size
    message = r"one shape \(h x w\), got 60 x 40 in me\.jpg and 40 x 60 in me\.png; it lies on its side; turn it"
    with pytest.raises(InputError, match=message):
        segmap_of_photo(np.zeros((40, 60), np.uint8), TOY, photo, (128, 128), "me.png")
    for size in ((60, 60), (60, 20), (128, 64)):
        with pytest.raises(InputError, match="crop one like the other"):
            segmap_of_photo(np.zeros(size, np.uint8), TOY, photo, (128, 128))
    half_turn = SourcePhoto(image=photo.image, orientation=3)
    assert may_lie_sideways(half_turn, (60, 40)) and not may_lie_sideways(photo, (60, 40))
    square = SourcePhoto(image=np.zeros((9, 9, 3), np.uint8), orientation=6)
    assert may_lie_sideways(square, (9, 9))


def test_a_segmap_may_be_a_path_pillows_or_an_array(tmp_path: Path) -> None:
    colors = np.array(PALETTE, np.uint8)[[[0, 2], [1, 0]]]
    Image.fromarray(colors).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(colors), np.array([[0, 2], [1, 0]])):
        assert segmap_of(source, TOY).tolist() == [[0, 2], [1, 0]]
    assert numbers_of(Image.fromarray(colors)).tolist() == read_instances(tmp_path / "a.png").tolist()


def test_an_ignore_id_that_nobody_declared_is_explained(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.array([[0, 255]], dtype=np.uint8))
    with pytest.raises(InputError, match=r"if 255 marks unlabelled pixels, add the line 'ignore 255' to classes\.txt"):
        read_segmap(path, STRICT)
    with pytest.raises(InputError) as caught:
        read_segmap(save(tmp_path / "b.png", np.array([[0, 7]], dtype=np.uint8)), STRICT)
    assert "classes.txt" not in str(caught.value)
