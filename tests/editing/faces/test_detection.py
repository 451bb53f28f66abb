"""The detector: a face of a real photo that comes with scikit-image, a drawn one, and how windows become boxes."""

import sys
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from sean.editing.faces import detection
from sean.editing.faces.detection import detect_faces
from sean.editing.pipeline import SEANPipeline
from sean.editing.subjects import drawn_faces
from sean.errors import InputError
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
    assert abs(best.x - 64) < 8 and abs(best.y - 71) < 8


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
    with pytest.raises(InputError, match=r"pip install 'sean\[photo\]'") as caught:
        detect_faces(astronaut())
    assert "\n" not in str(caught.value)
