"""Parametric faces: label maps with the labels, proportions and framing of CelebAMask-HQ, made by code.

`draw_face(FaceShape(...), (h, w))` paints smooth outlines one over the other, as a face is built: background,
hair behind, clothes, neck, skin, features, hair in front, ears, hat. Outlines are filled at four times the
size and every pixel takes the label at its middle, so no label appears between two others. Left and
right in label names are the subject's own, as in the data: `l_eye` lies on the right of the picture.
"""

import numpy as np
from PIL import Image, ImageDraw

from sean.data.faces import parts
from sean.data.faces.shape import FaceShape, random_face
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

__all__ = ["FaceShape", "draw_face", "random_face"]

_FINER = 4


def can_draw_faces(labels: LabelSet) -> bool:
    """Whether drawn faces fit a label set: its ids are those of `sean.labels.CELEBAMASK_HQ`."""
    return labels.names == CELEBAMASK_HQ.names


def draw_face(shape: FaceShape, size: tuple[int, int]) -> np.ndarray:
    """Draw the label map of a face.

    Args:
        shape: the face. Its coordinates refer to a square of side min(h, w) in the middle of the picture;
            the rest of the picture is drawn too (shoulders, hair, background).
        size: (h, w) in pixels, each at least 1.

    Returns:
        int64 [h, w] of ids of `sean.labels.CELEBAMASK_HQ`.

    Raises:
        InputError: a size that is not two positive integers.
    """
    canvas = _Canvas(size)
    frame = parts.frame_of(shape)
    clothes, neck = parts.body(shape, frame)
    face = parts.face_outline(frame)
    canvas.fill(parts.hair_behind(shape, frame), "hair")
    canvas.fill(clothes, "cloth")
    canvas.fill(neck, "neck")
    if shape.necklace:
        canvas.fill(parts.necklace(shape, frame), "neck_l")
    canvas.fill(face, "skin")
    _features(canvas, shape)
    canvas.fill(parts.hair_front(shape, frame), "hair")
    _ears(canvas, shape, face)
    if shape.hat:
        canvas.fill(parts.hat(shape, frame), "hat")
    return canvas.labels()


def _features(canvas: "_Canvas", shape: FaceShape) -> None:
    frame = parts.frame_of(shape)
    for side, prefix in ((-1, "r"), (1, "l")):
        canvas.fill(parts.brow(shape, frame, side), f"{prefix}_brow")
    canvas.fill(parts.nose(shape, frame), "nose")
    if shape.eyeglasses:
        for part in parts.eyeglasses(shape, frame):
            canvas.fill(part, "eye_g")
    for side, prefix in ((-1, "r"), (1, "l")):
        canvas.fill(parts.eye(shape, frame, side), f"{prefix}_eye")
    upper, lower, inside = parts.lips_and_mouth(shape, frame)
    canvas.fill(upper, "u_lip")
    canvas.fill(lower, "l_lip")
    if inside is not None:
        canvas.fill(inside, "mouth")


def _ears(canvas: "_Canvas", shape: FaceShape, face: np.ndarray) -> None:
    frame = parts.frame_of(shape)
    for side, prefix in ((-1, "r"), (1, "l")):
        turned_away = side * shape.turn
        if shape.ears > 0 and turned_away < 0.3:
            canvas.fill(parts.ear(shape, frame, side), f"{prefix}_ear", outside=face)
        if shape.earrings and turned_away < 0.3:
            canvas.fill(parts.earring(shape, frame, side), "ear_r", outside=face)


class _Canvas:
    """Polygons of the unit square, filled at a finer size, one over the other."""

    def __init__(self, size: tuple[int, int]) -> None:
        if len(size) != 2 or any(isinstance(side, float) or side < 1 for side in size):
            raise InputError(f"the size of a face must be (h, w), two positive integers, got {size!r}")
        height, width = int(size[0]), int(size[1])
        self._side = min(height, width) * _FINER
        self._corner = ((width * _FINER - self._side) / 2, (height * _FINER - self._side) / 2)
        self._image = Image.new("L", (width * _FINER, height * _FINER), CELEBAMASK_HQ.id_of("background"))
        self._draw = ImageDraw.Draw(self._image)

    def fill(self, polygon: np.ndarray, label: str, outside: np.ndarray | None = None) -> None:
        """Paint a polygon [n, 2]; with `outside`, only the part outside of that polygon."""
        if outside is None:
            self._draw.polygon(self._pixels(polygon), fill=CELEBAMASK_HQ.id_of(label))
            return
        mask = Image.new("1", self._image.size)
        draw = ImageDraw.Draw(mask)
        draw.polygon(self._pixels(polygon), fill=1)
        draw.polygon(self._pixels(outside), fill=0)
        self._image.paste(CELEBAMASK_HQ.id_of(label), mask=mask)

    def labels(self) -> np.ndarray:
        """Return the label at the middle of every pixel: int64 [h, w]."""
        middle = _FINER // 2
        return np.asarray(self._image)[middle::_FINER, middle::_FINER].astype(np.int64)

    def _pixels(self, polygon: np.ndarray) -> list[float]:
        flat: list[float] = (polygon * self._side + self._corner).ravel().tolist()
        return flat
