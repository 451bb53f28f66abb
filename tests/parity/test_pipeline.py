"""The published generator through `sean import-official` and the pipeline: the same picture, at most 1/255 off."""

from pathlib import Path

import numpy as np
import torch

from sean.cli import main
from sean.editing.pipeline import SEANPipeline
from sean.images import tensor_to_image

from .conftest import load_arrays

OUTPUT_STRIDE = 4


def test_imported_network(
    official_generator_state: dict[str, torch.Tensor], golden: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(official_generator_state, tmp_path / "latest_net_G.pth")
    assert main(["import-official", str(tmp_path / "latest_net_G.pth"), "--output", str(tmp_path / "model")]) == 0
    pipeline = SEANPipeline.from_pretrained(tmp_path / "model")
    images = load_arrays("sean_generator")["image"].numpy()
    for image, segmap, expected in zip(images, golden["segmap"].numpy(), golden["output"], strict=True):
        picture = np.asarray(pipeline(segmap, pipeline.encode(image, segmap))).astype(int)
        wanted = tensor_to_image(expected).astype(int)
        assert np.abs(picture[::OUTPUT_STRIDE, ::OUTPUT_STRIDE] - wanted).max() <= 1
