"""The outlines of the parts of a face, of its hair and its hat: polygons in the unit square of the picture.

Each function takes the shape and its `HeadFrame` and returns closed polygons [n, 2] that `sean.data.faces.drawing`
paints in order. `side` is -1 for the part on the left of the picture (the subject's right), 1 for the other.

Hair is one outline from the tips on one side over the top to the tips on the other and back along the cheeks and the
hairline. Waves take their phase from `hair_phase` on the left and from its mirror on the right, so that a mirrored
shape draws the mirrored picture.
"""

import numpy as np

from sean.data.faces.geometry import EYE_DEPTH, HeadFrame, bulge, mirrored, smooth
from sean.data.faces.shape import FaceShape

# The outer border over the skull, for hair of medium volume: y, half the width, and its change with the volume.
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

EYE_X = 0.120  # of the centre of an eye
MOUTH_Y = 0.262  # of the line between closed lips

_HALF_NECK = 0.178
# From the side of the neck along the shoulder and down the arm: x in half necks, y in picture sides.
_SHOULDER = np.array(
    [
        (1.00, -0.120),
        (1.02, -0.070),
        (1.10, -0.025),
        (1.32, 0.015),
        (1.70, 0.050),
        (2.30, 0.090),
        (2.90, 0.150),
        (3.30, 0.260),
        (3.50, 0.500),
        (3.70, 3.000),
    ]
)


def frame_of(shape: FaceShape) -> HeadFrame:
    """Return the frame of the head; an open mouth drops the jaw a little."""
    return HeadFrame(
        center_x=shape.center_x,
        center_y=shape.center_y,
        scale=shape.scale,
        head_width=shape.head_width,
        head_height=shape.head_height,
        jaw_width=shape.jaw_width,
        turn=shape.turn,
        tilt=shape.tilt,
        jaw_drop=0.035 * shape.mouth_openness,
    )


def face_outline(frame: HeadFrame) -> np.ndarray:
    """Return the outline of skull, cheeks and jaw."""
    points, depth = frame.outline()
    closed = smooth(mirrored(np.column_stack([points, depth])), closed=True)
    return frame.place_silhouette(closed[:, :2], closed[:, 2])


