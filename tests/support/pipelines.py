"""A tiny model with random weights, its pipeline and random styles."""

import torch

from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.labels import CELEBAMASK_HQ
from sean.models.build import build_model
from sean.models.configs import SEANConfig

TINY = SEANConfig(image_size=(64, 64), style_dim=8, base_channels=2, mask_dim=4, encoder_channels=4)


def random_styles(seed: int, present: float = 1.0) -> StyleCodes:
    """Styles for `TINY`; every region is there with a probability."""
    rng = torch.Generator().manual_seed(seed)
    here = torch.rand(19, generator=rng) < present
    codes = torch.randn(19, 8, generator=rng).tanh() * here.unsqueeze(1)
    return StyleCodes(codes, here, CELEBAMASK_HQ)


def random_pipeline(config: SEANConfig = TINY, num_styles: int = 0) -> SEANPipeline:
    """Random weights large enough that styles and masks show in the picture, and a bank of random styles."""
    model = build_model(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "noise_scale" in name or "parametrizations" not in name:
                parameter.normal_(0.0, 0.3)
    return SEANPipeline(model, CELEBAMASK_HQ, style_bank=[random_styles(seed) for seed in range(num_styles)])
