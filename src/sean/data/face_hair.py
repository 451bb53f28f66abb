"""The outlines of hair and hat: polygons in the unit square of the picture.

Hair is one outline that runs from the tips on one side over the top to the tips on the other and back along
the cheeks and the hairline. `side` is -1 on the left of the picture and 1 on its right. Waves take their phase
from `hair_phase` on the left and from its mirror on the right, so that a mirrored shape draws the mirrored
picture.
"""

import numpy as np

from sean.data.face_geometry import HeadFrame, bulge, mirrored, smooth
from sean.data.face_shape import FaceShape

# The outer border over the skull, for hair of middle volume: y, half the width, what volume adds to that.
_DOME = np.array(
    [
        (-0.500, 0.000, 0.00),
        (-0.475, 0.165, 0.05),
        (-0.400, 0.250, 0.08),
        (-0.300, 0.298, 0.10),
        (-0.200, 0.317, 0.11),
        (-0.100, 0.321, 0.12),
    ]
)
_TEMPLE_Y = -0.115
_EAR_LINE = -0.20  # depth of the border of the face at ear and temple


def hair_tip(shape: FaceShape) -> float:
    """Return the height of the tips of the hair in head coordinates (the chin is at 0.44)."""
    return -0.07 + 0.95 * shape.hair_length


