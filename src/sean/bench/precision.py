"""Computation in 16 bits against float32: times, measured in turns, and the difference of the pictures."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sean.bench.segmaps import default_segmaps
from sean.bench.timing import median_seconds
from sean.inference.encoder import Encoder
from sean.inference.renderer import Renderer
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap

_PICTURES = 8


def comparison(model: SEANModel, folder: Path | None, dtype: torch.dtype, rounds: int) -> dict[str, Any]:
    """Measure rendering and encoding in `dtype` and in float32.

    Args:
        model: in evaluation mode.
        folder: see `default_segmaps`.
        dtype: a 16-bit type.
        rounds: of the timing.

    Returns:
        Seconds (float32, dtype) by case, and the largest and mean difference of pictures whose values are 0 to 255.
    """
    config, device = model.config, next(model.parameters()).device
    segmaps = [each.to(device) for each in default_segmaps(folder, config.image_size, _PICTURES, config.num_regions)]
    plans = [plan_segmap(each.cpu()).to(device) for each in segmaps]
    renderers = [Renderer(model.generator), Renderer(model.generator, dtype=dtype)]
    encoders = [Encoder(model.style_encoder), Encoder(model.style_encoder, dtype)]
    shape = (1, config.num_regions, model.code_dim)
    image = torch.rand(1, 3, *config.image_size, device=device) * 2 - 1

    def new_codes() -> Tensor:
        return torch.rand(shape, device=device) * 2 - 1

    # a picture made by the model itself has styles that the encoder knows
    picture = renderers[0](plans[0], new_codes())
    codes = encoders[0](picture, segmaps[0])[0]
    differences = torch.stack([(renderers[0](plan, codes) - renderers[1](plan, codes)).abs() * 127.5 for plan in plans])
    cases: dict[str, Any] = {}
    for index, renderer in enumerate(renderers):
        cases[f"repeat {index}"] = lambda renderer=renderer: renderer(plans[-1], codes)
        cases[f"new style {index}"] = lambda renderer=renderer: renderer(plans[-1], new_codes())
    for index, encoder in enumerate(encoders):
        cases[f"encoder {index}"] = lambda encoder=encoder: encoder(image, segmaps[0])
    seconds = median_seconds(cases, rounds)
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "pictures": _PICTURES,
        "seconds": {name: (seconds[f"{name} 0"], seconds[f"{name} 1"]) for name in ("repeat", "new style", "encoder")},
        "largest": differences.max().item(),
        "mean": differences.mean().item(),
    }
