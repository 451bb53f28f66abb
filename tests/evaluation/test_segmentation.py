"""mIoU and pixel accuracy on an example worked out by hand, with absent and ignored labels."""

import pytest
import torch

from sean.evaluation.segmentation import confusion_matrix, segmentation_scores

NAMES = ("a", "b", "c", "d")
TRUTH = torch.tensor([[[0, 0, 0, 1], [1, 1, 4, -1]], [[0, 0, 1, 1], [4, 255, 1, 1]]])
PREDICTED = torch.tensor([[[0, 0, 1, 1], [1, 4, 0, 1]], [[0, 2, 1, 1], [2, 3, 1, 1]]])
# Counted are 12 pixels: of a 3 right, 1 as b, 1 as c; of b 6 right, 1 as none of the labels.


def test_worked_example() -> None:
    confusion = confusion_matrix(PREDICTED, TRUTH, 4)
    expected = torch.zeros(4, 5, dtype=torch.int64)
    expected[0, :3] = torch.tensor([3, 1, 1])
    expected[1, 1], expected[1, 4] = 6, 1
    assert torch.equal(confusion, expected)
    scores = segmentation_scores(confusion, NAMES)
    # c occurs in the prediction only and counts as 0; d occurs where the truth is ignored, so not at all
    assert scores["iou"] == {"a": pytest.approx(3 / 5), "b": pytest.approx(6 / 8), "c": 0.0, "d": None}
    assert scores["miou"] == pytest.approx((3 / 5 + 6 / 8 + 0) / 3)
    assert scores["accuracy"] == pytest.approx(9 / 12)
    assert scores["pixels"] == 12


def test_matrices_add_up() -> None:
    parts = [confusion_matrix(PREDICTED[i : i + 1], TRUTH[i : i + 1], 4) for i in range(2)]
    assert torch.equal(parts[0] + parts[1], confusion_matrix(PREDICTED, TRUTH, 4))


def test_perfect_and_empty() -> None:
    truth = torch.tensor([[[0, 1], [4, 2]]])
    scores = segmentation_scores(confusion_matrix(truth, truth, 4), NAMES)
    assert (scores["miou"], scores["accuracy"], scores["pixels"]) == (1.0, 1.0, 3)
    nothing = segmentation_scores(confusion_matrix(truth, torch.full_like(truth, 4), 4), NAMES)
    assert (nothing["miou"], nothing["accuracy"], nothing["pixels"]) == (None, None, 0)
    assert set(nothing["iou"].values()) == {None}
