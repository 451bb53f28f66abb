"""Losses, class weights and scores, by hand."""

import math

import pytest
import torch

from sean.models.parsers import UNetParser
from sean.training.parser.objective import class_weights, parser_losses, parser_scores

from .conftest import CONFIG, LABELS


def test_class_weights_of_a_worked_example() -> None:
    # frequencies 0.64, 0.32, 0.04 and none: roots 0.8, 0.5657, 0.2, sum 1.5657
    weights = class_weights(torch.tensor([6400, 3200, 400, 0]), 10.0)
    total = 0.8 + math.sqrt(0.32) + 0.2
    expected = [1 / (0.8 * total), 1 / (math.sqrt(0.32) * total), 1 / (0.2 * total), 0.0]
    assert torch.allclose(weights, torch.tensor(expected))
    assert math.isclose(float(weights @ torch.tensor([0.64, 0.32, 0.04, 0.0])), 1.0, abs_tol=1e-6)
    assert class_weights(torch.tensor([6400, 3200, 400, 0]), 2.0).tolist() == pytest.approx([*expected[:2], 2.0, 0.0])
    assert class_weights(torch.zeros(2, dtype=torch.int64), 5.0).tolist() == [0.0, 0.0]


def test_the_power_says_how_far_rare_labels_are_preferred() -> None:
    counts = torch.tensor([8100, 1600, 300])
    assert class_weights(counts, 99.0, 0.0).tolist() == pytest.approx([1.0, 1.0, 1.0])
    # to the power of 1/4: 81/16 of the pixels, 3/2 of the weight
    weights = class_weights(counts, 99.0, 0.25)
    assert float(weights[1] / weights[0]) == pytest.approx(1.5)
    assert class_weights(counts, 99.0, 1.0).tolist() == pytest.approx([1 / 2.43, 1 / 0.48, 1 / 0.09])


def test_losses_of_a_worked_example() -> None:
    # two pixels: certain to 3/4 of the right label 0, and to 1/4 of the right label 1
    logits = torch.tensor([[[[math.log(3.0), math.log(3.0)]], [[0.0, 0.0]]]])
    losses = parser_losses(logits, torch.tensor([[[0, 1]]]), torch.tensor([1.0, 2.0]))
    assert losses["cross_entropy"].item() == pytest.approx((-math.log(0.75) - 2 * math.log(0.25)) / 2)
    dice = [1 - (2 * 0.75 + 1) / (1.5 + 1 + 1), 1 - (2 * 0.25 + 1) / (0.5 + 1 + 1)]
    assert losses["dice"].item() == pytest.approx(sum(dice) / 2)


def test_unlabelled_pixels_change_no_loss() -> None:
    logits, ids = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    weights = torch.tensor([1.0, 2.0, 0.5])
    hidden = ids.clone()
    hidden[:, :, 4:] = 3
    left = parser_losses(logits[..., :4], ids[..., :4], weights)
    changed = logits.clone()
    changed[..., 4:] = 9 * torch.randn(2, 3, 8, 4)
    changed.requires_grad_()
    losses = parser_losses(changed, hidden, weights)
    for name, value in left.items():
        assert torch.allclose(losses[name], value, atol=1e-6), name
    sum(losses.values(), torch.zeros(())).backward()
    assert changed.grad is not None
    assert not changed.grad[..., 4:].any() and changed.grad[..., :4].any()
    nothing = parser_losses(logits, torch.full_like(ids, 3), weights)
    assert [value.item() for value in nothing.values()] == [0.0, 0.0]


def test_scores_leave_unlabelled_pixels_out() -> None:
    parser = UNetParser(CONFIG.model).eval()
    truths = [torch.randint(0, 2, (2, 32, 32)), torch.full((1, 32, 32), 3)]
    truths[0][:, :8] = 3
    truths[0][0, 8, 0] = 1
    parser.predict = lambda image: torch.zeros(len(image), 32, 32, dtype=torch.int64)  # type: ignore[method-assign]
    scores = parser_scores(parser, [(torch.zeros(len(ids), 3, 32, 32), ids) for ids in truths], LABELS.names)
    share = (truths[0] == 0).sum().item() / (2 * 24 * 32)
    assert scores["pixels"] == 2 * 24 * 32
    assert (scores["miou"], scores["accuracy"]) == (pytest.approx(share / 2), pytest.approx(share))
    assert scores["iou"] == {"ground": pytest.approx(share), "thing": 0.0, "other": None}
