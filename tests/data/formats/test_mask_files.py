"""Label maps as programs write them: each converts, or the line says how."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.data import convert
from sean.data.folder import PairedFolder
from sean.data.formats.mask_files import voc_color

from .miniatures import palette, save, write

IDS = np.repeat(np.array([[0, 0, 1, 1, 2, 2]], dtype=np.uint8), 4, axis=0)
COLORS = ((0, 0, 0), (48, 112, 32), (176, 112, 32))
THREE = "0 background\n1 cat\n2 dog\n"
COLORED = "0 background 0 0 0\n1 cat 48 112 32\n2 dog 176 112 32\n"
LABELMAP = "# label:color_rgb:parts:actions\ncat:48,112,32::\nbackground:0,0,0::\ndog:176,112,32::\n"


def indexed(ids: np.ndarray, colors: tuple[tuple[int, int, int], ...]) -> Image.Image:
    """A palette picture."""
    image = Image.fromarray(ids.astype(np.uint8))
    image.putpalette(palette(colors))
    return image


def rgb(channels: int = 3, alpha: int = 255) -> Image.Image:
    """The map in colours."""
    pixels = np.dstack([np.array(COLORS, dtype=np.uint8)[IDS], np.full_like(IDS, alpha)])
    return Image.fromarray(np.ascontiguousarray(pixels[..., :channels]))


SORTED = indexed(np.array([1, 2, 0])[IDS], (COLORS[2], COLORS[0], COLORS[1]))
VOC = tuple(voc_color(index) for index in range(256))
BORDER = np.where(np.arange(6) == 1, 255, IDS)
WITHOUT_BORDER = np.where(np.arange(6) == 1, 3, IDS)


@pytest.mark.parametrize(
    ("mask", "classes", "names", "expected"),
    [
        (Image.fromarray(IDS), THREE, "background cat dog", IDS),
        (Image.fromarray(IDS.astype(np.uint16)), THREE, "background cat dog", IDS),
        (Image.fromarray(np.repeat(IDS[..., None], 3, 2)), THREE, "background cat dog", IDS),
        (Image.merge("LA", [Image.fromarray(IDS), Image.fromarray(IDS)]), THREE, "background cat dog", IDS),
        (Image.fromarray(IDS + 1), "1 background\n2 cat\n3 dog\n", "background cat dog", IDS),
        (Image.fromarray(np.array([0, 5, 7], np.uint8)[IDS]), "0 a\n5 b\n7 c\n", "a b c", IDS),
        (Image.fromarray(np.array([0, 5, 7], np.uint8)[IDS]), "0 a\n5 b\n7 b\n", "a b", np.minimum(IDS, 1)),
        (Image.fromarray((IDS > 0).astype(np.uint8) * 255), "0 back\n255 cat\n", "back cat", IDS > 0),
        (Image.fromarray(IDS > 0), "0 back\n1 cat\n", "back cat", IDS > 0),
        (rgb(), COLORED, "background cat dog", IDS),
        (rgb(4), COLORED, "background cat dog", IDS),
        (rgb(), LABELMAP, "cat background dog", np.array([1, 0, 2])[IDS]),
        (SORTED, COLORED, "background cat dog", IDS),
        (indexed(IDS, VOC), THREE, "background cat dog", IDS),
        (indexed(BORDER, VOC), THREE + "ignore 255\n", "background cat dog", WITHOUT_BORDER),
        (indexed(BORDER, COLORS), COLORED + "ignore 255\n", "background cat dog", WITHOUT_BORDER),
    ],
)
def test_a_mask_that_converts(
    mask: Image.Image, classes: str, names: str, expected: np.ndarray, tmp_path: Path
) -> None:
    pair = PairedFolder.open(converted(tmp_path, mask, classes)).pairs(["p"]).read(0)
    assert PairedFolder.open(tmp_path / "pairs").labels.names == tuple(names.split())
    assert np.array_equal(pair.segmap, expected)


@pytest.mark.parametrize(
    ("mask", "classes", "suffix", "said"),
    [
        (indexed(BORDER, VOC), THREE, ".png", "'ignore 255' where that marks unlabelled pixels, or '255 NAME'"),
        (Image.fromarray(IDS.astype(np.uint16) * 1000), THREE, ".png", "got 1000, 2000"),
        (rgb(), THREE, ".png", "has the colours 0 0 0, 48 112 32, 176 112 32, and the classes have none"),
        (rgb(4, alpha=9), COLORED, ".png", "save it without transparency"),
        (Image.fromarray(IDS), THREE, ".jpg", "is a JPEG, which blurs the ids; save it as PNG"),
        (rgb(), COLORED.replace("48", "49"), ".png", "the colour (48, 112, 32) at row 0, column 2 is that of no class"),
    ],
)
def test_a_mask_that_says_how(mask: Image.Image, classes: str, suffix: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as refusal:
        converted(tmp_path, mask, classes, suffix)
    assert said in str(refusal.value)


def test_a_mask_of_half_the_size_shrinks_its_picture(tmp_path: Path) -> None:
    write(tmp_path / "source" / "classes.txt", THREE)
    save(tmp_path / "source" / "images" / "p.png", np.zeros((8, 12, 3), dtype=np.uint8))
    save(tmp_path / "source" / "labels" / "p.png", IDS)
    assert convert(tmp_path / "source", tmp_path / "pairs", workers=1).ok
    assert PairedFolder.open(tmp_path / "pairs").pairs(["p"]).read(0).image.shape == (4, 6, 3)


def test_the_first_colours_of_vocs_palette() -> None:
    assert VOC[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert VOC[15] == (192, 128, 128) and VOC[255] == (224, 224, 192) and len(set(VOC)) == 256


def converted(root: Path, mask: Image.Image, classes: str, suffix: str = ".png") -> Path:
    """The data folder of one picture with that mask; the problems as an AssertionError."""
    write(root / "source" / "classes.txt", classes)
    save(root / "source" / "images" / "p.png", np.zeros((4, 6, 3), dtype=np.uint8))
    save(root / "source" / "labels" / f"p{suffix}", mask)
    result = convert(root / "source", root / "pairs", workers=1)
    assert result.ok, result.text()
    return root / "pairs"
