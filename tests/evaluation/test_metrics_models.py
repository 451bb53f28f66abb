"""Scores of a model, with stand-in models whose scores are known."""

import pytest
import torch
from torch import Tensor, nn

from sean.errors import InputError
from sean.evaluation.metrics import exchange_locality, reconstruction_scores
from sean.models.configs import SEANConfig
from sean.models.sean.model import SEANModel


class FlatPainter(SEANModel):
    """Encodes a region as its red value and paints it in that grey, plus a leak of region 0 into every pixel."""

    def __init__(self, leak: float) -> None:
        nn.Module.__init__(self)
        self.config = SEANConfig(num_regions=2, image_size=(32, 32), style_dim=1)
        self.leak = leak

    def encode(self, image: Tensor, segmap: Tensor) -> tuple[Tensor, Tensor]:
        regions = torch.stack([segmap == j for j in range(2)], dim=1)
        sums = (image[:, :1] * regions).sum(dim=(2, 3))
        return (sums / regions.sum(dim=(2, 3)).clamp_min(1)).unsqueeze(2), regions.any(dim=(2, 3))

    def render(self, segmap: Tensor, style_codes: Tensor, **_: object) -> Tensor:
        own = torch.gather(style_codes[:, :, 0], 1, segmap.flatten(1)).view(segmap.shape)
        return (own + self.leak * style_codes[:, :1, :]).unsqueeze(1).repeat(1, 3, 1, 1)


def batch() -> tuple[Tensor, Tensor]:
    """Two grey pictures of two flat halves; region 0 differs by 1 between them."""
    segmap = torch.zeros(2, 32, 32, dtype=torch.long)
    segmap[:, 16:] = 1
    image = torch.where(segmap.unsqueeze(1) == 0, torch.tensor([-0.5, 0.5]).view(2, 1, 1, 1), torch.tensor(0.25))
    return image.repeat(1, 3, 1, 1), segmap


def test_constant_error_by_hand() -> None:
    image, segmap = batch()
    shifted = image.clone()
    shifted[:, :, :16] += 0.2  # the painter paints means: only a picture that is not flat shows an error
    shifted[:, :, :8] -= 0.4
    scores = reconstruction_scores(FlatPainter(0.0), [(shifted, segmap, None)] * 2)
    # half of the pixels are off by 0.2 on [-1, 1], that is 0.1 on [0, 1]
    assert scores["rmse"] == pytest.approx(0.1 * 0.5**0.5, rel=1e-4)
    assert scores["psnr"] == pytest.approx(20 + 10 * torch.log10(torch.tensor(2.0)).item(), rel=1e-4)
    assert scores["psnr_of_flat_colors"] == pytest.approx(scores["psnr"], rel=1e-4)
    assert scores["images"] == 4


def test_locality_by_hand() -> None:
    image, segmap = batch()
    scores = exchange_locality(FlatPainter(0.125), [(image, segmap, None)], region=0)
    # exchanging -0.5 and 0.5 moves region 0 by 1 + leak and the rest by the leak, on [-1, 1]
    assert scores["inside"] == pytest.approx(1.125 / 2)
    assert scores["outside"] == pytest.approx(0.125 / 2)
    assert scores["ratio"] == pytest.approx(9.0)
    assert scores["pairs"] == 2


def test_nothing_to_score() -> None:
    with pytest.raises(InputError, match="at least one picture"):
        reconstruction_scores(FlatPainter(0.0), [])
    image, segmap = batch()
    with pytest.raises(InputError, match="two pictures"):
        exchange_locality(FlatPainter(0.0), [(image[:1], segmap[:1], None)], region=0)
