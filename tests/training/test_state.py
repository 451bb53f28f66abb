"""The state: everything a training is made of comes back from a checkpoint, and only into the same training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.training.batch import TrainingBatch, noise_generators
from sean.training.checkpoints import load_tree, save_tree
from sean.training.config import TrainConfig
from sean.training.state import TrainingState
from sean.training.step import training_step

from .conftest import assert_same, weights_of

MakeState = Callable[[TrainConfig], TrainingState]


def noisy(batch: TrainingBatch, step: int) -> TrainingBatch:
    """The batch with the noise of a step."""
    return replace(batch, noise=noise_generators(0, 0, (2 * step, 2 * step + 1)))


@pytest.fixture
def checkpoint(
    tmp_path: Path, make_state: MakeState, config: TrainConfig, batch: TrainingBatch, fabric: Fabric
) -> Path:
    """Of a state that made one step."""
    state = make_state(config)
    training_step(state, [batch], config, fabric, None)
    path = tmp_path / "checkpoint.safetensors"
    state.save(path, config)
    return path


def test_a_fresh_state(make_state: MakeState, config: TrainConfig) -> None:
    state = make_state(config)
    assert state.step == 0
    assert_same(weights_of(state.average), weights_of(state.model))
    assert state.model.training and state.discriminator.training and not state.average.training
    assert all(parameter.requires_grad for parameter in state.model.parameters())
    assert not any(parameter.requires_grad for parameter in state.discriminator.parameters())
    rates = [o.param_groups[0]["lr"] for o in (state.generator_optimizer, state.discriminator_optimizer)]
    assert rates == [1e-3, 4e-3]
    assert state.generator_optimizer.param_groups[0]["betas"] == (0.0, 0.999)
    optimized = {id(p) for group in state.generator_optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in state.model.parameters()}


def test_a_checkpoint_holds_all_and_its_names_are_a_promise(checkpoint: Path, config: TrainConfig) -> None:
    tree = load_tree(checkpoint)
    assert list(tree) == [
        "model",
        "discriminator",
        "average",
        "generator_optimizer",
        "discriminator_optimizer",
        "step",
        "skipped",
        "best",
        "config",
    ]
    assert tree["step"] == 1
    assert tree["model"].keys() == tree["average"].keys()
    assert "generator.blocks.0.norm_0.style.region_weight" in tree["model"]  # no prefix of a wrapper
    assert all(count == 1 for name, count in tree["model"].items() if name.endswith("num_batches_tracked"))


def test_a_continued_state_goes_on_as_the_first(
    checkpoint: Path, make_state: MakeState, config: TrainConfig, batch: TrainingBatch, fabric: Fabric, tmp_path: Path
) -> None:
    """Load into a state of other weights, then make one more step: same weights and moments."""
    straight = make_state(config)
    training_step(straight, [noisy(batch, 0)], config, fabric, None)
    straight.save(checkpoint, config)
    terms = training_step(straight, [noisy(batch, 1)], config, fabric, None)
    straight.save(tmp_path / "straight", config)

    other = make_state(replace(config, seed=7))
    other.load(checkpoint, config)
    assert other.step == 1
    assert training_step(other, [noisy(batch, 1)], config, fabric, None) == terms
    other.save(tmp_path / "continued", config)
    assert_same(load_tree(tmp_path / "straight"), load_tree(tmp_path / "continued"))


def test_the_counts_come_back(make_state: MakeState, config: TrainConfig, tmp_path: Path) -> None:
    config = replace(config, steps=7)
    state = make_state(config)
    state.step, state.skipped, state.best = 7, 2, {"step": 5, "psnr": 17.25}
    state.save(tmp_path / "checkpoint", config)
    other = make_state(config)
    other.load(tmp_path / "checkpoint", config)
    assert (other.step, other.skipped, other.best) == (7, 2, {"step": 5, "psnr": 17.25})


def test_saving_changes_nothing(make_state: MakeState, config: TrainConfig, tmp_path: Path) -> None:
    state = make_state(config)
    before, numbers = weights_of(state.model), torch.get_rng_state()
    state.save(tmp_path / "checkpoint", config)
    assert_same(before, weights_of(state.model))
    assert torch.equal(numbers, torch.get_rng_state())


def test_other_settings_are_named_and_nothing_is_loaded(
    checkpoint: Path, make_state: MakeState, config: TrainConfig
) -> None:
    state = make_state(config)
    before = weights_of(state.model)
    other = replace(config, ema_decay=0.5, losses=LossWeights())
    with pytest.raises(InputError, match=r"ema_decay: 0.999 then, 0.5 now; losses: .* then, .* now") as caught:
        state.load(checkpoint, other)
    assert "\n" not in str(caught.value)
    assert_same(before, weights_of(state.model))
    assert state.step == 0


@pytest.mark.parametrize(
    "content",
    [{"step": 1}, [1, 2], {"config": "no JSON"}, {"config": '{"speed": 3}'}, {"config": '{"batch_size": 0}'}],
)
def test_another_tree_is_no_checkpoint(
    tmp_path: Path, make_state: MakeState, config: TrainConfig, content: object
) -> None:
    save_tree(tmp_path / "tree", content)
    with pytest.raises(InputError, match="is not a checkpoint of this kind of training and version of sean") as caught:
        make_state(config).load(tmp_path / "tree", config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["no average", "no weight", "other shape", "no optimizer groups"])
def test_a_checkpoint_that_does_not_fit_is_one_line(
    checkpoint: Path, make_state: MakeState, config: TrainConfig, damage: str
) -> None:
    tree = load_tree(checkpoint)
    if damage == "no average":
        del tree["average"]
    elif damage == "no weight":
        del tree["model"]["generator.stem.weight"]
    elif damage == "other shape":
        tree["discriminator"]["scales.0.layers.0.0.weight"] = torch.zeros(1)
    else:
        tree["generator_optimizer"]["param_groups"] = []
    save_tree(checkpoint, tree)
    with pytest.raises(InputError, match="does not fit the networks of this version of sean") as caught:
        make_state(config).load(checkpoint, config)
    assert str(checkpoint) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_checkpoint_is_said(tmp_path: Path, make_state: MakeState, config: TrainConfig) -> None:
    with pytest.raises(InputError, match="expected a checkpoint at"):
        make_state(config).load(tmp_path / "none", config)
