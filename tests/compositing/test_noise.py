"""White noise by hashes."""

import numpy as np

from sean.compositing.noise import white_noise


def test_the_numbers_are_those_of_every_machine() -> None:
    assert np.abs(white_noise((1, 3), 20, 13, 1) - [[-0.34995, -0.60542, 0.04171]]).max() < 1e-5


def test_mean_variance_and_independence() -> None:
    noise = white_noise((512, 512), 7, 1)
    other = white_noise((512, 512), 7, 2)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.01
    assert abs(noise.var() - 1) < 0.01
    neighbours = [
        (noise[:, 1:] * noise[:, :-1]).mean(),
        (noise[1:] * noise[:-1]).mean(),
        (noise * other).mean(),
        (white_noise((512, 512), 2, 7) * noise).mean(),
    ]
    assert np.abs(neighbours).max() < 0.01
