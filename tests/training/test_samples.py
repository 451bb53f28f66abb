"""Sample sheets: what is rendered with whose styles, and how it is laid out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.contact_sheet import Tile
from sean.images import read_image, tensor_to_image
from sean.models.build import build_model
from sean.models.sean.model import SEANModel
from sean.segmap import colorize
from sean.training import validation
from sean.training.batch import TrainingBatch
from sean.training.config import TrainConfig
from sean.training.validation import write_samples

from .conftest import LABELS, assert_same, weights_of


@pytest.fixture
def model(config: TrainConfig) -> SEANModel:
    """In evaluation mode."""
    return build_model(config.model).eval()


def three(batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """Three pictures; the second lacks label 0, the third has it alone."""
    image = torch.cat([batch.image, batch.image[:1].flip(3)])
    segmap = torch.ones(3, 32, 32, dtype=torch.int64)
    segmap[0, :16] = 0
    segmap[2] = 0
    return image, segmap


def test_styles_come_from_the_photo_to_the_left(
    model: SEANModel, batch: TrainingBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, segmap = three(batch)
    rendered: list[tuple[Tensor, dict[str, Any]]] = []
    render = model.render

    def spy(segmap: Tensor, codes: Tensor, **options: Any) -> Tensor:
        rendered.append((codes, options))
        return render(segmap, codes, **options)

    monkeypatch.setattr(model, "render", spy)
    write_samples(tmp_path / "sheet.png", model, image, segmap, None, LABELS, "step 3")
    (own, options), (exchanged, other_options) = rendered
    assert options == other_options == {"edges": None}  # no noise
    codes, present = model.encode(image, segmap)
    assert present.tolist() == [[True, True, False], [False, True, False], [True, False, False]]
    torch.testing.assert_close(own, codes)
    # label 0: from pictures 2, 0 and (1 lacks it) itself; label 1: (2 lacks it) itself, 0 and 1; label 2: nobody's
    want = torch.stack(
        [
            torch.stack([codes[2, 0], codes[0, 1], codes[0, 2]]),
            torch.stack([codes[0, 0], codes[0, 1], codes[1, 2]]),
            torch.stack([codes[2, 0], codes[1, 1], codes[2, 2]]),
        ]
    )
    torch.testing.assert_close(exchanged, want)


def test_the_rows_of_the_sheet(
    model: SEANModel, batch: TrainingBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, segmap = batch.image, batch.segmap
    drawn: dict[str, Any] = {}

    def sheet(rows: list[list[Tile]], **options: Any) -> np.ndarray:
        drawn.update(rows=rows, **options)
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(validation, "sheet", sheet)
    write_samples(tmp_path / "sheet.png", model, image, segmap, None, LABELS, "step 3")
    assert drawn["title"] == "step 3"
    assert drawn["row_titles"] == ["segmap", "photo", "reconstruction", "styles of the photo to the left"]
    maps, photos, reconstructions, others = drawn["rows"]
    assert all(len(row) == 2 for row in drawn["rows"])
    with torch.no_grad():
        fake = model(image, segmap)
    for index in range(2):
        assert np.array_equal(maps[index].image, colorize(segmap[index].numpy(), LABELS)) and maps[index].pixelated
        assert np.array_equal(photos[index].image, tensor_to_image(image[index]))
        assert np.array_equal(reconstructions[index].image, tensor_to_image(fake[index]))
        assert others[index].image.shape == (32, 32, 3)


def test_a_sheet_is_written_and_the_model_is_left_alone(model: SEANModel, batch: TrainingBatch, tmp_path: Path) -> None:
    before, numbers = weights_of(model), torch.get_rng_state()
    path = tmp_path / "samples" / "step-000003.png"
    write_samples(path, model, batch.image, batch.segmap, None, LABELS, "step 3")
    height, width, channels = read_image(path).shape
    assert channels == 3 and height > 4 * 32 and width > 2 * 32
    assert [file.name for file in path.parent.iterdir()] == ["step-000003.png"]
    assert_same(before, weights_of(model))
    assert torch.equal(numbers, torch.get_rng_state())


def test_one_photo_is_enough(model: SEANModel, batch: TrainingBatch, tmp_path: Path) -> None:
    write_samples(tmp_path / "sheet.png", model, batch.image[:1], batch.segmap[:1], None, LABELS, "")
    assert (tmp_path / "sheet.png").stat().st_size > 0
