"""Landmarks of a face from its label map, and the crop that frames it like the training pictures.

CelebAMask-HQ has the crops of CelebA-HQ (Karras et al. 2018, appendix C): with x' from eye to eye and y' from the
middle of the eyes to that of the mouth, the square of side max(4 |x'|, 3.6 |y'|) around the middle of the eyes plus
a tenth of y'. With the middles of the regions in place of the landmarks, this gives the whole picture of its crops with
a mean intersection over union of 0.95 (tests/parsing/faces/test_real_faces.py). It also turns the square with
the eyes and the mouth; our crops stay upright if the head is tilted only slightly.
"""

import math
from dataclasses import dataclass

import numpy as np

from sean.labels import LabelSet

_EYES = ("l_eye", "r_eye")
_GLASSES = "eye_g"
_MOUTH = ("mouth", "u_lip", "l_lip")
_NAMES = ("nose", *_EYES, _GLASSES, *_MOUTH)
# Regions with a smaller share of the map's pixels are noise.
_LEAST_AREA = 0.0003


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """Places in a square picture, as (y, x) in 0..1 of its sides.

    Attributes:
        eyes: the middle between both eyes, or of the visible one, or of the glasses.
        eye_distance: from eye to eye; 0 unless both are visible.
        mouth: the middle of mouth and lips.
        nose: the middle of the nose.
        across: vector from the subject's right eye to the left one; 0 unless both are visible.
    """

    eyes: np.ndarray
    eye_distance: float
    mouth: np.ndarray
    nose: np.ndarray
    across: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """Middle (y, x) of CelebA-HQ's square for this face."""
        return self.eyes + 0.1 * (self.mouth - self.eyes)

    @property
    def size(self) -> float:
        """Of the square that CelebA-HQ would show."""
        return max(4.0 * self.eye_distance, 3.6 * float(np.linalg.norm(self.mouth - self.eyes)))

    @property
    def tilt(self) -> float:
        """Clockwise tilt of the head in degrees, from the line between the eyes and that to the mouth."""
        down = self.mouth - self.eyes
        y, x = self.across + np.array([-down[1], down[0]])
        return math.degrees(math.atan2(y, x))

    @property
    def upright(self) -> bool:
        """Whether they form a face tilted by less than 31 degrees: the nose lies between eyes and mouth."""
        down, across = self.mouth - self.eyes
        nose = self.nose[0] - self.eyes[0]
        return bool(abs(across) < 0.6 * down and 0.2 * down < nose < 0.6 * down)


def has_landmarks(labels: LabelSet) -> bool:
    """Whether these are labels of faces, with the names of CelebAMask-HQ."""
    return set(_NAMES) <= set(labels.names)


def find_landmarks(segmap: np.ndarray, labels: LabelSet) -> Landmarks | None:
    """The landmarks of a face's label map [h, w]; None where eyes, nose or mouth are missing."""

    def middle(*names: str) -> np.ndarray | None:
        places = np.argwhere(np.isin(segmap, [labels.id_of(name) for name in names]))
        if len(places) <= _LEAST_AREA * segmap.size:
            return None
        # medians, which are robust against stray pixels
        where: np.ndarray = (np.median(places, axis=0) + 0.5) / segmap.shape
        return where

    mouth, nose, glasses = middle(*_MOUTH), middle("nose"), middle(_GLASSES)
    eyes = [place for place in map(middle, _EYES) if place is not None]
    seen = eyes or [place for place in [glasses] if place is not None]
    if not seen or mouth is None or nose is None:
        return None
    return Landmarks(
        eyes=np.mean(seen, axis=0),
        eye_distance=float(np.linalg.norm(eyes[0] - eyes[1])) if len(eyes) == 2 else 0.0,
        mouth=mouth,
        nose=nose,
        across=eyes[0] - eyes[1] if len(eyes) == 2 else np.zeros(2),
    )
