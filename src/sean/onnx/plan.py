"""Patch plans in numpy, as inputs of the fast generator: the same tables as those of `sean.plan`, without torch.

In all tables 0 means "outside the picture"; taps are in row-major order, the fifth is the pixel itself.
`plan.js` is the same in JavaScript.
"""

from collections.abc import Sequence

import numpy as np

SCALES = (32, 16, 8, 4, 2, 1)
"""The generator works at these fractions of the picture's size."""

_CORNERS = (0, 2, 6, 8)  # of a 3x3 of 3x3 patches: they cover the 5x5 patch
_LIMIT = 2**63


def plan_inputs(
    segmap: np.ndarray, num_regions: int, variants: np.ndarray | None = None, edges: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The tables of a batch of segmaps, named as the inputs of the fast generator, int32.

    Args:
        segmap: label ids [b, h, w], 0..k; height and width are multiples of 32.
        num_regions: labels k of the model.
        variants: [b, h, w], the index of the style codes for every pixel; None takes the index of the sample.
        edges: [b, h, w], pixels at the edge of an instance, for models with instance edges.

    Returns:
        For each scale s of `SCALES`: label_patches_s [m, 9] of 1 + symbol (the label; with edges 2 * label + edge),
        mask_patches_s [n, 9] of 1 + row of label_patches_s, region_patches_s [r, 9] of 1 + variant * k + label (0 for
        no region), mask_rows_s [q] and region_rows_s [q], and pixels_s [b, h / s, w / s], the index of a pixel's pair
        among these q.
    """
    samples = np.broadcast_to(np.arange(len(segmap))[:, None, None], segmap.shape)
    maps = [segmap, samples if variants is None else variants, np.zeros_like(segmap) if edges is None else edges]
    tables = {}
    for scale in SCALES:
        labels, numbers, edge = (each[:, ::scale, ::scale].astype(np.int64) for each in maps)
        symbols = labels if edges is None else 2 * labels + (edge != 0)
        for name, table in _level(labels, numbers, symbols, num_regions).items():
            tables[f"{name}_{scale}"] = np.ascontiguousarray(table, np.int32)
    return tables


def _level(labels: np.ndarray, variants: np.ndarray, symbols: np.ndarray, num_regions: int) -> dict[str, np.ndarray]:
    shape = labels.shape
    label_patches, patch_map = _distinct(_taps(symbols + 1))
    # "no region" counts separately for each variant, as in sean.plan
    region_patches, region_rows = _distinct(_taps(1 + variants * (num_regions + 1) + labels))
    corners = _CORNERS if min(shape[1:]) > 1 else range(9)
    mask_patches, mask_map = _distinct(_taps(patch_map.reshape(shape) + 1), corners)
    rows, pixels = _distinct([mask_map, region_rows])
    variant, label = np.divmod(region_patches - 1, num_regions + 1)
    has_region = (region_patches > 0) & (label < num_regions)
    return {
        "label_patches": label_patches,
        "mask_patches": mask_patches,
        "region_patches": np.where(has_region, 1 + variant * num_regions + label, 0),
        "mask_rows": rows[:, 0],
        "region_rows": rows[:, 1],
        "pixels": pixels.reshape(shape),
    }


def _taps(numbers: np.ndarray) -> list[np.ndarray]:
    """The nine neighbours of every pixel [b * h * w], 0 outside."""
    _, h, w = numbers.shape
    framed = np.pad(numbers, ((0, 0), (1, 1), (1, 1)))
    return [framed[:, dy : dy + h, dx : dx + w].ravel() for dy in range(3) for dx in range(3)]


def _distinct(columns: Sequence[np.ndarray], key: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows in order of appearance, and every row's number; the columns `key` identify a row."""
    codes = columns[0] if key is None else columns[key[0]]
    size = int(codes.max()) + 1
    for column in columns[1:] if key is None else [columns[index] for index in key[1:]]:
        base = int(column.max()) + 1
        if size * base >= _LIMIT:
            codes = np.unique(codes, return_inverse=True)[1]
            size = int(codes.max()) + 1
        codes, size = codes * base + column, size * base
    # neighbouring rows are mostly equal; sorting only the first row of each run is several times faster
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    _, first, ids = np.unique(codes[starts], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    numbers = np.repeat(rank[ids], np.diff(starts, append=len(codes)))
    firsts = starts[first[order]]
    return np.stack([column[firsts] for column in columns], axis=1), numbers
