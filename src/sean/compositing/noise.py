"""White noise that is a function of place and key alone: the same numbers on every machine and in every language.

The page without a server draws the same grain (`sean/web/standalone/noise.js`); the generators of NumPy do not exist
there. Every place has a number, the number goes through an integer hash (lowbias32, Wellons 2018), and the sum of the
hash's halves is scaled: a triangular distribution of mean 0 and variance 1, which any low-pass makes normal.
"""

import numpy as np

_HALF = 1 << 16


def white_noise(shape: tuple[int, int], *key: int) -> np.ndarray:
    """float32 [*shape] of mean 0 and variance 1; other keys of integers in 0..2**32-1 give independent noise."""
    start = np.uint32(0)
    for part in key:
        start = _hashed(np.array([start ^ np.uint32(part)], dtype=np.uint32))[0]
    bits = _hashed(np.arange(shape[0] * shape[1], dtype=np.uint32) ^ start)
    total = (bits & np.uint32(_HALF - 1)) + (bits >> np.uint32(16))
    scaled: np.ndarray = (total.astype(np.float32) - np.float32(_HALF - 1)) * np.float32(6**0.5 / _HALF)
    return scaled.reshape(shape)


def _hashed(numbers: np.ndarray) -> np.ndarray:
    """A permutation of uint32 that changes half of the bits for every bit changed; 0 is moved by the first step."""
    x = numbers + np.uint32(0x9E3779B9)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x21F0AAAD)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0xD35A2D97)
    x ^= x >> np.uint32(15)
    return x
