"""The importer of pix2pixHD: networks in the authors' keys come back as they were; inferred sizes, and errors."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.build import new_model
from sean.models.configs import Pix2PixHDConfig
from sean.models.official import convert_pix2pixhd, infer_pix2pixhd_config
from sean.models.pix2pixhd import Pix2PixHDModel

from ..support.published import assert_equal_states
from .reference import randomize

CONFIG = Pix2PixHDConfig(
    num_regions=5,
    image_size=(64, 32),
    base_channels=2,
    num_blocks=3,
    num_downsamplings=2,
    encoder_channels=4,
    feature_dim=2,
)


def published(model: Pix2PixHDModel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Generator and feature encoder as the authors' checkpoints would hold them."""
    generator = {
        "model." + key.replace(".layers.", ".conv_block."): value for key, value in model.generator.state_dict().items()
    }
    encoder = {f"model.{key}": value for key, value in model.style_encoder.features.state_dict().items()}
    return generator, encoder


@pytest.fixture
def states() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return published(new_model(CONFIG))


def assert_refused(reason: str, state: dict[str, Tensor], encoder: dict[str, Tensor], **given: int) -> None:
    with pytest.raises(InputError, match=reason) as error:
        infer_pix2pixhd_config(state, encoder, **given)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, instance_edges=True),
        replace(CONFIG, num_blocks=1, num_downsamplings=4, encoder_channels=1, feature_dim=3),
        # an encoder so wide that its number of features is not its smallest width
        replace(CONFIG, feature_dim=9, num_downsamplings=1),
    ],
)
def test_round_trip(config: Pix2PixHDConfig) -> None:
    model = randomize(new_model(config)).float()
    state, encoder = published(model)
    labels = {"num_regions": 5} if config.instance_edges else {}
    assert infer_pix2pixhd_config(state, encoder, image_size=(64, 32), **labels) == config
    assert_equal_states(convert_pix2pixhd(state, encoder), model.state_dict())


def test_without_a_number_of_labels_all_planes_are_labels(states: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    config = infer_pix2pixhd_config(*states)
    assert (config.num_regions, config.instance_edges, config.image_size) == (5, False, (256, 256))


@pytest.mark.parametrize("num_regions", [3, 6])
def test_another_number_of_labels_is_refused(
    states: tuple[dict[str, Tensor], dict[str, Tensor]], num_regions: int
) -> None:
    reason = f"takes {num_regions} labels and perhaps an edge map and 2 features, got one of 7 input channels"
    assert_refused(reason, *states, num_regions=num_regions)


def test_a_generator_that_takes_no_features(states: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    state, encoder = states
    state["model.1.weight"] = torch.zeros(2, 2, 7, 7)
    assert_refused("takes labels and 2 features, got one of 2 input channels", state, encoder)


@pytest.mark.parametrize(
    "other",
    [
        {"features.0.weight": torch.zeros(64, 3, 3, 3)},
        {"model.1.weight": torch.zeros(4)},
        {"model.1.bias": torch.ones(1)},
    ],
)
def test_another_networks_checkpoint(
    states: tuple[dict[str, Tensor], dict[str, Tensor]], other: dict[str, Tensor]
) -> None:
    state, encoder = states
    assert_refused(r"published (generator )?checkpoint.*model\.1\.weight", other, encoder)
    assert_refused(r"model\.(N|1)\.weight", state, other)


def test_what_is_no_layer_is_left_out(states: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    """Instance norms of old versions of torch have buffers."""
    state, encoder = states
    state["model.2.running_mean"] = torch.zeros(2)
    assert "generator.2.running_mean" not in convert_pix2pixhd(state, encoder)
