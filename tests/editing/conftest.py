"""The tiny pipeline of the editing tests."""

import pytest

from sean.editing.pipeline import SEANPipeline

from ..support.pipelines import random_pipeline


@pytest.fixture
def pipeline() -> SEANPipeline:
    """See `random_pipeline`; no style bank."""
    return random_pipeline()