def body(shape: FaceShape, frame: HeadFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the clothed shoulders and, to paint above them, the neck down to the neckline."""
    half = _HALF_NECK * shape.neck_width * shape.scale
    # The neck stands behind the chin: a head that turns carries it the other way; the shoulders stay.
    root = np.array([_neck_x(frame), shape.center_y + shape.scale * (0.58 - 0.34 * shape.shoulders)])
    slope = smooth(_SHOULDER * (half, shape.scale), closed=False)
    clothes = np.concatenate([root + slope, root + slope[::-1] * (-1, 1)])
    # The neckline leaves the shoulder line at its side and hangs between the two.
    inside = slope[slope[:, 0] <= half * (1.15 + 0.7 * shape.collar)]
    side_x, side_y = inside[-1]
    depth = shape.scale * (0.06 + 0.30 * shape.collar)
    t = np.linspace(1.0, -1.0, 21)
    neckline = np.stack([side_x * t, side_y + depth * (1.0 - np.abs(t) ** 2.2)], axis=1)
    top = frame.place(np.array([(1.0, 0.10), (-1.0, 0.10)]) * (_HALF_NECK * shape.neck_width, 1.0), -0.17)
    below = np.concatenate([inside, neckline, inside[::-1] * (-1, 1)])
    return clothes, np.concatenate([top[:1], root + below, top[1:]])


def necklace(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """Return a thin chain that hangs around the neck."""
    half = 0.19 * shape.neck_width * shape.scale
    top_y = shape.center_y + shape.scale * (0.44 - 0.14 * shape.shoulders)
    t = np.linspace(-1.0, 1.0, 25)
    x, y = _neck_x(frame) + half * t, top_y + 0.08 * shape.scale * (1 - t * t)
    upper, lower = np.stack([x, y], axis=1), np.stack([x, y + 0.012 * shape.scale], axis=1)
    return np.concatenate([upper, lower[::-1]])


def _neck_x(frame: HeadFrame) -> float:
    """Where the neck meets the shoulders."""
    return float(frame.place(np.array([(0.0, 0.3)]), -0.15)[0, 0])


def ear(shape: FaceShape, frame: HeadFrame, side: int) -> np.ndarray:
    """Return an ear; the smaller `shape.ears`, the more of its upper part is left out."""
    rim = frame.half_width_at(0.06)
    half = np.array(
        [
            (-0.03, 0.0),
            (-0.005, -0.03),
            (0.034, -0.055),
            (0.060, -0.025),
            (0.058, 0.04),
            (0.045, 0.10),
            (0.032, 0.15),
            (0.008, 0.172),
            (-0.03, 0.15),
        ]
    )
    seen = 0.35 + 0.65 * shape.ears
    x = rim + half[:, 0] * (0.6 + 0.4 * shape.ears)
    y = 0.172 + (half[:, 1] - 0.172) * seen
    # An ear stands off behind the cheek: the one that turns to the viewer shows its width.
    near = -side * shape.turn
    x += np.maximum(half[:, 0], 0.0) * (1.2 * near if near > 0 else max(2.0 * near, -1.0))
    points = np.stack([side * x, y], axis=1)
    return frame.place(smooth(points, closed=True), -EYE_DEPTH - 0.02)


def earring(shape: FaceShape, frame: HeadFrame, side: int) -> np.ndarray:
    """Return a drop below the ear lobe."""
    lobe_x = float(frame.half_width_at(0.2)) + 0.026
    drop = mirrored(np.array([(0.0, 0.160), (0.008, 0.18), (0.018, 0.225), (0.015, 0.250), (0.0, 0.260)]))
    return frame.place(smooth(drop, closed=True) + np.array([side * lobe_x, 0.0]), -EYE_DEPTH - 0.01)


def eye(shape: FaceShape, frame: HeadFrame, side: int) -> np.ndarray:
    """Return the almond between the lids, its inner corner a little lower and more pointed."""
    size, lid = shape.eye_size, shape.eye_openness
    upper, lower = 0.003 + 0.017 * lid, 0.006 + 0.008 * min(lid, 1.2)
    almond = np.array(
        [
            (-0.049, 0.009),
            (-0.030, 0.004 - 0.72 * upper),
            (-0.005, -upper),
            (0.022, -0.80 * upper),
            (0.046, 0.001),
            (0.022, 0.85 * lower),
            (-0.010, 0.003 + lower),
            (-0.034, 0.012),
        ]
    )
    points = smooth(almond, closed=True) * (side * size, size) + (side * EYE_X, 0.003)
    return frame.place(points, -0.03 * bulge((np.abs(points[:, 0]) - EYE_X) / 0.05))


def brow(shape: FaceShape, frame: HeadFrame, side: int) -> np.ndarray:
    """Return a brow: thick near the nose, arched, running out to a point."""
    rise, arch, thick = 0.028 * (shape.brow_height - 0.4), 0.020 * shape.brow_arch, 0.5 * shape.brow_thickness
    middle = np.array(
        [(0.052, -0.045), (0.082, -0.053), (0.120, -0.057), (0.157, -0.055), (0.190, -0.047), (0.220, -0.033)]
    )
    middle[:, 1] -= rise + arch * np.array([0.1, 0.4, 0.8, 1.0, 0.7, -0.1])
    half_thickness = np.zeros_like(middle)
    half_thickness[:, 1] = thick * np.array([0.025, 0.032, 0.031, 0.026, 0.018, 0.005])
    edge = np.concatenate([middle - half_thickness, (middle + half_thickness)[::-1]])
    points = smooth(edge, closed=True, steps=5) * (side, 1)
    return frame.place(points, 0.03 - 0.13 * bulge((np.abs(points[:, 0]) - 0.05) / 0.2))


def nose(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """Return the nose from its root between the eyes to the nostrils; its tip stands out."""
    half = np.array(
        [
            (0.034, -0.010, 0.02),
            (0.034, 0.030, 0.06),
            (0.043, 0.075, 0.09),
            (0.060, 0.106, 0.09),
            (0.077, 0.133, 0.07),
            (0.078, 0.155, 0.07),
            (0.060, 0.171, 0.09),
            (0.036, 0.181, 0.11),
            (0.014, 0.192, 0.13),
        ]
    )
    other = half[::-1] * (-1, 1, 1)
    outline = smooth(np.concatenate([half, other]), closed=False)
    spread = 1.0 + (shape.nose_width - 1.0) * bulge((outline[:, 1] + 0.02) / 0.1)
    points = np.stack([outline[:, 0] * spread, outline[:, 1] * shape.nose_length], axis=1)
    return frame.place(points, outline[:, 2])


def eyeglasses(shape: FaceShape, frame: HeadFrame) -> list[np.ndarray]:
    """Return two lenses, the bridge and the two arms."""
    lens = np.array(
        [
            (-0.088, -0.04),
            (-0.03, -0.054),
            (0.05, -0.054),
            (0.092, -0.042),
            (0.094, 0.01),
            (0.06, 0.058),
            (-0.04, 0.062),
            (-0.084, 0.02),
        ]
    )
    parts = []
    for side in (-1, 1):
        points = smooth(lens, closed=True) * (side, 1) + (side * (EYE_X + 0.008), 0.018)
        parts.append(frame.place(points, 0.05 - 0.3 * np.abs(points[:, 0])))
        rim = frame.half_width_at(0.0)
        arm = np.array([(side * 0.19, -0.028), (side * rim, -0.022), (side * rim, -0.006), (side * 0.19, -0.006)])
        parts.append(frame.place_silhouette(arm, np.array([-0.02, -EYE_DEPTH, -EYE_DEPTH, -0.02])))
    parts.append(frame.place(np.array([(-0.05, -0.018), (0.05, -0.018), (0.05, 0.0), (-0.05, 0.0)]), 0.05))
    return parts


def lips_and_mouth(shape: FaceShape, frame: HeadFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the upper lip, the lower lip and, between them, the inside of an open mouth (else None)."""
    half = 0.103 * shape.mouth_width * (1.0 + 0.06 * shape.smile - 0.10 * shape.mouth_openness)
    gap = 0.115 * shape.mouth_openness
    fullness = shape.lip_fullness
    corner = MOUTH_Y + 0.002 - 0.020 * shape.smile + 0.30 * gap
    above = MOUTH_Y - 0.10 * gap  # middle of the lower border of the upper lip
    below = above + gap  # middle of the upper border of the lower lip
    chin = below + 0.046 * fullness * (1.0 - 0.25 * shape.mouth_openness)
    peak = above - 0.031 * fullness * (1.0 - 0.2 * max(shape.smile, 0.0))
    t = np.linspace(-1.0, 1.0, 41)

    def arc(middle: float, power: float, ends: float = corner) -> np.ndarray:
        return np.asarray(middle + (ends - middle) * np.abs(t) ** power)

    bow = np.array(
        [
            (0.0, peak + 0.006 * fullness),
            (0.13, peak + 0.001),
            (0.26, peak),
            (0.62, 0.36 * corner + 0.64 * peak),
            (1.0, corner - 0.001),
        ]
    )
    top = smooth(np.concatenate([bow[:0:-1] * (-1, 1), bow]), closed=False)
    upper_edge = np.interp(t, top[:, 0], top[:, 1])
    upper_inner = np.maximum(arc(above, 2.4), upper_edge)
    lower_inner = np.maximum(arc(below, 2.0 + 0.6 * shape.mouth_openness), upper_inner)
    lower_edge = np.maximum(arc(chin, 2.3 + 0.5 * shape.mouth_openness), lower_inner)
    depth = 0.06 - 0.04 * t * t

    def between(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        points = np.concatenate([np.stack([half * t, upper], 1), np.stack([half * t, lower], 1)[::-1]])
        return frame.place(points, np.concatenate([depth, depth[::-1]]))

    inside = between(upper_inner, lower_inner) if shape.mouth_openness > 0 else None
    return between(upper_edge, upper_inner), between(lower_inner, lower_edge), inside


def hair_tip(shape: FaceShape) -> float:
    """Return the height of the tips of the hair in head coordinates (the chin is at 0.44)."""
    return -0.07 + 0.95 * shape.hair_length


def hair_behind(shape: FaceShape, frame: HeadFrame) -> np.ndarray:
    """Return all the hair as a filled silhouette, for the part behind neck and shoulders."""
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
    # The hair on the skull lies behind the ear line; hair below it comes forward on the shoulders.
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
    # Hair does not cover a visible ear.
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
    # Points that the turn moves behind the far temple stay on the rim of the head.
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
