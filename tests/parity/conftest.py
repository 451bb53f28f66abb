"""Goldens of the published networks: inputs and outputs computed once by the reference implementations.

The reference weights are made from key, shape and seed (`reference_weights.py`); outputs are subsampled by a stride.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sean.images import image_to_tensor
from sean.models.discriminator import Discriminator, build_discriminator
from sean.models.official import convert_generator, infer_config
from sean.models.sean.model import SEANModel

from ..support.published import convert_discriminator

GOLDENS = Path(__file__).parent / "goldens"


def load_json(name: str) -> dict[str, Any]:
    return json.loads((GOLDENS / f"{name}.json").read_text())


def load_arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDENS / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


def reference_state(name: str, network: str = "keys") -> dict[str, torch.Tensor]:
    """A published network's state dict, as the authors' checkpoint would hold it.

    Args:
        name: of the golden.
        network: under which the golden's JSON has the keys.
    """
    spec = importlib.util.spec_from_file_location("reference_weights", Path(__file__).parent / "reference_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    golden = load_json(name)
    return module.reference_state_dict(golden[network], seed=golden["seed"])


@pytest.fixture(scope="session")
def official_generator_state() -> dict[str, torch.Tensor]:
    return reference_state("sean_generator")


@pytest.fixture
def model(official_generator_state: dict[str, torch.Tensor]) -> SEANModel:
    """A fresh SEAN model with the reference weights, in evaluation mode."""
    network = SEANModel(infer_config(official_generator_state))
    network.load_state_dict(convert_generator(official_generator_state))
    return network.eval()


@pytest.fixture
def discriminator() -> Discriminator:
    golden = load_json("discriminator")
    network = build_discriminator(golden["num_regions"], golden["ndf"], golden["num_D"], golden["n_layers_D"])
    network.load_state_dict(convert_discriminator(reference_state("discriminator")))
    return network.eval()


@pytest.fixture(scope="session")
def golden() -> dict[str, torch.Tensor]:
    """Inputs and outputs of the generator, the picture converted to [-1, 1] and the labels to int64."""
    arrays = load_arrays("sean_generator")
    arrays["segmap"] = arrays.pop("labels").long()
    arrays["image"] = torch.stack([image_to_tensor(picture) for picture in arrays["image"].numpy()])
    return arrays
