"""Face search: a detector's boxes become crops, which a parser's label maps confirm and refine."""

import math

import numpy as np
from PIL import Image

from sean.compositing.frame import Frame
from sean.images import resize_image
from sean.parsing.faces.crop import Crop, cut
from sean.parsing.faces.detection import WINDOW, FaceBox, detect_faces, search_sides
from sean.parsing.faces.landmarks import Landmarks, find_landmarks, has_landmarks
from sean.parsing.segmenter import Segmenter

# Size of a crop over that of its detector box, and shift of its middle upwards in box sizes. Medians over pictures of
# CelebAMask, where the crop is the picture (tests/parsing/faces/test_real_faces.py).
_CROP_SIZE = 1.56
_CROP_RISE = 0.083
SMALLEST_FACE = 60
"""Size in pixels of the smallest crops."""
# Support that most faces have and hardly any other box has.
_SURE_SUPPORT = 8
# Limits of the parser's work: the boxes checked at each side, most confident first; the boxes in a row without a face
# that end this check; and the boxes of low confidence checked over all sides.
_NUM_BOXES = 12
_MOST_MISSES = 4
_NUM_UNSURE = 12
_ROUNDS = 3
# Intersection over union from which crops show the same face.
_SAME_FACE = 0.4
# Intersection over union with the found crop from which a nearly square picture is itself the crop: the face is then
# 0.78 to 1.28 times as large as in the training pictures, the default range of a parser's augmentation.
_WHOLE_OVERLAP = 0.6
_LONGEST_SQUARE = 1.1
# Tilt in degrees above which a head gets a turned crop (heads in the training pictures are tilted by less), and the
# largest remaining tilt in a turned crop.
_LEVEL, _EXACT = 12.0, 3.0
# Largest tilt of the faces to find, and the angle of the turned copies in which the detector finds tilted faces.
_MOST_TILT, _COPY_ANGLE = 60.0, 35.0
_COPY_SIDES = (256, 512)


def find_face(image: np.ndarray, parser: Segmenter | None = None) -> Crop | None:
    """The crop of the largest face in a photo; None if there is none. See `find_faces`."""
    faces = find_faces(image, parser)
    return faces[0] if faces else None


def find_faces(image: np.ndarray, parser: Segmenter | None = None) -> list[Crop]:
    """Crops of the faces in a photo, framed like the training pictures, the largest first.

    Args:
        image: uint8 [h, w, 3].
        parser: of faces; makes the crops more exact, finds more faces, and drops boxes without a face. A parser of
            other labels is not used.

    Returns:
        Crops of 60 pixels and more; the crop of the whole picture if the picture is framed like that already. Crops of
        heads that are tilted by 12 to 60 degrees are turned. The search goes from large faces to small ones and ends at
        a confirmed one: faces of less than half its size may be missing. Tilted faces that the detector misses in the
        photo itself are found from a twelfth of its longer side on.

    Raises:
        InputError: not a picture, or scikit-image is missing.
    """
    if parser is not None and not has_landmarks(parser.labels):
        parser = None
    unsure: list[FaceBox] = []
    sides = search_sides(_photo_size(image), SMALLEST_FACE / _CROP_SIZE)
    for number, side in enumerate(sides):
        boxes = detect_faces(image, side)
        sure = _faces_at(image, boxes, parser)
        unsure += [box for box in boxes if box.support < _SURE_SUPPORT][:_NUM_BOXES]
        if not sure and side == _COPY_SIDES[-1]:
            sure = _tilted(image, parser)
        if sure and number == 0 and not _sees_half(sure[0], side):
            more = _faces_at(image, detect_faces(image, sides[1]), parser)
            sure += [crop for crop in more if 2 * crop.size >= sure[0].size]
        if sure:
            return [_whole_if_near(crop) for crop in sorted(_distinct(sure), key=lambda crop: -crop.size)]
    if parser is None:
        return []
    for box in sorted(unsure, key=lambda box: (-box.support, -box.size))[:_NUM_UNSURE]:
        crop = _refined(image, _crop_of_box(box, image), parser, sure=False)
        if crop is not None:
            return [_whole_if_near(crop)]
    if _is_square(_photo_size(image)):  # the detector misses turned faces that fill the picture
        whole = _refined(image, Crop.whole(_photo_size(image)), parser, sure=False)
        return [] if whole is None else [_whole_if_near(whole)]
    return []


def _sees_half(crop: Crop, side: int) -> bool:
    """Whether the search at a side also finds faces of half the size of this one."""
    return crop.size / 2 / _CROP_SIZE * side / max(crop.photo_size) >= 1.1 * WINDOW


def _faces_at(image: np.ndarray, boxes: list[FaceBox], parser: Segmenter | None) -> list[Crop]:
    """The crops of the confident boxes, refined by the parser, without those in which it finds no face.

    Several boxes in a row without a face end the check.
    """
    return _confirmed(image, [_crop_of_box(box, image) for box in boxes if box.support >= _SURE_SUPPORT], parser)


def _confirmed(image: np.ndarray, crops: list[Crop], parser: Segmenter | None) -> list[Crop]:
    if parser is None:
        return crops[:_NUM_BOXES]
    faces: list[Crop] = []
    misses = 0
    for crop in crops[:_NUM_BOXES]:
        refined = _refined(image, crop, parser, sure=True)
        misses = 0 if refined is not None else misses + 1
        if refined is not None:
            faces.append(refined)
        elif misses == _MOST_MISSES:
            break
    return faces


