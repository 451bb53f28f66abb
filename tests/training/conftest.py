"""A training small enough for tests: 32 px, three labels, a few channels, on the CPU."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from sean.data.synthetic.scenes import SyntheticScenes
from sean.labels import LabelSet
from sean.losses.weights import LossWeights
from sean.models.configs import SEANConfig
from sean.training import loop, validation
from sean.training.batch import TrainingBatch
from sean.training.checkpoints import checkpoint_files, load_tree
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.state import TrainingState, new_state

LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
SIZE = (32, 32)


@pytest.fixture
def config() -> TrainConfig:
    """Four steps with all terms but the perceptual one."""
    return TrainConfig(
        model=SEANConfig(
            num_regions=3,
            image_size=SIZE,
            style_dim=8,
            base_channels=4,
            max_channels=16,
            mask_dim=8,
            encoder_channels=4,
        ),
        losses=LossWeights(adversarial=1.0, feature_matching=10.0, perceptual=0.0, l1=10.0),
        discriminator_channels=4,
        batch_size=2,
        steps=4,
        decay_steps=2,
        generator_rate=1e-3,
        discriminator_rate=4e-3,
        num_workers=0,
        log_every=1,
        sample_every=100,
        checkpoint_every=100,
    )


@pytest.fixture
def data() -> TrainingData:
    """Five scenes to train on, so that the epochs end inside batches, and three held out."""
    return TrainingData(
        training=SyntheticScenes(size=SIZE, length=5, seed=0, labels=LABELS),
        validation=SyntheticScenes(size=SIZE, length=3, seed=1, labels=LABELS),
        labels=LABELS,
    )


@pytest.fixture
def fabric() -> Fabric:
    """One CPU process in float32."""
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture
def batch(data: TrainingData) -> TrainingBatch:
    """Two scenes; their noise is torch's global generator's."""
    samples = [data.training[index] for index in range(2)]
    image, segmap = (torch.stack([sample[name] for sample in samples]) for name in ("image", "segmap"))
    return TrainingBatch(image=image, segmap=segmap)


@pytest.fixture
def make_state(fabric: Fabric) -> Callable[[TrainConfig], TrainingState]:
    """Fresh states of a config, always with the same weights."""

    def make(config: TrainConfig) -> TrainingState:
        torch.manual_seed(config.seed + 1)  # for noise that comes from the global generator
        return new_state(config, fabric)

    return make


@pytest.fixture
def attended() -> Iterator[None]:
    """Signals as in a terminal, also where the tests run under nohup or in the background; as before afterwards."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_DFL
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def quick_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `train` use the CPU wherever the tests run, one batch for the statistics, and draw no curves."""
    monkeypatch.setattr(loop, "ACCELERATOR", "cpu")
    monkeypatch.setattr(validation, "STATISTICS_BATCHES", 1)
    monkeypatch.setattr(validation, "draw_curves", lambda runs, output: None)


def last_checkpoint(run: Path) -> Any:
    """The content of a run's newest checkpoint."""
    return load_tree(checkpoint_files(run)[0])


def records(run: Path) -> list[dict[str, Any]]:
    """The records of a run without their timings."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds_per_step"} for line in lines]


def weights_of(module: torch.nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and buffers."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def parameters_of(module: torch.nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters."""
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def assert_same(one: object, other: object, place: str = "root") -> None:
    """Fail, naming the place, unless two trees are equal bit for bit, also in their types and the order of keys."""
    assert type(one) is type(other), f"{place}: {type(one)} and {type(other)}"
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), place
        # bytes, so that NaN equals NaN and 0.0 differs from -0.0
        assert one.contiguous().flatten().view(torch.uint8).equal(other.contiguous().flatten().view(torch.uint8)), place
    elif isinstance(one, dict) and isinstance(other, dict):
        assert list(one) == list(other), place
        for key in one:
            assert_same(one[key], other[key], f"{place}/{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), place
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{place}/{index}")
    else:
        assert one == other or (one != one and other != other), f"{place}: {one!r} and {other!r}"
