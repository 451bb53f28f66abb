"""The detector: a face of a real photo that comes with scikit-image, a drawn one, and how windows become boxes."""

import sys
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from sean.editing.demo import drawn_faces
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.images import resize_image
from sean.parsing.faces import detection
from sean.parsing.faces.detection import detect_faces, search_sides
from sean.pretrained import DEFAULT_MODEL


def test_a_face_in_a_photo() -> None:
    best = detect_faces(astronaut())[0]
    # her eyes are near (100, 205) and (100, 245), the mouth near (148, 225)
    assert abs(best.x - 225) < 15 and abs(best.y - 117) < 20
    assert 90 < best.size < 140
    assert best.support >= 8
    later = [box.support for box in detect_faces(astronaut())]
    assert later == sorted(later, reverse=True)


def test_boxes_are_in_pixels_of_the_picture() -> None:
    small, large = detect_faces(astronaut()[::2, ::2], side=256)[0], detect_faces(astronaut(), side=256)[0]
    assert [large.x, large.y, large.size] == pytest.approx([2 * small.x, 2 * small.y, 2 * small.size], rel=0.1)


def test_a_drawn_face() -> None:
    subject = drawn_faces(SEANPipeline.from_pretrained(DEFAULT_MODEL))[0]
    best = detect_faces(subject.image)[0]
    assert best.support > 20
    height, width = subject.image.shape[:2]
    assert abs(best.x / width - 0.5) < 0.06 and abs(best.y / height - 0.55) < 0.06


@pytest.mark.parametrize("shape", [(100, 80, 3), (10, 10, 3), (500, 4, 3)])
def test_nothing_to_see(shape: tuple[int, int, int]) -> None:
    assert detect_faces(np.full(shape, 128, np.uint8)) == []


def test_windows_that_overlap_are_one_face(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cascade:
        def detect_multi_scale(self, image: np.ndarray, **_: Any) -> list[dict[str, int]]:
            assert image.shape == (128, 256, 3)
            windows = [(60, 200, 40), (10, 20, 30), (12, 22, 30), (14, 18, 36), (60, 150, 40)]
            return [{"r": r, "c": c, "width": size, "height": size} for r, c, size in windows]

    monkeypatch.setattr(detection, "_cascade", Cascade)
    first, *others = detect_faces(np.zeros((256, 512, 3), np.uint8))
    # the mean top 12, left 20 and size 32, in a picture of half the size
    assert (first.y, first.x, first.size, first.support) == pytest.approx((56, 72, 64, 3))
    assert [(box.x, box.support) for box in others] == [(440, 1), (340, 1)]


def test_without_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    detection._cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(InputError, match=r"pip install 'seankit\[photo\]'") as caught:
        detect_faces(astronaut())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("width", "face"), [(2000, 175), (4000, 175), (4000, 61)])
def test_small_faces_in_large_photos(width: int, face: int) -> None:
    """The astronaut's face is 175 pixels as a crop, whose detector's box is 1.56 times smaller."""
    size = round(512 * face / 175)
    top, left = width // 5, width // 3
    photo = np.full((width * 3 // 4, width, 3), (120, 125, 130), np.uint8)
    photo[top : top + size, left : left + size] = resize_image(astronaut(), (size, size))
    boxes = [box for side in search_sides((width * 3 // 4, width), face / 1.56) for box in detect_faces(photo, side)]
    best = max(boxes, key=lambda box: box.support)
    assert best.support >= 8
    assert abs(best.x - (left + 225 * face / 175)) < 0.2 * face
    assert abs(best.y - (top + 112 * face / 175)) < 0.2 * face
    assert 0.5 * face < best.size < 0.9 * face


def test_a_face_on_the_border_of_two_tiles() -> None:
    """Tiles of 1024 pixels overlap by as much as the largest window that is looked for there."""
    photo = np.full((1100, 2048, 3), 120, np.uint8)
    photo[950:1070, 960:1080] = resize_image(astronaut(), (120, 120))
    assert max((box.support for box in detect_faces(photo, 2048)), default=0) >= 8


@pytest.mark.parametrize(
    ("size", "smallest", "sides"),
    [
        ((300, 400), 38.0, [256, 512]),
        ((200, 100), 38.0, [256, 512]),
        ((3000, 4000), 38.0, [256, 512, 1024, 2048, 2779]),
        ((400, 12000), 38.0, [256, 512, 1024, 2048, 4096, 8337]),
        ((3000, 4000), 400.0, [256, 512]),
    ],
)
def test_the_sides_of_a_search(size: tuple[int, int], smallest: float, sides: list[int]) -> None:
    assert search_sides(size, smallest) == sides


def test_windows_of_a_large_photo_are_grouped_as_those_of_a_small_one(rng: np.random.Generator) -> None:
    """Against the plain loop over all pairs."""

    def overlap(first: np.ndarray, second: np.ndarray) -> float:
        low, high = np.maximum(first[:2], second[:2]), np.minimum(first[:2] + first[2], second[:2] + second[2])
        shared = float(np.clip(high - low, 0, None).prod())
        return shared / (first[2] ** 2 + second[2] ** 2 - shared)

    windows = np.column_stack([rng.integers(0, 200, (150, 2)), rng.choice([24, 28, 34, 41], 150)]).astype(np.float64)
    left, expected = list(windows), []
    while left:
        near = [[overlap(one, other) > detection._SAME_FACE for other in left] for one in left]
        members = max(near, key=sum)
        expected.append(
            (np.mean([one for one, is_near in zip(left, members, strict=True) if is_near], axis=0), sum(members))
        )
        left = [one for one, is_near in zip(left, members, strict=True) if not is_near]
    found = detection._grouped(windows)
    assert len(found) == len(expected)
    for box, (mean, support) in zip(found, expected, strict=True):
        assert (box.y - box.size / 2, box.x - box.size / 2, box.size) == pytest.approx(tuple(mean))
        assert box.support == support


def test_tiles_without_contrast_are_not_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[tuple[int, ...]] = []
    windows = detection._windows

    def counted(picture: np.ndarray, **options: Any) -> np.ndarray:
        scanned.append(picture.shape)
        return windows(picture, **options)

    monkeypatch.setattr(detection, "_windows", counted)
    sky = np.broadcast_to(np.linspace(60, 200, 2048)[:, None, None], (2048, 2048, 3)).astype(np.uint8)
    assert detect_faces(sky, 2048) == [] and scanned == []
    photo = sky.copy()
    photo[600:720, 700:820] = resize_image(astronaut(), (120, 120))
    assert max(box.support for box in detect_faces(photo, 2048)) >= 8
    assert 1 <= sum(shape[0] > 200 for shape in scanned) <= 4
