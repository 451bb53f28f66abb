"""Where frontal faces may be in a picture: the cascade of local binary patterns that comes with scikit-image."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sean.errors import InputError
from sean.images import resize_image

# Pictures are searched at this longest side: the work grows with the square, and a face of 9 % is found.
SEARCH_SIDE = 256
# Of the cascade's windows, in pixels; it cannot see smaller faces.
WINDOW = 24
_SCALE_STEP = 1.1
# Windows that overlap so much (intersection over union) show the same face.
_SAME_FACE = 0.4


@dataclass(frozen=True, kw_only=True)
class FaceBox:
    """A square around brows, mouth and cheeks, in pixels of the picture.

    Attributes:
        y, x: its middle.
        size: length of its sides.
        support: how many windows of the detector agree; the more, the surer.
    """

    y: float
    x: float
    size: float
    support: int


def detect_faces(image: np.ndarray, side: int = SEARCH_SIDE) -> list[FaceBox]:
    """Boxes around everything that looks like a face, the surest first.

    Many are none: a single window in agreement is often chance, a face has tens.

    Args:
        image: uint8 [h, w, 3].
        side: the picture is searched with this longest side, in pixels; at twice the size faces half as large are
            found, in four times the time.

    Raises:
        InputError: not a picture, or scikit-image is missing.
    """
    cascade = _cascade()
    scale = min(1.0, side / max(image.shape[:2]))
    size = tuple(max(1, round(extent * scale)) for extent in image.shape[:2])
    small = resize_image(image, (size[0], size[1]))
    if min(small.shape[:2]) < WINDOW:
        return []
    # All windows, as its own grouping tells neither how many agree nor leaves one box of one face.
    found = cascade.detect_multi_scale(
        small,
        scale_factor=_SCALE_STEP,
        step_ratio=1,
        min_size=(WINDOW, WINDOW),
        max_size=small.shape[:2],
        min_neighbor_number=0,
        intersection_score_threshold=2,
    )
    windows = np.array([[box["r"], box["c"], box["width"]] for box in found], dtype=np.float64).reshape(-1, 3)
    return _grouped(windows / scale)


@cache
def _cascade() -> Any:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except Exception as error:  # a broken package beside it fails in other ways than ImportError
        raise InputError(
            f"finding the face in a photo needs scikit-image, which cannot be imported here ({type(error).__name__}); "
            "pip install 'sean[photo]', or take the whole picture (--crop none)"
        ) from error
    return Cascade(lbp_frontal_face_cascade_filename())


def _grouped(windows: np.ndarray) -> list[FaceBox]:
    """Windows [n, 3] (top, left, size) by face: the one with most others around it, its mean, and so on."""
    boxes = []
    while len(windows):
        near = _overlaps(windows) > _SAME_FACE
        member = near[near.sum(axis=1).argmax()]
        top, left, size = (float(value) for value in windows[member].mean(axis=0))
        boxes.append(FaceBox(y=top + size / 2, x=left + size / 2, size=size, support=int(member.sum())))
        windows = windows[~member]
    return boxes


def _overlaps(windows: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair of squares: [n, n]."""
    start, size = windows[:, :2], windows[:, 2]
    low = np.maximum(start[:, None], start[None])
    high = np.minimum((start + size[:, None])[:, None], (start + size[:, None])[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    overlap: np.ndarray = shared / (size[:, None] ** 2 + size[None] ** 2 - shared)
    return overlap
