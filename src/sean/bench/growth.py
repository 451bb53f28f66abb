"""How the cost grows with the size of the picture and with the number of labels."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from sean.bench.rendering import BOTH, FLOOR, REPEAT, rendering_cases
from sean.bench.segmaps import cell_segmap, default_segmaps, face_segmaps
from sean.bench.timing import median_seconds
from sean.models.build import build_model
from sean.models.configs import SEANConfig
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap

SIZES = (128, 256, 512, 1024)
LABELS = (19, 35, 150)
_SEGMAPS = 3
_CASES = (FLOOR, REPEAT, BOTH)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measurement of a series.

    Attributes:
        name: of the row.
        pixels: of a picture.
        patches: distinct 5x5 patches of the segmap at full size.
        seconds: by case.
    """

    name: str
    pixels: int
    patches: int
    seconds: dict[str, float]


def by_size(model: SEANModel, folder: Path | None, rounds: int) -> list[Point]:
    """The same model at pictures of 128 to 1024 pixels a side."""
    points = []
    for side in SIZES:
        segmaps = default_segmaps(folder, (side, side), _SEGMAPS, model.config.num_regions)
        points.append(_measured(model, f"{side} px", segmaps, rounds))
    return points


def by_labels(config: SEANConfig, rounds: int, device: torch.device | str = "cpu") -> list[Point]:
    """Models of 19, 35 and 150 labels, on the same segmap and on a segmap with a region of every label."""
    points = []
    for num_regions in LABELS:
        model = build_model(replace(config, num_regions=num_regions)).to(device).eval()
        # the same patches, with the label ids spread over the model's
        segmaps = [
            segmap * (num_regions - 1) // (LABELS[0] - 1) for segmap in face_segmaps(config.image_size, _SEGMAPS)
        ]
        points.append(_measured(model, f"{num_regions} labels, the same segmap", segmaps, rounds))
        cells = [cell_segmap(config.image_size, LABELS[-1], seed) % num_regions for seed in range(_SEGMAPS)]
        points.append(_measured(model, f"{num_regions} labels, all in 150 cells", cells, rounds))
    return points


def _measured(model: SEANModel, name: str, segmaps: list[Tensor], rounds: int) -> Point:
    size = (segmaps[0].shape[1], segmaps[0].shape[2])
    torch.manual_seed(0)
    cases = rendering_cases(model, segmaps, size, dense=False)
    finest = plan_segmap(segmaps[0]).levels[-1].mask_patches
    return Point(
        name=name,
        pixels=size[0] * size[1],
        patches=0 if finest is None else len(finest),
        seconds=median_seconds({case: cases[case] for case in _CASES}, rounds),
    )