def hair_behind(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """Return all the hair as a filled silhouette, for what shows behind neck and shoulders."""
    left, right = (_outer_side(shape, frame, side, hair_tip(shape)) for side in (-1, 1))
    t = np.linspace(1.0, -1.0, 15)[1:-1]
    nape = np.stack([np.where(t > 0, right[-1, 0], -left[-1, 0]) * t, right[-1, 1] + 0.02 * (1 - t * t)], axis=1)
    return _place_hair(frame, np.concatenate([left[::-1], right, nape]))


def hair_front(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """Return the hair that frames the face: outer border, tips, and the border along cheeks and forehead."""
    tips = {side: _front_tip(shape, side) for side in (-1, 1)}
    left, right = (_outer_side(shape, frame, side, tips[side]) for side in (-1, 1))
    outer = _place_hair(frame, np.concatenate([left[::-1], right]))
    inner = [_cheek_side(shape, frame, side, tips[side]) for side in (1, -1)]
    return np.concatenate([outer, inner[0], _hairline(shape, frame), inner[1][::-1]])


def hat(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """Return a cap over the hair, pulled down to the forehead."""
    swell = 0.06 * shape.hair_volume
    half = np.array(
        [
            (0.00, -0.51),
            (0.15, -0.50),
            (0.26 + swell, -0.43),
            (0.325 + swell, -0.31),
            (0.345 + swell, -0.18),
            (0.325 + swell, -0.065),
            (0.24, -0.110),
            (0.00, -0.165),
        ]
    )
    return _place_hair(frame, smooth(mirrored(half), closed=True))


def _place_hair(frame: HeadFrame, points: np.ndarray) -> np.ndarray:
    # The hair on the skull lies behind the ear line; what hangs below comes forward on the shoulders.
    depth = -0.27 + 0.12 * bulge((points[:, 1] - 0.05) / 0.4)
    return frame.place_silhouette(points, depth, roundness=1.05)


def _wave(shape: FaceShape, side: int, y: np.ndarray) -> np.ndarray:
    """The waves of one side's border, -1 .. 1."""
    turn = 2 * np.pi * (shape.hair_phase if side < 0 else 1.0 - shape.hair_phase)
    return np.asarray(
        0.55 * np.sin(11 * y + 3 * turn) + 0.30 * np.sin(27 * y + 5 * turn) + 0.15 * np.sin(61 * y + 7 * turn)
    )


def _spread(y: np.ndarray) -> np.ndarray:
    """How far long hair has spread sideways at heights y: 0 on top of the head .. 1 from the ears down."""
    t = np.clip((y + 0.43) / 0.5, 0.0, 1.0)
    return np.asarray(t * (1.5 - 0.5 * t))


def _front_tip(shape: FaceShape, side: int) -> float:
    """The tip of the hair before the shoulders: a swaying head has one side's hair behind them."""
    behind = bulge(np.asarray((-side * shape.hair_sway - 0.35) / 0.3))
    return float(hair_tip(shape) - behind * max(0.0, hair_tip(shape) - 0.34))


def _outer_side(shape: FaceShape, frame: HeadFrame, side: int, tip: float) -> np.ndarray:
    """The outer border on one side, from the top of the head to the tip, in head coordinates."""
    volume = shape.hair_volume + 0.3 * side * shape.hair_sway
    length = float(bulge(np.asarray((hair_tip(shape) - 0.03) / 0.42)))
    dome = np.stack(
        [_DOME[:, 1] + (volume - 0.5) * _DOME[:, 2], _DOME[:, 0] - 0.07 * (shape.hair_volume - 0.5)], axis=1
    )
    hang = np.linspace(_DOME[-1, 0], max(tip, -0.03), 12 if tip > 0.2 else 5)[1:]
    border = np.concatenate([dome, np.stack([np.full(len(hang), dome[-1, 0]), hang], axis=1)])
    y = border[:, 1]
    border[:, 0] += length * (0.05 + 0.15 * max(volume, 0.0)) * _spread(y)
    swing = bulge((y + 0.42) / 0.35) * (0.35 + 0.65 * length)
    border[:, 0] += 0.035 * shape.hair_wave * swing * _wave(shape, side, y)
    fine = smooth(border, closed=False, steps=6)
    # The strand rounds off to its tip; cropped hair closes in to the sideburn.
    rim = float(frame.half_width_at(min(tip, 0.2))) + 0.012
    reach = 0.12 + 0.04 * length
    close = 1.0 - np.sqrt(1.0 - np.clip((fine[:, 1] - (fine[-1, 1] - reach)) / reach, 0.0, 1.0) ** 2)
    fine[:, 0] += close * (rim - fine[:, 0]) * (0.95 - 0.35 * length)
    ripple = 0.009 * shape.hair_wave * bulge((fine[:, 1] + 0.45) / 0.2)
    fine[:, 0] += ripple * _wave(shape, side, 3.1 * fine[:, 1] + 0.3)
    return fine * (side, 1)


def _cheek_side(shape: FaceShape, frame: HeadFrame, side: int, tip: float) -> np.ndarray:
    """One side's border along cheek and neck, placed, from the tip up to the temple."""
    y = np.array([_TEMPLE_Y, -0.05, 0.02, 0.09, 0.16, 0.23, 0.30, 0.38, 0.46, 0.56, 0.68, 0.82, 0.95])
    keep = y < tip - 0.03
    keep[0] = True
    y = np.append(y[keep], max(tip, -0.06))
    long = bulge(np.asarray((tip + 0.02) / 0.3))
    cover = max(0.0, 1.0 - 2.0 * shape.ears) * long * (0.008 + 0.016 * side * shape.hair_sway)
    # Where an ear shows, the hair keeps off it.
    free = 1.0 - min(1.0, 3.0 * shape.ears) * bulge((0.30 - y) / 0.1)
    fall = 0.03 * bulge((y - 0.28) / 0.4) + 0.016 * shape.hair_wave * free * _wave(shape, side, 1.3 * y + 0.5)
    x = frame.half_width_at(np.minimum(y, 0.21)) - 0.002 - (cover - fall * long) * bulge((y - _TEMPLE_Y) / 0.1)
    x[-1] += 0.045 * long
    depth = _EAR_LINE + 0.06 * bulge((y - 0.2) / 0.3)
    curve = smooth(np.column_stack([x, y, depth])[::-1], closed=False, steps=6)
    return frame.place_silhouette(curve[:, :2] * (side, 1), curve[:, 2])


def _hairline(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """The border on the forehead, placed, from the right temple to the left one."""
    u = np.linspace(1.0, -1.0, 41)
    top_y = -0.260 - 0.10 * shape.hairline
    arch = (1 - np.abs(u) ** 2.4) ** 0.55
    sweep = bulge(np.abs(u - shape.parting) / 1.1)
    amount = (1.0 - shape.fringe_sweep) + shape.fringe_sweep * sweep
    peak = 0.02 * shape.fringe_sweep * np.exp(-(((u - shape.parting) / 0.45) ** 2))
    crown = top_y - peak + shape.fringe * amount * (-0.075 - top_y)
    teeth = _teeth(u, shape.hair_phase) + _teeth(-u, 1.0 - shape.hair_phase)
    crown = crown + (0.012 + 0.030 * shape.fringe * amount) * (0.25 + 0.75 * shape.hair_wave) * teeth
    y = _TEMPLE_Y + (crown - _TEMPLE_Y) * arch
    half_width = float(frame.half_width_at(_TEMPLE_Y)) - 0.002
    x = half_width * u * (1.0 - 0.12 * bulge((-y - 0.15) / 0.2))
    placed = frame.place(np.stack([x, y], axis=1), _EAR_LINE + 0.95 * half_width * np.sqrt(1.0 - u * u))
    # What the turn carries behind the far temple stays on the rim of the head.
    if shape.turn > 0:
        placed[:, 0] = np.maximum.accumulate(placed[::-1, 0])[::-1]
    elif shape.turn < 0:
        placed[:, 0] = np.minimum.accumulate(placed[:, 0])
    return placed


def _teeth(u: np.ndarray, phase: float) -> np.ndarray:
    turn = 2 * np.pi * phase
    return np.asarray(
        0.30 * np.sin(7 * u + 2 * turn) + 0.15 * np.sin(17 * u + 5 * turn) + 0.08 * np.sin(41 * u + 9 * turn)
    )
