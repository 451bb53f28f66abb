"""Parametric faces: proportions, sides, the edits of the demo, mirror images, sizes and errors."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.data.faces.drawing import FaceShape, draw_face, random_face
from sean.data.faces.geometry import HeadFrame, mirrored, smooth
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ

SIZE = (128, 128)
ALL_WORN = FaceShape(
    hat=True,
    eyeglasses=True,
    earrings=True,
    necklace=True,
    ears=1.0,
    mouth_openness=0.5,
    shoulders=0.7,
    hair_length=0.2,
)


def area(segmap: np.ndarray, name: str) -> int:
    return int((segmap == CELEBAMASK_HQ.id_of(name)).sum())


def center(segmap: np.ndarray, name: str) -> tuple[float, float]:
    """(x, y) of the middle of a region, in picture sides."""
    rows, columns = np.nonzero(segmap == CELEBAMASK_HQ.id_of(name))
    return float((columns.mean() + 0.5) / segmap.shape[1]), float((rows.mean() + 0.5) / segmap.shape[0])


def test_a_face_that_wears_everything_has_every_label() -> None:
    segmap = draw_face(ALL_WORN, (256, 256))
    assert segmap.dtype == np.int64
    assert np.unique(segmap).tolist() == list(range(19))


def test_nothing_is_worn_or_open_that_the_shape_does_not_say() -> None:
    segmap = draw_face(FaceShape(), (256, 256))
    for name in ("hat", "eye_g", "ear_r", "neck_l", "l_ear", "r_ear", "mouth"):
        assert area(segmap, name) == 0, name
    for name in ("background", "skin", "nose", "l_eye", "r_brow", "u_lip", "l_lip", "hair", "neck", "cloth"):
        assert area(segmap, name) > 0, name


def test_left_and_right_are_the_subjects_own() -> None:
    segmap = draw_face(ALL_WORN, SIZE)
    for part in ("eye", "brow", "ear"):
        assert center(segmap, f"l_{part}")[0] > 0.55
        assert center(segmap, f"r_{part}")[0] < 0.45


def test_proportions_are_those_of_celebamask_crops() -> None:
    """Mean areas and centroids over such crops (rounded), against the mean of random faces."""
    maps = [draw_face(random_face(np.random.default_rng(seed)), SIZE) for seed in range(60)]
    expected = {
        "skin": (0.257, 0.500, 0.550),
        "nose": (0.0205, 0.498, 0.575),
        "l_eye": (0.0023, 0.619, 0.476),
        "r_eye": (0.0023, 0.377, 0.476),
        "l_brow": (0.0043, 0.624, 0.413),
        "u_lip": (0.0041, 0.497, 0.722),
        "l_lip": (0.0067, 0.497, 0.764),
        "hair": (0.317, 0.494, 0.360),
        "neck": (0.0415, 0.505, 0.915),
    }
    for name, (mean_area, x, y) in expected.items():
        seen = [segmap for segmap in maps if area(segmap, name)]
        assert np.mean([area(segmap, name) for segmap in seen]) / (128 * 128) == pytest.approx(mean_area, rel=0.15)
        middle = np.mean([center(segmap, name) for segmap in seen], axis=0)
        assert middle == pytest.approx([x, y], abs=0.045 if name == "hair" else 0.02), name


def test_an_opening_mouth_shows_more_of_its_inside_between_the_lips() -> None:
    areas = []
    for openness in (0.0, 0.2, 0.4, 0.7, 1.0):
        segmap = draw_face(replace(FaceShape(), mouth_openness=openness), SIZE)
        areas.append(area(segmap, "mouth"))
        if openness:
            assert center(segmap, "u_lip")[1] < center(segmap, "mouth")[1] < center(segmap, "l_lip")[1]
    assert areas[0] == 0
    assert np.all(np.diff(areas) > 15)


def test_longer_hair_covers_more_and_reaches_lower() -> None:
    maps = [draw_face(FaceShape(hair_length=length), SIZE) for length in (0.0, 0.15, 0.3, 0.45, 0.6)]
    assert np.all(np.diff([area(segmap, "hair") for segmap in maps]) > 100)
    hair = CELEBAMASK_HQ.id_of("hair")
    lowest = [np.nonzero(segmap == hair)[0].max() / 128 for segmap in maps]
    assert lowest == pytest.approx([0.42, 0.55, 0.69, 0.83, 0.97], abs=0.03)


def test_a_longer_hair_edit_leaves_the_features_alone() -> None:
    before, after = (draw_face(FaceShape(hair_length=length), SIZE) for length in (0.3, 1.0))
    for name in ("nose", "l_eye", "r_brow", "u_lip", "l_lip"):
        assert np.array_equal(before == CELEBAMASK_HQ.id_of(name), after == CELEBAMASK_HQ.id_of(name)), name


def test_ears_stand_beside_the_face_and_cover_none_of_it() -> None:
    for turn in (0.0, -0.25):
        bare, eared = (draw_face(FaceShape(ears=ears, hair_length=0.0, turn=turn), SIZE) for ears in (0.0, 1.0))
        skin = CELEBAMASK_HQ.id_of("skin")
        assert np.array_equal(bare == skin, eared == skin)
        assert min(area(eared, "l_ear"), area(eared, "r_ear")) > 0


def test_turning_moves_the_nose_and_hides_the_far_ear() -> None:
    ahead, right = (draw_face(FaceShape(ears=1.0, hair_length=0.0, turn=turn), SIZE) for turn in (0.0, 0.7))
    assert center(ahead, "nose")[0] == pytest.approx(0.5, abs=0.01)
    assert center(right, "nose")[0] > 0.52
    assert min(area(ahead, "l_ear"), area(ahead, "r_ear")) > 50
    assert area(right, "l_ear") == 0
    assert area(right, "r_ear") > area(ahead, "r_ear")


def mirror_image(shape: FaceShape) -> FaceShape:
    """The shape that draws the mirror image, left and right labels exchanged."""
    return replace(
        shape,
        center_x=1.0 - shape.center_x,
        turn=-shape.turn,
        tilt=-shape.tilt,
        parting=-shape.parting,
        hair_sway=-shape.hair_sway,
        hair_phase=1.0 - shape.hair_phase,
    )


@given(seed=st.integers(0, 10_000))
def test_a_mirrored_shape_draws_the_mirror_image(seed: int) -> None:
    shape = random_face(np.random.default_rng(seed))
    flipped = np.array(CELEBAMASK_HQ.flip_table)[draw_face(shape, SIZE)[:, ::-1]]
    assert (draw_face(mirror_image(shape), SIZE) == flipped).mean() > 0.985


@pytest.mark.parametrize("size", [(96, 200), (201, 97)])
def test_a_picture_that_is_not_square_shows_more_beside_the_same_face(size: tuple[int, int]) -> None:
    height, width = size
    side = min(size)
    segmap = draw_face(ALL_WORN, size)
    assert segmap.shape == size
    top, left = (height - side) // 2, (width - side) // 2
    middle = segmap[top : top + side, left : left + side]
    assert (middle == draw_face(ALL_WORN, (side, side))).mean() > 0.999
    assert area(segmap[: top // 2], "background") == top // 2 * width
    if height > width:
        assert area(segmap[top + side :], "cloth") > 0.9 * segmap[top + side :].size


@given(seed=st.integers(0, 10_000))
def test_random_faces_follow_from_the_generator_and_show_a_face(seed: int) -> None:
    segmap = draw_face(random_face(np.random.default_rng(seed)), (64, 64))
    assert np.array_equal(segmap, draw_face(random_face(np.random.default_rng(seed)), (64, 64)))
    assert not np.array_equal(segmap, draw_face(random_face(np.random.default_rng(seed + 1)), (64, 64)))
    for name in ("skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip", "hair"):
        assert area(segmap, name) > 0, name


def test_the_smallest_picture_is_drawn() -> None:
    assert draw_face(FaceShape(), (1, 1)).shape == (1, 1)


@pytest.mark.parametrize("size", [(0, 8), (8, -1)])
def test_a_bad_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"\(h, w\), two positive integers, got"):
        draw_face(FaceShape(), size)


@pytest.mark.parametrize(("name", "value"), [("turn", 1.5), ("mouth_openness", -0.1), ("smile", float("nan"))])
def test_a_value_out_of_range_is_refused_with_its_range(name: str, value: float) -> None:
    low, high = FaceShape.ranges()[name]
    with pytest.raises(InputError, match=rf"FaceShape.{name} must be between {low:g} and {high:g}, got {value}"):
        replace(FaceShape(), **{name: value})


def test_every_number_may_take_both_ends_of_its_range() -> None:
    for name, (low, high) in FaceShape.ranges().items():
        for value in (low, high):
            segmap = draw_face(replace(ALL_WORN, **{name: value}), (48, 48))
            assert segmap.min() >= 0
            assert segmap.max() < 19


def test_a_head_turns_about_its_axis_and_tilts_about_the_eyes() -> None:
    point = np.array([[0.1, 0.2]])
    assert HeadFrame().place(point)[0] == pytest.approx([0.6, 0.676])
    turned = HeadFrame(turn=1.0).place(point, 0.1)[0]  # 32 degrees
    assert turned == pytest.approx([0.5 + 0.1 * 0.848048 + 0.1 * 0.529919, 0.676], abs=1e-5)
    assert HeadFrame(tilt=90.0, scale=2.0).place(point)[0] == pytest.approx([0.1, 0.676])


def test_a_smooth_curve_runs_through_its_points() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    closed, opened = smooth(points, closed=True, steps=4), smooth(points, closed=False, steps=4)
    assert len(closed) == 16
    assert np.allclose(closed[::4], points)
    assert len(opened) == 13
    assert np.allclose(opened[::4], points)
    assert closed[2] == pytest.approx([0.5, -0.125])  # Catmull-Rom: 9/16 of both neighbours - 1/16 of the next
    assert mirrored(points[[0, 1, 3]]).tolist() == [[0, 0], [1, 0], [0, 1], [-1, 0]]


def test_faces_need_no_torch() -> None:
    source = Path(__file__).resolve().parents[2] / "src"
    code = "import sys, sean.data.faces.drawing; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(source)}, check=True)
