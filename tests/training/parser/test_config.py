"""Presets, the JSON form, the rate, and bad settings."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sean.errors import InputError
from sean.models.configs import PyramidParserConfig
from sean.training.parser.config import ParserTrainConfig, mini, preset

from .conftest import CONFIG, assert_one_line


def test_presets_and_json() -> None:
    for size in (64, 128, 256):
        config = preset(f"mini-{size}")
        assert config.model.image_size == (size, size)
        assert ParserTrainConfig.from_json(config.to_json()) == config
    pyramid = preset("pyramid-256")
    assert isinstance(pyramid.model, PyramidParserConfig) and pyramid.model.image_size == (256, 256)
    assert ParserTrainConfig.from_json(pyramid.to_json()) == pyramid
    old = json.loads(preset("mini-64").to_json())
    del old["self_training"], old["loss_stride"], old["model"]["architecture"]
    assert ParserTrainConfig.from_json(json.dumps(old)) == preset("mini-64"), "of a run older than these settings"
    with pytest.raises(InputError) as error:
        preset("huge")
    assert_one_line(error, "unknown preset 'huge'", "mini-64, mini-128, mini-256")


def test_the_rate_rises_and_falls() -> None:
    config = replace(mini(64), rate=0.1, warmup_steps=10, steps=110)
    assert [config.rate_at(step) for step in (0, 4, 9, 10, 60, 110)] == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.05, 0])


@pytest.mark.parametrize(
    "setting",
    [
        {"steps": 0},
        {"warmup_steps": 9},
        {"rate": -1.0},
        {"precision": "8"},
        {"ema_decay": 1.0},
        {"gradient_norm": 0.0},
        {"frozen_stages": 8},
        {"loss_stride": 0},
        {"test_fraction": 1.0},
    ],
)
def test_bad_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        replace(CONFIG, **setting)
    assert_one_line(error, "expected", next(iter(setting)))


def test_one_small_picture_is_too_little_for_batch_normalization() -> None:
    small = replace(mini(64).model, image_size=(32, 32))
    with pytest.raises(InputError) as error:
        replace(mini(64), model=small, batch_size=1)
    assert_one_line(error, "expected a batch_size of at least 2 for pictures of 32 x 32 pixels, got 1")
    assert replace(mini(64), batch_size=1).batch_size == replace(mini(64), model=small, batch_size=2).batch_size - 1
