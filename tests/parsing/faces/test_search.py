"""Finding faces: boxes become crops, a parser makes them exact and drops what is no face; face crops are kept whole."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut
from torch import Tensor

from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.parsing.faces import Crop, find_face, find_faces, search
from sean.parsing.faces.detection import FaceBox
from sean.parsing.segmenter import Segmenter

from .stand_ins import COLORS, FACE, color_parser, photo_of

Boxes = Callable[..., None]


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch) -> Boxes:
    """Has the detector find given boxes; those after None only when it searches for small faces."""

    def found(*all_boxes: FaceBox | None) -> None:
        first = list(all_boxes[: all_boxes.index(None)] if None in all_boxes else all_boxes)
        second = [box for box in all_boxes if box is not None]
        monkeypatch.setattr(search, "detect_faces", lambda image, side: first if side == 256 else second)

    return found


def box_of(top: int, left: int, size: int, *, shift: float = 0.0, scale: float = 1.0, support: int = 30) -> FaceBox:
    """The box that the detector gives for a face in that square, a little off; see the constants of the search."""
    box = size / 1.56
    return FaceBox(y=top + size / 2 + 0.083 * box + shift * size, x=left + size / 2, size=box * scale, support=support)


def crop_at(photo: np.ndarray, top: int, left: int, size: int) -> Crop:
    return Crop(top=float(top), left=float(left), size=float(size), photo_size=(photo.shape[0], photo.shape[1]))


def test_the_face_in_a_photo() -> None:
    crop = find_face(astronaut())
    assert crop is not None and crop.photo_size == (512, 512)
    assert abs(crop.left + crop.size / 2 - 225) < 20 and abs(crop.top + crop.size / 2 - 110) < 20
    assert 140 < crop.size < 210
    assert find_face(np.full((100, 100, 3), 90, np.uint8)) is None


def test_a_box_becomes_a_crop(boxes: Boxes) -> None:
    photo = photo_of(size=(200, 300))
    boxes(FaceBox(y=100.0, x=150.0, size=50.0, support=8), FaceBox(y=100.0, x=60.0, size=50.0, support=7))
    (crop,) = find_faces(photo)
    assert (crop.top, crop.left, crop.size) == pytest.approx((100 - 0.083 * 50 - 39, 111, 78))


def test_the_parser_makes_the_crop_exact(boxes: Boxes) -> None:
    photo = photo_of((40, 100, 128))
    true = crop_at(photo, 40, 100, 128)
    boxes(box_of(40, 100, 128, shift=0.12, scale=1.2))
    rough, exact = find_face(photo), find_face(photo, color_parser())
    assert rough is not None and exact is not None
    assert rough.overlap(true) < 0.7
    assert exact.overlap(true) > 0.88


def test_a_parser_of_other_labels_is_not_asked(boxes: Boxes) -> None:
    labels = LabelSet(name="other", names=tuple(f"thing {index}" for index in range(19)))
    boxes(box_of(40, 100, 128))
    assert find_face(photo_of(), color_parser(labels)) == find_face(photo_of())


def test_the_largest_of_several(boxes: Boxes) -> None:
    photo = photo_of((10, 10, 64), (30, 150, 128))
    boxes(box_of(10, 10, 64, support=50), box_of(30, 150, 128), box_of(30, 150, 128, shift=0.1, support=9))
    first, second = find_faces(photo, color_parser())
    assert first.overlap(crop_at(photo, 30, 150, 128)) > 0.88
    assert second.overlap(crop_at(photo, 10, 10, 64)) > 0.88
    assert len(find_faces(photo)) == 2


def test_two_people_beside_each_other() -> None:
    """The smaller one is too small for the first look at the photo, which sees the larger one."""
    photo = np.full((512, 1100, 3), (200, 195, 190), np.uint8)
    photo[:, :512] = astronaut()
    photo[50:450, 600:1000] = np.asarray(Image.fromarray(astronaut()[:, ::-1]).resize((400, 400)))
    first, second = find_faces(photo, Segmenter.from_pretrained())
    assert first.left < 300 and second.left > 600
    assert second.size == pytest.approx(first.size * 400 / 512, rel=0.1)


def test_what_is_no_face_is_dropped(boxes: Boxes) -> None:
    photo = photo_of((30, 150, 128))
    boxes(box_of(0, 0, 140, support=50), box_of(30, 150, 128, support=9))
    (only,) = find_faces(photo, color_parser())
    assert only.overlap(crop_at(photo, 30, 150, 128)) > 0.88
    upside_down = photo[::-1].copy()
    boxes(box_of(42, 150, 128))
    assert find_faces(upside_down, color_parser()) == []


def test_small_faces_are_searched_for_where_no_sure_one_is(boxes: Boxes) -> None:
    photo = photo_of((30, 150, 128), (10, 10, 64))
    boxes(box_of(30, 150, 128, support=3), None, box_of(10, 10, 64, support=8))
    (small,) = find_faces(photo, color_parser())
    assert small.overlap(crop_at(photo, 10, 10, 64)) > 0.88


def test_of_unsure_ones_the_parser_confirms_the_surest(boxes: Boxes) -> None:
    photo = photo_of((10, 10, 64), (30, 150, 128))
    boxes(box_of(10, 10, 64, support=5), box_of(30, 150, 128, support=2))
    (crop,) = find_faces(photo, color_parser())
    assert crop.overlap(crop_at(photo, 10, 10, 64)) > 0.88
    assert find_faces(photo) == []


def test_unsure_ones_must_show_both_eyes(boxes: Boxes) -> None:
    photo = photo_of((30, 150, 128))
    eyes = np.isin(FACE, [CELEBAMASK_HQ.id_of(f"{side}_eye") for side in "lr"])
    photo[30:158, 150:278][eyes] = COLORS["eye_g"]
    boxes(box_of(30, 150, 128, support=2))
    assert find_faces(photo, color_parser()) == []
    boxes(box_of(30, 150, 128, support=8))
    assert len(find_faces(photo, color_parser())) == 1


def test_a_crop_that_is_given_is_taken_whole(boxes: Boxes) -> None:
    photo = photo_of((0, 0, 128), size=(128, 120))
    boxes(box_of(0, 0, 128, shift=-0.05, scale=0.9))
    whole = Crop.whole((128, 120))
    assert find_face(photo) == find_face(photo, color_parser()) == whole
    boxes(box_of(0, 0, 128, scale=0.75))
    assert find_face(photo) != whole
    wide = photo_of((0, 0, 128), size=(128, 160))
    boxes(box_of(0, 0, 128))
    assert find_face(wide, color_parser()) != Crop.whole((128, 160))


def test_a_crop_that_the_detector_overlooks(boxes: Boxes) -> None:
    boxes()
    assert find_face(photo_of((0, 0, 128), size=(128, 128)), color_parser()) == Crop.whole((128, 128))
    assert find_face(photo_of((0, 0, 128), size=(128, 160)), color_parser()) is None
    assert find_face(np.zeros((128, 128, 3), np.uint8), color_parser()) is None
    assert find_face(photo_of((0, 0, 128), size=(128, 128))) is None


def test_faces_over_the_border(boxes: Boxes) -> None:
    photo = photo_of((90, 190, 128))
    boxes(box_of(90, 190, 128))
    crop = find_face(photo, color_parser())
    assert crop is not None and crop.overlap(crop_at(photo, 90, 190, 128)) > 0.85
    assert crop.left + crop.size > 300 and crop.top + crop.size > 200


@pytest.mark.parametrize("tilt", [-45, -30, -15, 15, 30, 45])
def test_a_tilted_head_gets_a_turned_crop(tilt: int) -> None:
    """The astronaut's own head is tilted by some 3 degrees."""
    turned = Image.fromarray(astronaut()[:300, 100:400])
    photo = np.asarray(turned.rotate(-tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=(200, 195, 190)))
    crop = find_face(photo, Segmenter.from_pretrained())
    assert crop is not None
    assert crop.angle == pytest.approx(tilt + 3, abs=6)
    upright = find_face(astronaut()[:300, 100:400])
    assert upright is not None and not upright.angle
    across, down = (upright.left + upright.size / 2 - 150, upright.top + upright.size / 2 - 150)
    sine, cosine = np.sin(np.deg2rad(tilt)), np.cos(np.deg2rad(tilt))
    middle = photo.shape[1] / 2 + across * cosine - down * sine, photo.shape[0] / 2 + across * sine + down * cosine
    assert crop.left + crop.size / 2 == pytest.approx(middle[0], abs=15)
    assert crop.top + crop.size / 2 == pytest.approx(middle[1], abs=15)
    assert crop.size == pytest.approx(upright.size, rel=0.15)


