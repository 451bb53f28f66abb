"""Features painted onto a segmap, by hand."""

import torch

from sean.models.features import region_feature_map


def test_by_hand() -> None:
    features = torch.tensor([[[1.0, -1.0], [2.0, -2.0]], [[3.0, -3.0], [4.0, -4.0]]])
    segmap = torch.tensor([[[0, 1, 2]], [[1, 1, 0]]])
    expected = [[[[1.0, 2.0, 0.0]], [[-1.0, -2.0, 0.0]]], [[[4.0, 4.0, 3.0]], [[-4.0, -4.0, -3.0]]]]
    assert region_feature_map(features, segmap).tolist() == expected


def test_features_of_no_width() -> None:
    assert region_feature_map(torch.zeros(2, 3, 0), torch.zeros(2, 4, 5, dtype=torch.long)).shape == (2, 0, 4, 5)


def test_a_regions_gradient_is_its_number_of_pixels() -> None:
    features = torch.zeros(1, 3, 1, requires_grad=True)
    region_feature_map(features, torch.tensor([[[0, 0, 2], [3, 3, 0]]])).sum().backward()
    assert features.grad.flatten().tolist() == [3, 0, 1]
