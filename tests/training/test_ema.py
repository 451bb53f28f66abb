"""The average by hand, and batch-norm statistics that are those of the batches."""

import pytest
import torch
from torch import Tensor, nn

from sean.models.build import build_model
from sean.training.batch import TrainingBatch
from sean.training.config import TrainConfig
from sean.training.ema import averaged_copy, recompute_statistics, update_average

from .conftest import assert_same, weights_of


class Cell(nn.Module):
    """A weight, a floating-point buffer and a counter."""

    def __init__(self, value: float, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((2,), value))
        self.register_buffer("statistic", torch.full((1,), 10 * value))
        self.register_buffer("count", torch.tensor(count))


def test_the_average_by_hand() -> None:
    average, model = Cell(0.0, 0), Cell(1.0, 5)
    weight = average.weight
    update_average(average, model, decay=0.9, step=0)  # decay min(0.9, 1/10)
    assert weight.tolist() == pytest.approx([0.9, 0.9])
    assert average.statistic.item() == pytest.approx(9.0)
    update_average(average, model, decay=0.9, step=1)  # 2/11
    assert weight.tolist() == pytest.approx([1 - 0.1 * 2 / 11] * 2)
    with torch.no_grad():
        model.weight.fill_(2.0)
    before = weight[0].item()
    update_average(average, model, decay=0.5, step=10**6)  # 0.5
    assert weight.tolist() == pytest.approx([(before + 2) / 2] * 2)
    assert average.count.item() == 0 and model.count.item() == 5
    assert model.weight.tolist() == [2.0, 2.0]


def test_the_start_is_forgotten_and_the_decay_is_kept() -> None:
    """After n steps of constant weights the start is left with the product of the decays."""
    average, model = Cell(1.0, 0), Cell(0.0, 0)
    left = 1.0
    for step in range(100):
        update_average(average, model, decay=0.8, step=step)
        left *= min(0.8, (1 + step) / (10 + step))
    assert average.weight[0].item() == pytest.approx(left, rel=1e-4)
    assert left < 1e-9


def test_the_copy_is_apart_and_frozen(config: TrainConfig) -> None:
    model = build_model(config.model)
    average = averaged_copy(model)
    assert_same(weights_of(average), weights_of(model))
    assert not average.training and model.training
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    with torch.no_grad():
        model.generator.to_rgb.weight.fill_(7.0)
    assert not (average.generator.to_rgb.weight == 7.0).any()


def test_statistics_are_the_means_over_the_batches(config: TrainConfig, batch: TrainingBatch) -> None:
    """Checked at a norm whose input is recorded: a mean over the batches, whatever their order."""
    model = build_model(config.model).eval()
    image, segmap = batch.image, batch.segmap
    pairs = [(image, segmap), (image.flip(0), segmap.flip(2)), (image, (segmap + 1) % 3)]
    batches = [TrainingBatch(image=image, segmap=segmap) for image, segmap in pairs]
    sean_norm = model.generator.blocks[1].norm_0  # adds no noise yet: its scale is 0
    norm = sean_norm.norm
    inputs: list[Tensor] = []
    handle = sean_norm.register_forward_hook(lambda module, args, output: inputs.append(args[0].detach()))
    norm.running_mean.fill_(1e6)  # must be forgotten
    norm.num_batches_tracked.fill_(5)

    recompute_statistics(model, batches)

    handle.remove()
    assert len(inputs) == len(batches)
    means = torch.stack([x.mean(dim=(0, 2, 3)) for x in inputs]).mean(dim=0)
    variances = torch.stack([x.var(dim=(0, 2, 3), unbiased=True) for x in inputs]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, means)
    torch.testing.assert_close(norm.running_var, variances)


def test_nothing_but_the_statistics_changes(config: TrainConfig, batch: TrainingBatch) -> None:
    model = build_model(config.model).eval()
    momentum = model.generator.blocks[0].norm_0.norm.momentum
    before = weights_of(model)
    recompute_statistics(model, [batch])
    after = weights_of(model)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert_same(
        {name: value for name, value in before.items() if not name.endswith(statistics)},
        {name: value for name, value in after.items() if not name.endswith(statistics)},
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert len([name for name in changed if name.endswith("running_mean")]) == len(
        [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    )
    assert not any(module.training for module in model.modules())
    assert model.generator.blocks[0].norm_0.norm.momentum == momentum is not None


def test_the_noise_is_on(config: TrainConfig, batch: TrainingBatch) -> None:
    model = build_model(config.model).eval()
    norm = model.generator.blocks[6].norm_0
    recompute_statistics(model, [batch])
    quiet = norm.norm.running_var.clone()
    with torch.no_grad():
        norm.noise_scale.fill_(3.0)
    recompute_statistics(model, [batch])
    # noise of standard deviation 3 adds 9, estimated from 2 x 32 x 32 pixels
    assert (norm.norm.running_var - quiet).mean().item() == pytest.approx(9, rel=0.1)
