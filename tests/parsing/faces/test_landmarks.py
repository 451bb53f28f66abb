"""Landmarks of label maps, and the square of CelebA-HQ's rule around them."""

import numpy as np
import pytest

from sean.data.faces.drawing import FaceShape, draw_face
from sean.labels import ADE20K, CELEBAMASK_HQ
from sean.parsing.faces.landmarks import Landmarks, find_landmarks, has_landmarks


def painted(*regions: tuple[str, int, int, int]) -> np.ndarray:
    """A map of 100 x 200 with a square of each label: name, its middle's row and column, and half its side."""
    segmap = np.zeros((100, 200), np.int64)
    for name, row, column, half in regions:
        segmap[row - half : row + half, column - half : column + half] = CELEBAMASK_HQ.id_of(name)
    return segmap


EYES = (("l_eye", 40, 120, 3), ("r_eye", 42, 80, 3))
REST = (("nose", 50, 100, 4), ("u_lip", 70, 104, 4), ("l_lip", 78, 104, 4))


def test_middles_of_regions() -> None:
    marks = find_landmarks(painted(*EYES, *REST, ("l_eye", 3, 3, 1)), CELEBAMASK_HQ)
    assert marks is not None
    # parts of 100 rows and 200 columns; a stray pixel or four do not matter
    assert marks.eyes == pytest.approx([0.41, 0.5], abs=0.006)
    assert marks.mouth == pytest.approx([0.74, 0.52])
    assert marks.nose == pytest.approx([0.5, 0.5])
    assert marks.eye_distance == pytest.approx(np.hypot(0.2, 0.02), abs=0.006)


def test_glasses_and_single_eyes() -> None:
    marks = find_landmarks(painted(("eye_g", 40, 100, 6), *REST), CELEBAMASK_HQ)
    assert marks is not None and marks.eye_distance == 0
    assert marks.eyes == pytest.approx([0.4, 0.5])
    marks = find_landmarks(painted(("eye_g", 20, 100, 6), EYES[0], *REST), CELEBAMASK_HQ)
    assert marks is not None and marks.eye_distance == 0
    assert marks.eyes == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize("regions", [REST, (*EYES, *REST[1:]), (*EYES, REST[0])])
def test_what_is_no_face(regions: tuple[tuple[str, int, int, int], ...]) -> None:
    assert find_landmarks(painted(*regions), CELEBAMASK_HQ) is None


def test_the_square_of_celeba_hq() -> None:
    def marks(eyes: list[float], mouth: list[float], distance: float) -> Landmarks:
        nose = (np.array(eyes) + mouth) / 2
        return Landmarks(
            eyes=np.array(eyes), eye_distance=distance, mouth=np.array(mouth), nose=nose, across=np.zeros(2)
        )

    wide = marks([0.3, 0.5], [0.5, 0.4], 0.3)
    assert wide.middle == pytest.approx([0.32, 0.49])
    assert wide.size == pytest.approx(1.2)
    long = marks([0.3, 0.5], [0.6, 0.1], 0.3)
    assert long.size == pytest.approx(3.6 * 0.5)


def test_faces_as_drawn_fill_their_square() -> None:
    for shape in (FaceShape(), FaceShape(turn=0.3, mouth_openness=0.5), FaceShape(tilt=5.0)):
        marks = find_landmarks(draw_face(shape, (128, 128)), CELEBAMASK_HQ)
        assert marks is not None and marks.upright
        assert marks.middle == pytest.approx([0.5, 0.5], abs=0.04)
        assert marks.size == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("mouth", "nose", "upright"),
    [
        ([0.7, 0.5], [0.5, 0.5], True),
        ([0.7, 0.67], [0.5, 0.5], True),
        ([0.7, 0.69], [0.5, 0.5], False),
        ([0.1, 0.5], [0.3, 0.5], False),
        ([0.7, 0.5], [0.44, 0.5], False),
        ([0.7, 0.5], [0.6, 0.5], False),
    ],
)
def test_upright(mouth: list[float], nose: list[float], upright: bool) -> None:
    marks = Landmarks(
        eyes=np.array([0.4, 0.5]),
        eye_distance=0.2,
        mouth=np.array(mouth),
        nose=np.array(nose),
        across=np.array([0.0, 0.2]),
    )
    assert marks.upright is upright


def test_labels_of_faces() -> None:
    assert has_landmarks(CELEBAMASK_HQ)
    assert not has_landmarks(ADE20K)