def _tilted(image: np.ndarray, parser: Segmenter | None) -> list[Crop]:
    """Crops of faces with high support in turned copies of a photo."""
    height, width = image.shape[:2]
    scale = min(1.0, 2 * _COPY_SIDES[-1] / max(height, width))
    small = Image.fromarray(resize_image(image, (max(1, round(height * scale)), max(1, round(width * scale)))))
    angles = (-_COPY_ANGLE, _COPY_ANGLE)
    copies = [(angle, np.asarray(small.rotate(angle, Image.Resampling.BILINEAR, expand=True))) for angle in angles]
    found: list[Crop] = []
    for side in _COPY_SIDES:
        for angle, copy in copies:
            boxes = [box for box in detect_faces(copy, side) if box.support >= _SURE_SUPPORT]
            crops = [_crop_in_copy(box, angle, _photo_size(copy), scale, (height, width)) for box in boxes]
            found += _confirmed(image, [crop for crop in crops if crop is not None], parser)
        if found:
            break
    return found


def _crop_in_copy(
    box: FaceBox, angle: float, copy_size: tuple[int, int], scale: float, photo_size: tuple[int, int]
) -> Crop | None:
    """The crop of a box found in a copy of a photo, of `scale` times its size and turned back by an angle."""
    down, across = box.y - _CROP_RISE * box.size - copy_size[0] / 2, box.x - copy_size[1] / 2
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    y = photo_size[0] / 2 + (across * sine + down * cosine) / scale
    x = photo_size[1] / 2 + (across * cosine - down * sine) / scale
    if not (0 <= y < photo_size[0] and 0 <= x < photo_size[1]):
        return None
    size = _CROP_SIZE * box.size / scale
    return Crop(top=y - size / 2, left=x - size / 2, size=size, photo_size=photo_size, angle=angle)


def _crop_of_box(box: FaceBox, image: np.ndarray) -> Crop:
    size = _CROP_SIZE * box.size
    top = box.y - _CROP_RISE * box.size - size / 2
    return Crop(top=top, left=box.x - size / 2, size=size, photo_size=_photo_size(image))


def _refined(image: np.ndarray, crop: Crop, parser: Segmenter, *, sure: bool, rounds: int = _ROUNDS) -> Crop | None:
    """Refine a crop by the landmarks of its parsed map until it stays the same; None if it shows no face.

    With low support a face must show both eyes, as the parser tends to see glasses in other textures.
    """
    marks = find_landmarks(parser.segmap(cut(image, crop, max(parser.size))), parser.labels)
    if marks is None or not _is_sensible(crop, marks):
        return None
    middle = (float(marks.middle[0]), float(marks.middle[1]))
    if (
        abs(marks.tilt) > (_EXACT if crop.angle else _LEVEL)
        and abs(crop.angle + marks.tilt) <= _MOST_TILT
        and rounds > 1
    ):
        turned = _refined(
            image, crop.part(middle, marks.size, marks.tilt), parser, sure=sure, rounds=rounds - (crop.angle != 0)
        )
        if turned is not None:
            return turned
    if not marks.upright:
        return None
    moved = crop.part(middle, marks.size)
    if rounds > 1 and not _shows_all(marks, tolerance=0.02):
        return _refined(image, moved, parser, sure=sure, rounds=rounds - 1)
    return moved if _shows_all(marks, tolerance=0.1) and (sure or marks.eye_distance > 0) else None


def _shows_all(marks: Landmarks, tolerance: float) -> bool:
    """Whether the crop of the landmarks is nearly the one that they were found in."""
    shift = float(np.abs(marks.middle - 0.5).max())
    return shift < tolerance and 1 / (1 + 2 * tolerance) < marks.size < 1 + 2 * tolerance


def _is_sensible(crop: Crop, marks: Landmarks) -> bool:
    """Whether the crop of the landmarks has its middle in the photo and is not much larger than the photo."""
    if not 0 < marks.size * crop.size <= 2 * max(crop.photo_size):
        return False
    asked = Frame.square(crop.top, crop.left, crop.size, crop.angle).matrix
    y, x = marks.middle
    column, row = asked[0] * x + asked[1] * y + asked[2], asked[3] * x + asked[4] * y + asked[5]
    return bool(0 <= row < crop.photo_size[0] and 0 <= column < crop.photo_size[1])


def _distinct(crops: list[Crop]) -> list[Crop]:
    """The first crop of every face."""
    kept: list[Crop] = []
    for crop in crops:
        if all(crop.overlap(other) < _SAME_FACE for other in kept):
            kept.append(crop)
    return kept


def _whole_if_near(crop: Crop) -> Crop:
    whole = Crop.whole(crop.photo_size)
    if crop.angle:
        return crop
    return whole if _is_square(crop.photo_size) and crop.overlap(whole) >= _WHOLE_OVERLAP else crop


def _is_square(photo_size: tuple[int, int]) -> bool:
    return max(photo_size) <= _LONGEST_SQUARE * min(photo_size)


def _photo_size(image: np.ndarray) -> tuple[int, int]:
    height, width = image.shape[:2]
    return height, width
