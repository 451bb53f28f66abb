"""Experiments small enough for tests: tiny networks, two steps, a dozen drawn pairs."""

from dataclasses import replace
from pathlib import Path

import pytest

from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.models.configs import SEANConfig
from sean.training import presets, validation
from sean.training.parser import config as parser_config

from ..support.pipelines import random_pipeline

PRESET = "tiny"
BUDGET = 2


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The presets `tiny` of trainings and parsers."""
    model = SEANConfig(
        image_size=(32, 32), style_dim=4, base_channels=2, max_channels=8, mask_dim=4, encoder_channels=4
    )
    small = replace(presets.mini(64), model=model, batch_size=2, discriminator_channels=4, num_workers=0)
    monkeypatch.setitem(presets.PRESETS, PRESET, lambda: small)
    monkeypatch.setattr(validation, "STATISTICS_BATCHES", 1)
    monkeypatch.setattr(validation, "VALIDATION_IMAGES", 2)
    monkeypatch.setattr(validation, "draw_curves", lambda _runs, _path: None)  # a second each, and tested elsewhere
    parser = parser_config.mini(64)
    parser = replace(
        parser,
        model=replace(parser.model, widths=(2, 2, 2, 2, 2, 3), image_size=(32, 32)),
        steps=2,
        warmup_steps=1,
        batch_size=2,
        num_workers=0,
    )
    for name in list(parser_config.PRESETS):
        monkeypatch.setitem(parser_config.PRESETS, name, lambda: parser)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the kind of CelebAMask-HQ, by its name: 20 pairs, of which two are held out."""
    folder = tmp_path_factory.mktemp("data") / "celebamask_drawn"
    write_paired(folder, SyntheticScenes(size=(32, 32), length=20, seed=5))
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with the labels of `data`."""
    folder = tmp_path_factory.mktemp("model") / "model"
    random_pipeline(num_styles=4).save_pretrained(folder)
    return folder
