"""The configs of the networks, where they must agree with modules that they cannot import."""

from sean.models.configs import SIZE_MULTIPLE
from sean.plan.patch_plan import SCALES


def test_sizes_are_multiples_of_the_coarsest_scale_of_a_plan() -> None:
    assert max(SCALES) == SIZE_MULTIPLE
