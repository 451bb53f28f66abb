"""How far pictures are from each other."""

from typing import Any

import numpy as np


def difference(one: Any, other: Any) -> int:
    """The largest difference of two uint8 pictures, as PIL or arrays.

    At most 1 between pictures that were computed in other batches, steps or places in memory: another kernel may round
    a value the other way.
    """
    pair = np.stack([np.asarray(one), np.asarray(other)]).astype(int)  # refuses pictures of different shapes
    return int(np.abs(pair[0] - pair[1]).max())
