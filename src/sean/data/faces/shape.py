"""The parameters of a parametric face, each with its range, and a random choice of them.

Every number of `FaceShape` has a natural meaning and a default that gives a plain frontal face, so that an
edit is one `dataclasses.replace(shape, mouth_openness=0.6)`.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from sean.errors import InputError


def _ranged(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True, kw_only=True)
class FaceShape:
    """A head in its picture. Left and right are the picture's here; labels use the subject's own.

    Attributes:
        center_x, center_y: the point midway between the eyes, in picture sides.
        scale: size of the whole head.
        head_width, head_height, jaw_width: factors of the outline of the face.
        turn: -1 (32 degrees to the left of the picture) .. 1 (to its right).
        tilt: degrees in the picture plane, positive is clockwise.
        hair_length: 0 cropped, 0.25 to the ear lobes, 0.5 to the chin, 0.65 to the lower edge of the picture.
        hair_volume: 0 flat .. 1 big.
        hair_wave: 0 straight .. 1 curly outlines; hair_phase: another value, another run of the waves.
        hairline: 0 low forehead .. 1 high.
        hair_sway: -1 (more hair on the left, on the right it lies behind the shoulder) .. 1 (the reverse).
        parting: where the hair parts, -1 (left) .. 1 (right).
        fringe: 0 none .. 1 down to the brows; fringe_sweep: 0 cut straight .. 1 swept away from the parting.
        ears: 0 hidden by hair .. 1 fully visible.
        eye_size: factor; eye_openness: 0 nearly closed, 1 natural, 1.5 wide.
        brow_height: 0 low .. 1 raised; brow_thickness: factor; brow_arch: 0 flat .. 1 arched.
        nose_width, nose_length, mouth_width, lip_fullness: factors.
        mouth_openness: 0 closed .. 1 wide open; smile: -1 (corners down) .. 1 (corners up).
        neck_width: factor.
        shoulders: 0 below the picture .. 1 high.
        collar: depth of the neckline, 0 closed .. 1 deep.
        hat, eyeglasses, earrings, necklace: whether they are worn.

    Raises:
        InputError: a value outside its range (`FaceShape.ranges()` lists them).
    """

    center_x: float = _ranged(0.5, -0.5, 1.5)
    center_y: float = _ranged(0.476, -0.5, 1.5)
    scale: float = _ranged(1.0, 0.2, 3.0)
    head_width: float = _ranged(1.0, 0.8, 1.2)
    head_height: float = _ranged(1.0, 0.85, 1.15)
    jaw_width: float = _ranged(1.0, 0.8, 1.2)
    turn: float = _ranged(0.0, -1.0, 1.0)
    tilt: float = _ranged(0.0, -30.0, 30.0)
    hair_length: float = _ranged(0.75, 0.0, 1.0)
    hair_volume: float = _ranged(0.5, 0.0, 1.0)
    hair_wave: float = _ranged(0.3, 0.0, 1.0)
    hair_phase: float = _ranged(0.0, 0.0, 1.0)
    hair_sway: float = _ranged(0.0, -1.0, 1.0)
    hairline: float = _ranged(0.5, 0.0, 1.0)
    parting: float = _ranged(0.2, -1.0, 1.0)
    fringe: float = _ranged(0.15, 0.0, 1.0)
    fringe_sweep: float = _ranged(1.0, 0.0, 1.0)
    ears: float = _ranged(0.0, 0.0, 1.0)
    eye_size: float = _ranged(1.0, 0.7, 1.3)
    eye_openness: float = _ranged(1.0, 0.0, 1.5)
    brow_height: float = _ranged(0.4, 0.0, 1.0)
    brow_thickness: float = _ranged(1.0, 0.5, 1.7)
    brow_arch: float = _ranged(0.5, 0.0, 1.0)
    nose_width: float = _ranged(1.0, 0.7, 1.4)
    nose_length: float = _ranged(1.0, 0.85, 1.15)
    mouth_width: float = _ranged(1.0, 0.7, 1.3)
    lip_fullness: float = _ranged(1.0, 0.5, 1.7)
    mouth_openness: float = _ranged(0.0, 0.0, 1.0)
    smile: float = _ranged(0.2, -1.0, 1.0)
    neck_width: float = _ranged(1.0, 0.7, 1.3)
    shoulders: float = _ranged(0.4, 0.0, 1.0)
    collar: float = _ranged(0.4, 0.0, 1.0)
    hat: bool = False
    eyeglasses: bool = False
    earrings: bool = False
    necklace: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges().items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"FaceShape.{name} must be between {low:g} and {high:g}, got {value!r}")

    @classmethod
    def ranges(cls) -> dict[str, tuple[float, float]]:
        """Return the allowed (lowest, highest) value of every number, by name, in the order of the fields."""
        return {entry.name: entry.metadata["range"] for entry in fields(cls) if "range" in entry.metadata}


def random_face(rng: np.random.Generator) -> FaceShape:
    """Draw a random face, with proportions and accessories distributed about as in CelebAMask-HQ.

    One half has hair beyond the shoulders, a sixth short hair; hats, glasses and necklaces are rare.
    """

    def around(mean: float, spread: float, name: str) -> float:
        low, high = FaceShape.ranges()[name]
        return float(np.clip(rng.normal(mean, spread), low, high))

    short = rng.random() < 0.3
    fringe = float(rng.uniform(0.0, 0.3) if rng.random() < 0.8 else rng.uniform(0.5, 1.0))
    return FaceShape(
        center_x=around(0.498, 0.006, "center_x"),
        center_y=around(0.476, 0.004, "center_y"),
        scale=around(1.0, 0.03, "scale"),
        head_width=around(1.02, 0.05, "head_width"),
        head_height=around(1.0, 0.035, "head_height"),
        jaw_width=around(1.05 if short else 0.97, 0.05, "jaw_width"),
        turn=around(0.0, 0.42, "turn"),
        tilt=around(0.0, 2.0, "tilt"),
        hair_length=float(rng.uniform(0.0, 0.15) if short else rng.uniform(0.4, 1.0)),
        hair_volume=around(0.45, 0.2, "hair_volume"),
        hair_wave=float(rng.uniform(0.0, 0.8)),
        hair_phase=float(rng.random()),
        hair_sway=around(0.0, 0.4, "hair_sway"),
        hairline=around(0.5, 0.2, "hairline"),
        parting=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.0, 0.6)),
        fringe=fringe,
        fringe_sweep=float(rng.uniform(0.0, 1.0)),
        ears=float(rng.uniform(0.6, 1.0) if short else rng.choice([0.0, *rng.uniform(0.2, 0.8, 2)])),
        eye_size=around(1.0, 0.07, "eye_size"),
        eye_openness=around(1.0, 0.18, "eye_openness"),
        brow_height=around(0.4, 0.2, "brow_height"),
        brow_thickness=around(1.15 if short else 0.95, 0.18, "brow_thickness"),
        brow_arch=around(0.4 if short else 0.6, 0.2, "brow_arch"),
        nose_width=around(1.0, 0.09, "nose_width"),
        nose_length=around(1.0, 0.04, "nose_length"),
        mouth_width=around(1.0, 0.08, "mouth_width"),
        lip_fullness=around(1.0, 0.18, "lip_fullness"),
        mouth_openness=around(0.25, 0.13, "mouth_openness") if rng.random() < 0.58 else 0.0,
        smile=around(0.35, 0.35, "smile"),
        neck_width=around(1.08 if short else 0.95, 0.07, "neck_width"),
        shoulders=around(0.6 if short else 0.45, 0.25, "shoulders"),
        collar=float(rng.uniform(0.0, 0.8)),
        hat=bool(rng.random() < 0.06),
        eyeglasses=bool(rng.random() < 0.06),
        earrings=bool(not short and rng.random() < 0.35),
        necklace=bool(not short and rng.random() < 0.1),
    )
