"""Finding faces: boxes of a detector, turned into crops, and made sure of by the map that a parser makes of them."""

from dataclasses import dataclass, replace

import numpy as np

from sean.parsing.faces.crop import Crop, cut
from sean.parsing.faces.detection import FaceBox, detect_faces, search_sides
from sean.parsing.faces.landmarks import Landmarks, find_landmarks, has_landmarks
from sean.parsing.segmenter import Segmenter

# The crop of a detector's box: so many times its size, its middle so many box sizes higher. Medians over pictures of
# CelebAMask, where the crop is the picture (tests/parsing/faces/test_real_faces.py).
_CROP_SIZE = 1.56
_CROP_RISE = 0.083
SMALLEST_FACE = 60
"""Size in pixels of the smallest crops that are found."""
# Most faces have so many windows of the detector, and hardly anything else has.
_SURE_SUPPORT = 8
_NUM_CANDIDATES = 12
_ROUNDS = 3
# Crops that overlap so much show the same face.
_SAME_FACE = 0.4
# A nearly square picture is itself the crop when it overlaps so much with the one found: the face is then between
# 0.78 and 1.28 times as large as in the training pictures, the range that a parser's augmentation covers by default.
_WHOLE_OVERLAP = 0.6
_LONGEST_SQUARE = 1.1


def find_face(image: np.ndarray, parser: Segmenter | None = None) -> Crop | None:
    """The crop of the largest face in a photo; None where there is none. See `find_faces`."""
    faces = find_faces(image, parser)
    return faces[0] if faces else None


def find_faces(image: np.ndarray, parser: Segmenter | None = None) -> list[Crop]:
    """The crops of the faces in a photo that show each as the training pictures do, the largest first.

    Args:
        image: uint8 [h, w, 3].
        parser: of faces; makes the crops more exact, finds more faces, and drops boxes without a face. A parser of
            other labels is not used.

    Returns:
        Crops of 60 pixels and more; that of the whole picture where the picture is such a crop already. The search goes
        from large faces to small ones, and ends where it is sure of one: much smaller faces beside it may be missing.

    Raises:
        InputError: not a picture, or scikit-image is missing.
    """
    if parser is not None and not has_landmarks(parser.labels):
        parser = None
    found: list[_Found] = []
    for side in search_sides(_photo_size(image), SMALLEST_FACE / _CROP_SIZE):
        found += _candidates(image, side, parser)
        sure = [face.crop for face in found if face.support >= _SURE_SUPPORT]
        if sure:
            return [_whole_if_near(crop) for crop in sorted(_distinct(sure), key=lambda crop: -crop.size)]
    if parser is None:
        return []
    if not found and _is_square(_photo_size(image)):  # the detector overlooks turned faces that fill the picture
        whole = _refined(image, Crop.whole(_photo_size(image)), parser, sure=False)
        return [] if whole is None else [_whole_if_near(whole)]
    return [_whole_if_near(max(found, key=lambda face: (face.support, face.crop.size)).crop)] if found else []


@dataclass(frozen=True)
class _Found:
    crop: Crop
    support: int


def _candidates(image: np.ndarray, side: int, parser: Segmenter | None) -> list[_Found]:
    """The detector's boxes as crops, the surest first; refined by the parser, without those where it sees no face."""
    found = []
    for box in detect_faces(image, side)[:_NUM_CANDIDATES]:
        crop: Crop | None = _crop_of_box(box, image)
        if crop is not None and parser is not None:
            crop = _refined(image, crop, parser, sure=box.support >= _SURE_SUPPORT)
        if crop is not None:
            found.append(_Found(crop, box.support))
    return found


def _crop_of_box(box: FaceBox, image: np.ndarray) -> Crop:
    size = _CROP_SIZE * box.size
    top = box.y - _CROP_RISE * box.size - size / 2
    return Crop(top=top, left=box.x - size / 2, size=size, photo_size=_photo_size(image))


def _refined(image: np.ndarray, crop: Crop, parser: Segmenter, *, sure: bool, rounds: int = _ROUNDS) -> Crop | None:
    """The crop by the landmarks of the map that the parser makes of it, again until it stays; None if no face is there.

    Where the detector is not sure, a face must show both eyes: in other textures the parser tends to see glasses.
    """
    marks = find_landmarks(parser.segmap(cut(image, crop, max(parser.size))), parser.labels)
    if marks is None or not marks.upright or not _is_sensible(crop, marks):
        return None
    y, x = (float(place) * crop.size for place in marks.middle)
    size = marks.size * crop.size
    moved = replace(crop, top=crop.top + y - size / 2, left=crop.left + x - size / 2, size=size)
    if rounds > 1 and not _shows_all(marks, tolerance=0.02):
        return _refined(image, moved, parser, sure=sure, rounds=rounds - 1)
    return moved if _shows_all(marks, tolerance=0.1) and (sure or marks.eye_distance > 0) else None


def _shows_all(marks: Landmarks, tolerance: float) -> bool:
    """Whether the crop that the landmarks ask for is nearly the one that they were found in."""
    shift = float(np.abs(marks.middle - 0.5).max())
    return shift < tolerance and 1 / (1 + 2 * tolerance) < marks.size < 1 + 2 * tolerance


def _is_sensible(crop: Crop, marks: Landmarks) -> bool:
    """Whether the crop that the landmarks ask for has its middle in the photo and is not much larger than that."""
    middle = np.array([crop.top, crop.left]) + marks.middle * crop.size
    inside = (middle >= 0).all() and (middle < crop.photo_size).all()
    return bool(inside and marks.size * crop.size <= 2 * max(crop.photo_size))


def _distinct(crops: list[Crop]) -> list[Crop]:
    """One crop of every face, the first."""
    kept: list[Crop] = []
    for crop in crops:
        if all(crop.overlap(other) < _SAME_FACE for other in kept):
            kept.append(crop)
    return kept


def _whole_if_near(crop: Crop) -> Crop:
    whole = Crop.whole(crop.photo_size)
    return whole if _is_square(crop.photo_size) and crop.overlap(whole) >= _WHOLE_OVERLAP else crop


def _is_square(photo_size: tuple[int, int]) -> bool:
    return max(photo_size) <= _LONGEST_SQUARE * min(photo_size)


def _photo_size(image: np.ndarray) -> tuple[int, int]:
    height, width = image.shape[:2]
    return height, width
