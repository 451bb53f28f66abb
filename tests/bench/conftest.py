"""A tiny model to measure, and the count of what its renderer makes."""

import pytest

from sean.models.build import build_model
from sean.models.configs import SEANConfig
from sean.models.sean.model import SEANModel

from ..inference.conftest import made

__all__ = ["made"]

TINY = SEANConfig(image_size=(64, 64), style_dim=8, base_channels=4, mask_dim=4, encoder_channels=4)


@pytest.fixture
def model() -> SEANModel:
    """In evaluation mode, with weights that show."""
    return build_model(TINY, init_gain=1.0).eval()