def counting_parser() -> tuple[Segmenter, list[int]]:
    """A parser of colours, and the number of times that it was asked, in a list of one."""
    parser, asked = color_parser(), [0]
    network = parser._network

    def counted(image: Tensor) -> Tensor:
        asked[0] += 1
        return network(image)

    parser._network = counted
    return parser, asked


def test_the_parser_is_asked_of_the_best_boxes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo of 12 000 pixels without a face has six sides; each of its boxes costs two passes, one mirrored."""
    parser, asked = counting_parser()
    photo = np.zeros((120, 12000, 3), np.uint8)
    many = [FaceBox(y=60.0, x=100.0 * n, size=50.0, support=50 - n) for n in range(1, 50)]
    monkeypatch.setattr(search, "detect_faces", lambda image, side: many)
    monkeypatch.setattr(search, "_tilted", lambda image, parser: [])
    assert find_faces(photo, parser) == []
    assert asked[0] == 2 * (6 * search._MOST_MISSES + search._NUM_UNSURE)


def test_a_face_among_boxes_without_one(boxes: Boxes) -> None:
    """Boxes without a face end the search of a picture only in a row; all of a group are found."""
    photo = photo_of(*((10, 10 + 140 * n, 128) for n in range(5)), size=(200, 2000))
    faces = [box_of(10, 10 + 140 * n, 128, support=40 - 6 * n) for n in range(5)]
    others = [box_of(60, 900 + 100 * n, 90, support=39 - 2 * n) for n in range(6)]
    found: list[FaceBox] = sorted([*faces, *others], key=lambda box: -box.support)
    boxes(*found)
    parser, asked = counting_parser()
    assert len(find_faces(photo, parser)) == 5
    assert asked[0] < 2 * 3 * len(found)
