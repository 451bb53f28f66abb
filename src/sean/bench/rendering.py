"""The cost of one picture, by the inputs that changed since the previous picture."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor

from sean.bench.floor import inference_floor
from sean.inference.encoder import Encoder
from sean.inference.renderer import Renderer
from sean.models.sean.dense import dense_formulation
from sean.models.sean.encoder import StyleEncoder
from sean.models.sean.model import SEANModel
from sean.plan.planner import Planner, plan_segmap

FLOOR = "convolutions alone"
DENSE = "dense: new segmap and style"
BOTH = "new segmap and style"
REPEAT = "repeat"
STROKE = "brush stroke"
ENCODER = "encoder"
ENCODER_LAYERS = "encoder, layer by layer"
ENCODER_NAIVE = "encoder, published order"


def rendering_cases(
    model: SEANModel, segmaps: list[Tensor], size: tuple[int, int], *, dense: bool = True
) -> dict[str, Callable[[], Any]]:
    """The cases to time, by name.

    Args:
        model: in evaluation mode.
        segmaps: [1, h, w] each, used in turn where a case needs a new one.
        size: of the pictures.
        dense: include the published formulation, which computes everything for every picture.
    """
    # the cache must hold every pair of segmap and style used here, or "repeat" would not repeat
    renderer = Renderer(model.generator, num_kept=8)
    shape = (1, model.config.num_regions, model.config.style_dim)
    device = next(model.parameters()).device
    masks = itertools.cycle(segmaps)
    planner, strokes = Planner(segmaps[0]), _strokes(segmaps[0])
    other_planner, other_strokes = Planner(segmaps[0]), _strokes(segmaps[0])

    def new_codes() -> Tensor:
        return torch.rand(shape, device=device) * 2 - 1

    codes, plan = new_codes(), plan_segmap(segmaps[0]).to(device)

    cases: dict[str, Callable[[], Any]] = {
        FLOOR: inference_floor(model.generator, size),
        REPEAT: lambda: renderer(plan, codes),
        "new style": lambda: renderer(plan, new_codes()),
        "new segmap": lambda: renderer(plan_segmap(next(masks)).to(device), codes),
        BOTH: lambda: renderer(plan_segmap(next(masks)).to(device), new_codes()),
        STROKE: lambda: renderer(planner.update(next(strokes)).to(device), codes),
        "plan alone": lambda: plan_segmap(next(masks)),
        "plan of a stroke": lambda: other_planner.update(next(other_strokes)),
    }
    if dense:
        published = torch.no_grad()(dense_formulation(model).render)
        cases[DENSE] = lambda: published(next(masks).to(device), new_codes())
    return cases


def encoder_cases(model: SEANModel, segmap: Tensor, size: tuple[int, int]) -> dict[str, Callable[[], Any]]:
    """The style encoder: packed for inference, as a plain module, and with the regions pooled one by one."""
    device = next(model.parameters()).device
    image, segmap = torch.rand(1, 3, *size, device=device) * 2 - 1, segmap.to(device)
    encoder, module = Encoder(model.style_encoder), cast(StyleEncoder, model.style_encoder)

    @torch.no_grad()
    def published() -> Tensor:
        features = module.features(image)[0]
        labels = segmap[0, :: size[0] // features.shape[1], :: size[1] // features.shape[2]]
        codes = features.new_zeros(module.num_regions, features.shape[0])
        for region in range(module.num_regions):
            inside = labels == region
            if inside.any():
                codes[region] = features.masked_select(inside).view(features.shape[0], -1).mean(1)
        return codes

    return {
        ENCODER: lambda: encoder(image, segmap),
        ENCODER_LAYERS: torch.no_grad()(lambda: module(image, segmap)),
        ENCODER_NAIVE: published,
    }


def _strokes(segmap: Tensor) -> Iterator[Tensor]:
    """Segmaps after successive brush dabs, each a sixteenth of the picture wide and of a label that changes pixels."""
    _, height, width = segmap.shape
    labels = segmap.unique()
    places = torch.Generator().manual_seed(0)
    while True:
        row, column = (int(torch.randint(side * 15 // 16, (), generator=places)) for side in (height, width))
        segmap = segmap.clone()
        dab = segmap[:, row : row + height // 16, column : column + width // 16]
        below = int((labels == dab[0, 0, 0]).nonzero())
        dab.fill_(labels[(below + 1) % len(labels)])
        yield segmap
