"""The position of a small picture or map in a photo, and sampling of small fields at the photo's pixels."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

Box = tuple[int, int, int, int]
"""First row, first column, one past the last row and column, in pixels of the photo."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A parallelogram in a photo: the part that the model or the parser sees.

    Attributes:
        matrix: six numbers (a, b, c, d, e, f). The point (u, v) of the frame, both in [0, 1] from its upper left
            corner, has the position x = a u + b v + c, y = d u + e v + f in pixels from the photo's upper left corner.
    """

    matrix: tuple[float, float, float, float, float, float]

    @classmethod
    def square(cls, top: float, left: float, size: float, angle: float = 0.0) -> "Frame":
        """A square, upright or turned clockwise around its middle by an angle in degrees."""
        if angle == 0:
            return cls(matrix=(size, 0.0, left, 0.0, size, top))
        across, down = size * math.cos(math.radians(angle)), size * math.sin(math.radians(angle))
        x, y = left + size / 2, top + size / 2
        return cls(matrix=(across, -down, x - (across - down) / 2, down, across, y - (across + down) / 2))

    @classmethod
    def whole(cls, height: int, width: int) -> "Frame":
        """The frame of a whole photo."""
        return cls(matrix=(float(width), 0.0, 0.0, 0.0, float(height), 0.0))

    @property
    def extent(self) -> tuple[float, float]:
        """Lengths of the vertical and the horizontal edge, in pixels of the photo."""
        a, b, _, d, e, _ = self.matrix
        return math.hypot(b, e), math.hypot(a, d)

    def part(self, top: float, left: float, bottom: float, right: float) -> "Frame":
        """A part of the frame, given by fractions of it."""
        a, b, c, d, e, f = self.matrix
        across, down = right - left, bottom - top
        corner = (c + a * left + b * top, f + d * left + e * top)
        return Frame(matrix=(a * across, b * down, corner[0], d * across, e * down, corner[1]))

    def box(self, photo_size: tuple[int, int]) -> Box:
        """The smallest box of pixels of a photo of size (h, w) that contains the part of the frame in the photo."""
        a, b, c, d, e, f = self.matrix
        xs = [c, a + c, b + c, a + b + c]
        ys = [f, d + f, e + f, d + e + f]
        height, width = photo_size
        return (
            max(0, math.floor(min(ys))),
            max(0, math.floor(min(xs))),
            min(height, math.ceil(max(ys))),
            min(width, math.ceil(max(xs))),
        )

    def sample(self, field: np.ndarray, box: Box) -> np.ndarray:
        """A field of the frame at the pixels of a box of the photo.

        Args:
            field: float32 [h, w], covers the frame.
            box: see `Box`.

        Returns:
            float32 [rows, columns], bilinear; 0 beyond the frame.
        """
        height, width = field.shape
        inverse = self._inverse(width, height)
        data = (
            inverse[0],
            inverse[1],
            inverse[2] + inverse[0] * box[1] + inverse[1] * box[0],
            inverse[3],
            inverse[4],
            inverse[5] + inverse[3] * box[1] + inverse[4] * box[0],
        )
        size = (box[3] - box[1], box[2] - box[0])
        source = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
        return np.asarray(source.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR))

    def seen(self, photo: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """The part of a photo inside the frame.

        Args:
            photo: uint8 [h, w, 3].
            shape: shape of the result.

        Returns:
            uint8 [*shape, 3], antialiased, with the photo's border pixels repeated beyond its borders; and bool
            [*shape], whether a pixel's centre lies in the photo.
        """
        height, width = shape
        top, left, bottom, right = self.box((photo.shape[0], photo.shape[1]))
        factor = max(1, int(min(self.extent[0] / height, self.extent[1] / width) / 1.01))
        part = Image.fromarray(photo[top:bottom, left:right])
        small = part.reduce(factor) if factor > 1 else part
        scale_x, scale_y = part.width / small.width, part.height / small.height
        a, b, c, d, e, f = self.matrix
        data = (
            a / width / scale_x, b / height / scale_x, (c - left) / scale_x,
            d / width / scale_y, e / height / scale_y, (f - top) / scale_y,
        )  # fmt: skip
        # one more border pixel on every side, so that interpolation at the edge uses the photo only
        padded = Image.fromarray(np.pad(np.asarray(small), ((1, 1), (1, 1), (0, 0)), mode="edge"))
        data = (*data[:2], data[2] + 1, *data[3:5], data[5] + 1)
        shown = np.array(padded.transform((width, height), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR))
        u, v = (np.arange(width) + 0.5) / width, ((np.arange(height) + 0.5) / height)[:, None]
        x, y = a * u + b * v + c, d * u + e * v + f
        inside: np.ndarray = (x > 0) & (x < photo.shape[1]) & (y > 0) & (y < photo.shape[0])
        if not inside.all() and inside.any():
            nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
            shown = shown[tuple(nearest)]
        return shown, inside

    def edge_weights(self, shape: tuple[int, int], photo_size: tuple[int, int], feather: float) -> np.ndarray:
        """Weights on a grid over the frame that fall to 0 at those of its edges that lie inside the photo.

        Args:
            shape: shape of the grid.
            photo_size: (h, w).
            feather: width of the transition, as a fraction of the frame.

        Returns:
            float32 [*shape] in [0, 1].
        """
        height, width = shape
        a, b, c, d, e, f = self.matrix
        u, v = (np.arange(-1, width + 1) + 0.5) / width, ((np.arange(-1, height + 1) + 0.5) / height)[:, None]
        x, y = a * u + b * v + c, d * u + e * v + f
        beyond = (x > 0) & (x < photo_size[1]) & (y > 0) & (y < photo_size[0])
        beyond[1:-1, 1:-1] = False
        if not beyond.any():
            return np.ones(shape, dtype=np.float32)
        distance = ndimage.distance_transform_edt(~beyond)[1:-1, 1:-1] - 0.5
        return smooth_step(distance / max(feather * max(shape), 1e-6))

    def _inverse(self, width: int, height: int) -> tuple[float, float, float, float, float, float]:
        """The map from pixels of the photo to those of a grid over the frame, as six numbers like `matrix`."""
        a, b, c, d, e, f = self.matrix
        determinant = a * e - b * d
        across = (e / determinant, -b / determinant, (b * f - c * e) / determinant)
        down = (-d / determinant, a / determinant, (c * d - a * f) / determinant)
        return (
            across[0] * width, across[1] * width, across[2] * width,
            down[0] * height, down[1] * height, down[2] * height,
        )  # fmt: skip


def smooth_step(share: np.ndarray) -> np.ndarray:
    """3 t^2 - 2 t^3 of values clipped to [0, 1], as float32."""
    t = np.clip(share, 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)


def resized(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """float32 [h, w] -> [*shape], bilinear (antialiased where it shrinks)."""
    image = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def carried(field: np.ndarray, source: Frame, target: Frame, shape: tuple[int, int]) -> np.ndarray:
    """Resample a field from one frame to another frame of the same photo, by nearest neighbour.

    Args:
        field: [h, w] over `source`.
        source: the frame of the field.
        target: the frame of the result.
        shape: shape of the result.

    Returns:
        [*shape] over `target`; 0 beyond `source`.
    """
    height, width = shape
    if source == target and field.shape == shape:
        return field
    a, b, c, d, e, f = target.matrix
    u, v = (np.arange(width) + 0.5) / width, ((np.arange(height) + 0.5) / height)[:, None]
    x, y = a * u + b * v + c, d * u + e * v + f
    a, b, c, d, e, f = source.matrix
    determinant = a * e - b * d
    across = (e * (x - c) - b * (y - f)) / determinant
    down = (a * (y - f) - d * (x - c)) / determinant
    inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1)
    rows = np.clip(down * field.shape[0], 0, field.shape[0] - 1).astype(np.int64)
    columns = np.clip(across * field.shape[1], 0, field.shape[1] - 1).astype(np.int64)
    return np.where(inside, field[rows, columns], np.zeros((), field.dtype))
