"""Region-wise colour augmentation: regions of a training picture in other colours, in input and target alike.

A style encoder that sees natural colours only learns to guess a region's colour from its label: blue hair comes out
grey. With recoloured regions the colour has to come from the picture.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sean.errors import InputError
from sean.labels import LabelSet

_GAIN_SPREAD = 0.3
_OFFSET_SPREAD = 0.3 * 127.5  # 0.3 on [-1, 1]


@dataclass(frozen=True, kw_only=True)
class Recolor:
    """Regions recoloured at random. Labels of one group of the label set, as skin and nose, change together.

    Attributes:
        probability: in [0, 1], for every group of labels (or label outside all groups) of a picture.

    Raises:
        InputError: a probability out of range.
    """

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(f"expected a probability in [0, 1], got {self.probability}")

    def __call__(self, image: np.ndarray, segmap: np.ndarray, labels: LabelSet, rng: np.random.Generator) -> np.ndarray:
        """Draw new colours: gain exp(N(0, 0.3)) and offset N(0, 0.3), on [-1, 1], of each channel of a region.

        Args:
            image: uint8 [h, w, 3].
            segmap: int64 [h, w], ids 0..k; pixels of no region stay.
            labels: of the map.
            rng: the draws depend on `labels` alone, not on which regions the map has.

        Returns:
            uint8 [h, w, 3]; new colours fade in over one pixel at a region's border.
        """
        groups = labels.materials
        coins = rng.random(len(groups))
        gains = np.exp(rng.normal(0.0, _GAIN_SPREAD, (len(groups), 3)))
        offsets = rng.normal(0.0, _OFFSET_SPREAD, (len(groups), 3))
        recolored: np.ndarray | None = None
        for group, coin, gain, offset in zip(groups, coins, gains, offsets, strict=True):
            if coin >= self.probability:
                continue
            inside = np.isin(segmap, group)
            if not inside.any():
                continue
            if recolored is None:
                recolored = image.astype(np.float32)
            weight = ndimage.uniform_filter(inside.astype(np.float32), 3, mode="nearest")[..., None]
            # the gain works about the middle grey of [-1, 1]
            other = (recolored - 127.5) * gain.astype(np.float32) + (127.5 + offset).astype(np.float32)
            recolored += weight * (other - recolored)
        return image if recolored is None else np.rint(recolored.clip(0, 255)).astype(np.uint8)
