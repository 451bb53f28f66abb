"""The parser that comes with the package: on faces that the bundled model renders of drawn maps, and in `sean edit`."""

from pathlib import Path

import numpy as np
import pytest

from sean.cli import main
from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.pipeline import SEANPipeline
from sean.images import read_image, resize_image, write_image
from sean.parsing.faces import find_faces
from sean.parsing.segmenter import Segmenter
from sean.pretrained import CARD_NAME, WEIGHTS_NAME, find_parser

pytestmark = pytest.mark.integration

FACE = FaceShape(hair_length=0.45, fringe=0.3)
TOP, LEFT, SIDE = 60, 200, 220


@pytest.fixture(scope="module")
def pipeline() -> SEANPipeline:
    return SEANPipeline.from_pretrained("portraits-256")


@pytest.fixture(scope="module")
def parser(pipeline: SEANPipeline) -> Segmenter:
    return Segmenter.from_pretrained("bundled", pipeline.labels, pipeline.device)


def rendered(pipeline: SEANPipeline, number: int) -> np.ndarray:
    """A face in a style of the bank."""
    return np.asarray(pipeline(draw_face(FACE, pipeline.image_size), pipeline.style_bank[number]))


@pytest.fixture(scope="module")
def photo(pipeline: SEANPipeline) -> np.ndarray:
    """A large plain picture with a face in it."""
    photo = np.full((400, 600, 3), (120, 140, 160), np.uint8)
    photo[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = resize_image(rendered(pipeline, 18), (SIDE, SIDE))
    return photo


def test_it_is_small_and_says_what_it_may_be_used_for() -> None:
    folder = find_parser("bundled", other="")
    assert (folder / WEIGHTS_NAME).stat().st_size < 10_000_000
    assert "non-commercial" in (folder / CARD_NAME).read_text(encoding="utf-8")


def test_it_sees_what_was_drawn(pipeline: SEANPipeline, parser: Segmenter) -> None:
    drawn = draw_face(FACE, pipeline.image_size)
    shares = [(parser.segmap(rendered(pipeline, number)) == drawn).mean() for number in range(0, 32, 4)]
    assert np.mean(shares) > 0.8 and min(shares) > 0.7


def test_it_finds_the_face_in_a_photo(photo: np.ndarray, parser: Segmenter) -> None:
    (crop,) = find_faces(photo, parser)
    assert abs(crop.top - TOP) < 20 and abs(crop.left - LEFT) < 20 and abs(crop.size - SIDE) < 30


def test_a_photo_is_edited_without_any_map(
    pipeline: SEANPipeline, photo: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "photo.png", photo)
    write_image(tmp_path / "other.png", rendered(pipeline, 11))
    options = ["--image", f"{tmp_path}/photo.png", "--style", f"hair={tmp_path}/other.png"]
    assert main(["edit", *options, "--output", f"{tmp_path}/o.png"]) == 0
    assert "o.png: 600 x 400; the model sees the square of" in capsys.readouterr().out
    edited = read_image(tmp_path / "o.png")
    changed = (edited != photo).any(axis=2)
    hair = draw_face(FACE, (SIDE, SIDE)) == pipeline.labels.id_of("hair")
    inside = changed[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
    assert inside[hair].mean() > 0.6 and inside[~hair].mean() < 0.3
    inside[:] = False
    assert changed.mean() < 0.01
