"""Region-wise average pooling: by hand, and against a loop over batch and regions."""

import jaxtyping
import pytest
import torch
from hypothesis import given

from sean.ops.region_pooling import region_mean
from sean.segmap import onehot

from .reference import assert_same_with_gradients, randn, segmaps
from .reference import region_mean as region_mean_loop


def test_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0, 6.0], [4.0, 5.0, 9.0]], [[0.0, 10.0, 20.0], [30.0, 40.0, -5.0]]]])
    segmap = torch.tensor([[[0, 0, 2], [0, 3, 2]]])  # label 1 is absent, id 3 is "no region"
    codes, present = region_mean(features, onehot(segmap, 3))
    expected = torch.tensor([[[7 / 3, 40 / 3], [0.0, 0.0], [7.5, 7.5]]])
    torch.testing.assert_close(codes, expected)
    assert present.tolist() == [[True, False, True]]


def test_each_sample_has_its_own_means() -> None:
    features = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(2, 1, 1, 2)
    codes, present = region_mean(features, onehot(torch.tensor([[[0, 0]], [[1, 0]]]), 2))
    assert codes.flatten(1).tolist() == [[2.0, 0.0], [7.0, 5.0]]
    assert present.tolist() == [[True, False], [True, True]]


def test_picture_of_no_region() -> None:
    codes, present = region_mean(torch.randn(1, 4, 3, 5), onehot(torch.full((1, 3, 5), 2), 2))
    assert not codes.any()
    assert not present.any()


def test_large_region_stays_accurate() -> None:
    codes, _ = region_mean(torch.full((1, 1, 256, 192), 0.1), onehot(torch.zeros(1, 256, 192, dtype=torch.long), 1))
    torch.testing.assert_close(codes, torch.full((1, 1, 1), 0.1), atol=0, rtol=1e-5)


@given(case=segmaps())
def test_equals_the_loop(case: tuple[torch.Tensor, int]) -> None:
    segmap, num_regions = case
    features = randn(len(segmap), 3, *segmap.shape[1:])
    planes = onehot(segmap, num_regions).double()
    assert torch.equal(region_mean(features, planes)[1], region_mean_loop(features, segmap, num_regions)[1])
    assert_same_with_gradients(
        lambda: region_mean(features, planes)[0],
        lambda: region_mean_loop(features, segmap, num_regions)[0],
        [features],
    )


def test_shapes_are_checked_at_run_time() -> None:
    """By the hook of the tests' conftest.py: a torch error would name neither function nor shapes."""
    with pytest.raises(jaxtyping.TypeCheckError, match=r"region_mean[\s\S]*onehot"):
        region_mean(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 9))
