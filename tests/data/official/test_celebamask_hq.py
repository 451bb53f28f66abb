"""CelebAMask-HQ: parts that overlap, by hand, and everything that its file names can have wrong."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.data.official.celebamask_hq import find, read_parts
from sean.data.official.prepare import prepare
from sean.errors import InputError
from sean.images import write_image

from .miniature import celebamask_hq


def hand_made(root: Path, parts: dict[str, np.ndarray | Image.Image], size: int = 4) -> Path:
    """A download of the one picture 5, with these parts."""
    write_image(root / "CelebA-HQ-img" / "5.jpg", np.full((size, size, 3), 90, dtype=np.uint8))
    folder = root / "CelebAMask-HQ-mask-anno" / "0"
    folder.mkdir(parents=True)
    for part, mask in parts.items():
        image = mask if isinstance(mask, Image.Image) else Image.fromarray(np.uint8(255) * mask.astype(np.uint8))
        image.save(folder / f"00005_{part}.png")
    return root


def rows(*text: str) -> np.ndarray:
    return np.array([[int(digit) for digit in row] for row in text])


def test_later_labels_lie_on_top_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    # by name the files come as hair, l_eye, nose, skin; by label id as skin 1, nose 2, l_eye 4, hair 13
    source = hand_made(
        tmp_path / "download",
        {
            "hair": rows("1111", "0000", "0000", "1000"),
            "skin": rows("0110", "0111", "0111", "0000"),
            "nose": rows("0000", "0011", "0011", "0000"),
            "l_eye": rows("0000", "0110", "0000", "0000"),
        },
    )
    expected = np.array([[13, 13, 13, 13], [0, 4, 4, 2], [0, 1, 2, 2], [13, 0, 0, 0]])
    (item,) = find(source).items
    assert np.array_equal(read_parts(source, item), expected)
    assert prepare("celebamask-hq", source, tmp_path / "pairs", workers=1).present == (0, 1, 2, 4, 13)
    with Image.open(tmp_path / "pairs" / "labels" / "00005.png") as ids:
        assert ids.mode == "P" and np.array_equal(np.asarray(ids), expected)


def test_masks_of_any_mode_cover_where_they_are_not_black(tmp_path: Path) -> None:
    palette = Image.fromarray(rows("1000", "0000", "0000", "0000").astype(np.uint8))
    palette.putpalette([0, 0, 0, 255, 255, 255])
    color = np.zeros((4, 4, 3), dtype=np.uint8)
    color[1, 1] = 0, 0, 7
    source = hand_made(
        tmp_path,
        {
            "skin": palette,
            "nose": Image.fromarray(color),
            "hair": Image.fromarray(rows("0000", "0000", "0010", "0000").astype(bool)),
        },
    )
    (item,) = find(source).items
    merged = read_parts(source, item)
    assert np.array_equal(merged, np.diag([1, 2, 13, 0]))


def test_parts_of_different_sizes_are_refused(tmp_path: Path) -> None:
    source = hand_made(tmp_path / "download", {"skin": np.ones((4, 4)), "hair": np.ones((2, 2))})
    result = prepare("celebamask-hq", source, tmp_path / "pairs", workers=1)
    (problem,) = result.problems
    assert problem.kind == "pairs of different size" and "2 x 2 in" in problem.examples[0]
    assert "00005_hair.png" in problem.examples[0] and "take them from the download again" in problem.examples[0]


def test_masks_of_another_shape_than_the_picture_are_refused(tmp_path: Path) -> None:
    source = hand_made(tmp_path / "download", {"skin": np.ones((4, 2))})
    (problem,) = prepare("celebamask-hq", source, tmp_path / "pairs", workers=1).problems
    assert problem.kind == "pairs of different size"
    assert "5.jpg" in problem.examples[0] and "00005_skin.png" in problem.examples[0]


def test_every_file_out_of_place_is_named_before_anything_is_written(tmp_path: Path) -> None:
    source = celebamask_hq(tmp_path)
    pictures, masks = source / "CelebA-HQ-img", source / "CelebAMask-HQ-mask-anno"
    (pictures / "0.jpg").rename(pictures / "00000.jpg")
    for path in (masks / "2").iterdir():
        path.unlink()
    (masks / "1" / "02000_skin.png").rename(masks / "0" / "02000_skin.png")
    (masks / "1" / "02001_nose.png").rename(masks / "1" / "02001_beak.png")
    shutil.copy(pictures / "1.jpg", pictures / "77.jpg")
    listing = find(source)
    lines = [line for _, line in listing.problems]
    assert "CelebA-HQ-img/00000.jpg is not named by a number" in lines
    assert "CelebA-HQ-to-CelebA-mapping.txt lists 0, but there is no CelebA-HQ-img/0.jpg" in lines
    assert "CelebA-HQ-img/77.jpg is not listed in CelebA-HQ-to-CelebA-mapping.txt" in lines
    assert "CelebA-HQ-img/77.jpg has no part in CelebAMask-HQ-mask-anno/0/" in lines
    assert "CelebA-HQ-img/4000.jpg has no part in CelebAMask-HQ-mask-anno/2/" in lines
    assert "CelebAMask-HQ-mask-anno/0/02000_skin.png belongs into CelebAMask-HQ-mask-anno/1/" in lines
    assert any("02001_beak.png is not named NNNNN_PART.png" in line for line in lines)
    assert any("00000_" in line and line.endswith("parts) has no picture") for line in lines)
    assert len(lines) == 8
    result = prepare("celebamask-hq", source, tmp_path / "pairs", workers=1)
    assert not result.ok and result.text().endswith("nothing was written\n")
    assert all(f"  {line}\n" in result.text() for line in lines)
    assert not (tmp_path / "pairs").exists()


def test_the_list_of_the_pictures_may_be_missing_but_not_damaged(tmp_path: Path) -> None:
    source = celebamask_hq(tmp_path)
    mapping = source / "CelebA-HQ-to-CelebA-mapping.txt"
    text = mapping.read_text()
    mapping.write_text(text + "0 1 000001.jpg\n")
    with pytest.raises(InputError, match=r"mapping\.txt line 10: expected 'idx orig_idx orig_file' with a new idx"):
        find(source)
    mapping.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=r"cannot read .*mapping\.txt"):
        find(source)
    mapping.write_text(text + "\n")
    assert find(source).problems == ()
    mapping.unlink()
    assert len(find(source).items) == 8 and find(source).problems == ()
