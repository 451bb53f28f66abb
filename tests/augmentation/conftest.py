"""A tiny model, and sets of drawn scenes with and without objects."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.editing.pipeline import SEANPipeline
from sean.images import save_image, write_image
from sean.labels import LabelSet
from sean.models.build import new_model
from sean.models.configs import SEANConfig
from sean.segmap import write_segmap

LABELS = LabelSet(name="scenes", names=("sky", "l_car", "r_car", "road"), ignore_id=255, flip_pairs=((1, 2),))
SIZE = (48, 64)


@pytest.fixture(scope="session")
def pipeline() -> SEANPipeline:
    """A model with random weights, whose pictures differ with the styles."""
    torch.manual_seed(3)
    config = SEANConfig(
        num_regions=4,
        image_size=(32, 32),
        style_dim=8,
        base_channels=4,
        max_channels=16,
        mask_dim=8,
        encoder_channels=4,
        mean_color=True,
    )
    model = new_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return SEANPipeline(model, LABELS)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Five pictures, four for training: coloured regions with noise, two objects in the road, unlabelled pixels."""
    root = tmp_path / "scenes"
    rng = np.random.default_rng(5)
    for number in range(5):
        segmap = np.zeros(SIZE, dtype=np.int64)
        segmap[24:] = 3
        segmap[30:40, 4 + number : 20 + number] = 1
        segmap[30:40, 40:56] = 2
        segmap[:4, :4] = 4
        instances = np.zeros(SIZE, dtype=np.int64)
        instances[30:40, 4 + number : 12 + number] = 1
        instances[30:40, 12 + number : 20 + number] = 2
        instances[30:40, 40:56] = 3
        colors = rng.integers(20, 236, (5, 3))
        image = (colors[segmap] + rng.integers(-20, 20, (*SIZE, 3))).clip(0, 255).astype(np.uint8)
        write_image(root / "images" / f"s{number}.png", image)
        write_segmap(root / "labels" / f"s{number}.png", segmap, LABELS)
        save_image(root / "instances" / f"s{number}.png", Image.fromarray(instances.astype(np.uint16)))
    (root / "classes.txt").write_text(LABELS.to_classes_txt())
    return root
