"""The configs of the networks, where they must agree with modules that they cannot import."""

from dataclasses import asdict

import pytest

from sean.errors import InputError
from sean.models.configs import SIZE_MULTIPLE, SEANConfig, config_from_dict
from sean.plan.patch_plan import SCALES


def test_sizes_are_multiples_of_the_coarsest_scale_of_a_plan() -> None:
    assert max(SCALES) == SIZE_MULTIPLE


def test_an_encoder_that_keeps_colours() -> None:
    config = SEANConfig(encoder_norm="group", mean_color=True)
    assert config_from_dict(SEANConfig, asdict(config)) == config
    with pytest.raises(InputError, match="expected a style_dim above 3, as the mean colour takes 3 numbers of a code"):
        SEANConfig(mean_color=True, style_dim=3)


def test_colours_are_matched_with_those_of_the_codes_only() -> None:
    with pytest.raises(InputError, match="expected mean_color with match_color"):
        SEANConfig(match_color=True)


def test_colours_are_averaged_over_a_sixteenth_of_the_picture() -> None:
    sizes = {(256, 256): 17, (128, 512): 9, (32, 64): 3}
    for size, window in sizes.items():
        assert SEANConfig(mean_color=True, match_color=True, image_size=size).color_window == window
    assert SEANConfig(mean_color=True).color_window is None
