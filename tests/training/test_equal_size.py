"""Methods at one number of parameters: near enough, by widths alone, and no other width is nearer."""

import math
from dataclasses import asdict, replace

import pytest

from sean.models.configs import SEANConfig
from sean.training.equal_size import num_parameters, with_parameters_of
from sean.training.methods import METHODS, with_method
from sean.training.presets import preset

MINI = preset("mini-64")


@pytest.mark.parametrize("method", METHODS)
def test_methods_have_as_many_parameters_as_sean(method: str) -> None:
    changed = with_method(MINI, method)
    fitted = with_parameters_of(changed, MINI.model)
    target = num_parameters(MINI.model)
    assert abs(num_parameters(fitted.model) / target - 1) < 0.07
    # only widths have changed
    widths = {"base_channels", "max_channels", "encoder_channels"}
    before, after = asdict(changed.model), asdict(fitted.model)
    assert {name for name in before if before[name] != after[name]} <= widths
    assert replace(fitted, model=changed.model) == changed


@pytest.mark.parametrize("method", ["spade++", "pix2pixhd"])
def test_no_other_width_is_nearer(method: str) -> None:
    model, target = with_parameters_of(with_method(MINI, method), MINI.model).model, num_parameters(MINI.model)

    def distance(width: int) -> float:
        bound = {"max_channels": round(128 * width / 16)} if method == "spade++" else {}
        return abs(math.log(num_parameters(replace(model, base_channels=width, **bound)) / target))

    nearest = model.base_channels
    assert min(range(nearest - 2, nearest + 3), key=distance) == nearest


def test_sean_itself_stays_as_it_is() -> None:
    assert with_parameters_of(MINI, MINI.model) == MINI


def test_several_encoders_share_the_parameters_of_one() -> None:
    """A convolution's parameters grow with the square of its width: 6 encoders of 16 / sqrt(6) channels."""
    for method, channels in (("sean-resblk-encoders", 7), ("sean-norm-encoders", 4)):
        fitted = with_parameters_of(with_method(MINI, method), MINI.model).model
        assert isinstance(fitted, SEANConfig)
        assert fitted.encoder_channels == channels
        assert 0.8 * 16 < fitted.base_channels <= 16
