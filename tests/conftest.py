"""What every test shares: run-time shape checks of the package, no network, a fixed seed, few threads."""

import os
import re
from pathlib import Path

# Before anything imports huggingface_hub: offline it would otherwise retry for most of a minute.
os.environ["HF_HUB_OFFLINE"] = "1"

import hypothesis
import jaxtyping
import numpy as np
import pytest
import torch

# Before anything imports sean: in the modules that tell the shapes of tensors, annotations are checked at every call.
# mypy, which sees no shapes, checks the types of all modules; checks in all of them make imports several times as long.
_PACKAGE = Path(__file__).resolve().parents[1] / "src"
_WITH_SHAPES = [
    ".".join(path.relative_to(_PACKAGE).with_suffix("").parts)
    for path in sorted(_PACKAGE.rglob("*.py"))
    if re.search("^from jaxtyping import", path.read_text(encoding="utf-8"), re.MULTILINE)
]
jaxtyping.install_import_hook(_WITH_SHAPES, "beartype.beartype")

# Networks this small wait more for a second thread than it helps them, and long where the machine has other work.
torch.set_num_threads(1)

# The same examples every time, and no limit on the time of one: a test must not depend on luck or load.
hypothesis.settings.register_profile("sean", derandomize=True, deadline=None, max_examples=25, database=None)
# Many, and new ones each time: `make fuzz`.
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=10_000, print_blob=True)
hypothesis.settings.load_profile("sean")


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    """Seed torch's global generator before each test, so that the order of the tests does not matter."""
    torch.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    """A numpy generator with a fixed seed."""
    return np.random.default_rng(0)
