"""Curves and the turning head: the geometry under the parametric faces of `sean.data.faces.drawing`.

Points are given on a frontal head, in *head coordinates*: the origin is midway between the eyes, x grows to
the right of the picture, y downwards, depth towards the viewer, and the unit is the side of a square picture
in which the head is framed as in CelebAMask-HQ. `HeadFrame` turns and tilts such points and places them in the
picture; `smooth` makes smooth outlines of a few of them. The numbers follow mean proportions of face crops.
"""

from dataclasses import dataclass

import numpy as np

EYE_DEPTH = 0.20  # of the eyes before the axis about which the head turns
MAX_TURN = 32.0  # degrees, at turn = +-1

# The frontal outline of head and jaw, from the top of the skull to the chin: y, half the width, and the depth
# of the widest line (the ear line, then the jaw coming forward to the chin).
_OUTLINE = np.array(
    [
        (-0.385, 0.000, -0.20),
        (-0.360, 0.110, -0.20),
        (-0.290, 0.190, -0.20),
        (-0.190, 0.234, -0.20),
        (-0.090, 0.249, -0.20),
        (0.000, 0.256, -0.20),
        (0.080, 0.257, -0.20),
        (0.170, 0.248, -0.17),
        (0.250, 0.226, -0.13),
        (0.320, 0.186, -0.09),
        (0.382, 0.130, -0.05),
        (0.425, 0.070, -0.02),
        (0.442, 0.000, -0.01),
    ]
)


def smooth(points: np.ndarray, *, closed: bool, steps: int = 8) -> np.ndarray:
    """Return a Catmull-Rom curve through `points` [n, c], `steps` samples a segment: [m, c]."""
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = (np.arange(steps) / steps)[None, :, None]
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    curve = start + 0.5 * t * (
        end - before + t * (2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before))
    )
    flat = curve.reshape(-1, points.shape[1])
    return flat if closed else np.concatenate([flat, points[-1:]])


def mirrored(half: np.ndarray) -> np.ndarray:
    """Close a right half [n, 2 or 3] that runs from x = 0 to x = 0 with its mirror image: [2n - 2, same]."""
    other = half[-2:0:-1].copy()
    other[:, 0] *= -1
    return np.concatenate([half, other])


def bulge(t: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at t <= 0 to 1 at t >= 1."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


@dataclass(frozen=True, kw_only=True)
class HeadFrame:
    """The pose of a head: maps head coordinates to the unit square of the picture.

    Attributes:
        center_x, center_y: the point midway between the eyes, in picture sides.
        scale: size of the head, 1 as in CelebAMask-HQ.
        head_width, head_height, jaw_width: factors of the outline.
        turn: -1 (to the left of the picture) .. 1 (to the right).
        tilt: degrees, positive is clockwise in the picture.
        jaw_drop: how far the chin sinks, in head units.
    """

    center_x: float = 0.5
    center_y: float = 0.476
    scale: float = 1.0
    head_width: float = 1.0
    head_height: float = 1.0
    jaw_width: float = 1.0
    turn: float = 0.0
    tilt: float = 0.0
    jaw_drop: float = 0.0

    def place(self, points: np.ndarray, depth: np.ndarray | float = 0.0) -> np.ndarray:
        """Turn, tilt and place points [n, 2] of the given depth [n] (0 is the plane of the eyes): [n, 2]."""
        x = points[:, 0] * np.cos(self._angle) + depth * np.sin(self._angle)
        return self._set_down(x, points[:, 1])

    def place_silhouette(self, points: np.ndarray, depth: np.ndarray | float, roundness: float = 0.95) -> np.ndarray:
        """Place points [n, 2] of an outline, which remains the outer border of a round body at any turn.

        The near side shows its rim at `depth`; on the far side, the border is that of an ellipse whose half
        depth is `roundness` times its half width.
        """
        sine, cosine = np.sin(self._angle), np.cos(self._angle)
        rim = np.where(points[:, 0] * sine > 0, np.hypot(cosine, roundness * sine), cosine)
        return self._set_down(points[:, 0] * rim + depth * sine, points[:, 1])

    def outline(self) -> tuple[np.ndarray, np.ndarray]:
        """The right half of the face, from skull to chin: points [13, 2] in head coordinates, depth [13]."""
        y, half_width, depth = _OUTLINE.T
        low = bulge((y - 0.05) / 0.25)
        width = half_width * self.head_width * (1.0 + low * (self.jaw_width - 1.0))
        height = np.where(y > 0, y * self.head_height, y * (0.5 + 0.5 * self.head_height))
        return np.stack([width, height + self.jaw_drop * bulge((y - 0.15) / 0.3)], axis=1), depth

    def half_width_at(self, y: np.ndarray | float) -> np.ndarray:
        """Half the width of the frontal face at heights y (head coordinates)."""
        points, _ = self.outline()
        return np.asarray(np.interp(y, points[:, 1], points[:, 0]))

    @property
    def _angle(self) -> float:
        return float(np.radians(MAX_TURN * self.turn))

    def _set_down(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        angle = np.radians(self.tilt)
        tilted = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1)
        return np.asarray(tilted * self.scale + (self.center_x, self.center_y))
