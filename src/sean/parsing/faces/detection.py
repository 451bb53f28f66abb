"""Detection of frontal faces: the cascade of local binary patterns that comes with scikit-image."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from sean.errors import InputError
from sean.images import resize_image

# Pictures are searched at this longest side: the work grows with the square, and a face of 9 % is found.
SEARCH_SIDE = 256
# Of the cascade's windows, in pixels; it cannot see smaller faces.
WINDOW = 24
_SCALE_STEP = 1.1
# Above this side a picture is scanned coarsely, for small windows only (larger faces are found at smaller sides), and
# searched closely around the hits: 8 to 15 times faster, with the same box of a face.
_EXHAUSTIVE_SIDE = 512
_COARSE_SCALE_STEP = 1.2
_COARSE_STRIDE = 2
_LARGEST_COARSE = 52
# Largest ratio of successive sides: coarse scans find boxes of 24 to 52 pixels, in steps of 1.2.
_LARGEST_STEP = 2.1
# Coarse scans run tile by tile to bound their memory: the cascade keeps several 8-byte numbers for every pixel.
_TILE = 512
# Tiles without this range of brightness (of 255) within any square of this many pixels show sky, walls or blur, and are
# not scanned: faces have more contrast.
_LEAST_CONTRAST, _CONTRAST_CELL = 16, 26
# Number of hits that are searched closely, those with most windows; pixels per box there, and the margin in boxes.
_NUM_PLACES = 60
_PLACE_BOX = 36
_PLACE_EXTENT = 2.5
# Intersection over union from which windows show the same face.
_SAME_FACE = 0.4


@dataclass(frozen=True, kw_only=True)
class FaceBox:
    """A square around brows, mouth and cheeks, in pixels of the picture.

    Attributes:
        y, x: its middle.
        size: length of its sides.
        support: number of agreeing windows of the detector, its confidence.
    """

    y: float
    x: float
    size: float
    support: int


def detect_faces(image: np.ndarray, side: int = SEARCH_SIDE) -> list[FaceBox]:
    """Boxes around possible faces, the most confident first.

    Expect false positives: a box backed by a single window is usually noise; a real face is backed by dozens.

    Args:
        image: uint8 [h, w, 3].
        side: the picture is searched with this longest side, in pixels; at twice the size faces half as large are
            found, in four times the time. Above 512, only faces of few pixels (boxes of 24 to 52) are looked for.

    Raises:
        InputError: not a picture, or scikit-image is missing.
    """
    scale = min(1.0, side / max(image.shape[:2]))
    size = tuple(max(1, round(extent * scale)) for extent in image.shape[:2])
    small = resize_image(image, (size[0], size[1]))
    _cascade()  # raises for a missing package, even for tiny pictures
    if min(small.shape[:2]) < WINDOW:
        return []
    boxes = _grouped(_windows(small)) if side <= _EXHAUSTIVE_SIDE else _small_faces(small)
    return [FaceBox(y=box.y / scale, x=box.x / scale, size=box.size / scale, support=box.support) for box in boxes]


def search_sides(photo_size: tuple[int, int], smallest: float) -> list[int]:
    """The sides, in order, at which `detect_faces` finds all faces of a photo with at least a given box size.

    Args:
        photo_size: height and width in pixels.
        smallest: size of a box in pixels.
    """
    longest = max(photo_size)
    last = min(longest, round(longest * WINDOW * _SCALE_STEP / smallest))
    sides = [SEARCH_SIDE, _EXHAUSTIVE_SIDE]
    while sides[-1] < last:
        # a last side hardly larger than the previous one would double the cost
        sides.append(last if last <= _LARGEST_STEP * sides[-1] else 2 * sides[-1])
    return sides


def _windows(
    picture: np.ndarray, *, step: float = _SCALE_STEP, stride: int = 1, largest: int | None = None
) -> np.ndarray:
    """All windows of the cascade that look like a face, [n, 3]: top, left, size."""
    # all windows, as the cascade's own grouping loses their number and leaves several boxes per face
    found = _cascade().detect_multi_scale(
        picture,
        scale_factor=step,
        step_ratio=stride,
        min_size=(WINDOW, WINDOW),
        max_size=picture.shape[:2] if largest is None else (largest, largest),
        min_neighbor_number=0,
        intersection_score_threshold=2,
    )
    return np.array([[box["r"], box["c"], box["width"]] for box in found], dtype=np.float64).reshape(-1, 3)


def _small_faces(picture: np.ndarray) -> list[FaceBox]:
    """Small faces in a large picture: a coarse scan, then a close search around each hit."""
    found = [np.empty((0, 3))]
    for top in range(0, picture.shape[0], _TILE):
        for left in range(0, picture.shape[1], _TILE):
            tile = picture[top : top + _TILE + _LARGEST_COARSE, left : left + _TILE + _LARGEST_COARSE]
            if min(tile.shape[:2]) >= WINDOW and _has_contrast(tile):
                windows = _windows(tile, step=_COARSE_SCALE_STEP, stride=_COARSE_STRIDE, largest=_LARGEST_COARSE)
                found.append(windows + np.array([top, left, 0]))
    places = _grouped(np.unique(np.concatenate(found), axis=0))  # tiles overlap
    seen: list[FaceBox] = []
    for place in sorted(places, key=lambda box: -box.support)[:_NUM_PLACES]:
        box = _looked_at(picture, place)
        if box is not None and all(_overlap(box, other) <= _SAME_FACE for other in seen):
            seen.append(box)
    return sorted(seen, key=lambda box: -box.support)


def _has_contrast(tile: np.ndarray) -> bool:
    """Whether any place of a tile has the contrast of a face."""
    grey = np.asarray(Image.fromarray(tile).convert("L"))
    brightest, darkest = ndimage.maximum_filter(grey, _CONTRAST_CELL), ndimage.minimum_filter(grey, _CONTRAST_CELL)
    return int((brightest - darkest).max()) >= _LEAST_CONTRAST


def _looked_at(picture: np.ndarray, place: FaceBox) -> FaceBox | None:
    """The box at a place, with the support of a full search; None if the windows lie elsewhere."""
    reach = _PLACE_EXTENT * place.size / 2
    top, left = max(0, int(place.y - reach)), max(0, int(place.x - reach))
    around = picture[top : int(place.y + reach) + 1, left : int(place.x + reach) + 1]
    scale = _PLACE_BOX / place.size
    height, width = (max(WINDOW, round(extent * scale)) for extent in around.shape[:2])
    boxes = _grouped(_windows(resize_image(around, (height, width)), largest=2 * _PLACE_BOX))
    for box in boxes:
        found = FaceBox(y=top + box.y / scale, x=left + box.x / scale, size=box.size / scale, support=box.support)
        if _overlap(found, place) > _SAME_FACE:
            return found
    return None


@cache
def _cascade() -> Any:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except Exception as error:  # broken dependencies raise other errors than ImportError
        raise InputError(
            f"finding the face in a photo needs scikit-image, which cannot be imported here ({type(error).__name__}); "
            "pip install 'seankit[photo]', or take the whole picture (crop none)",
            setting="crop",
        ) from error
    return Cascade(lbp_frontal_face_cascade_filename())


def _grouped(windows: np.ndarray) -> list[FaceBox]:
    """Group windows [n, 3] (top, left, size) by face: each group around the window with most others, and its mean.

    Only windows with near middles are compared, as a large photo has ten thousand windows.
    """
    if not len(windows):
        return []
    tree = cKDTree(windows[:, :2] + windows[:, 2:] / 2)
    pairs = tree.query_pairs(windows[:, 2].max(), p=np.inf, output_type="ndarray")
    pairs = pairs[_overlaps(windows[pairs[:, 0]], windows[pairs[:, 1]]) > _SAME_FACE]
    near: list[list[int]] = [[index] for index in range(len(windows))]
    for first, second in pairs.tolist():
        near[first].append(second)
        near[second].append(first)
    counts = np.array([len(others) for others in near])
    boxes = []
    while counts.max() > 0:
        members = sorted(other for other in near[counts.argmax()] if counts[other] > 0)
        top, left, size = (float(value) for value in windows[members].mean(axis=0))
        boxes.append(FaceBox(y=top + size / 2, x=left + size / 2, size=size, support=len(members)))
        for member in members:
            counts[near[member]] -= 1
        counts[members] = 0
    return boxes


def _overlap(box: FaceBox, other: FaceBox) -> float:
    """Intersection over union of two boxes."""
    first, second = (np.array([[each.y - each.size / 2, each.x - each.size / 2, each.size]]) for each in (box, other))
    return float(_overlaps(first, second)[0])


def _overlaps(windows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of squares [n, 3] (top, left, size) and as many others: [n]."""
    low = np.maximum(windows[:, :2], others[:, :2])
    high = np.minimum(windows[:, :2] + windows[:, 2:], others[:, :2] + others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    overlap: np.ndarray = shared / (windows[:, 2] ** 2 + others[:, 2] ** 2 - shared)
    return overlap
