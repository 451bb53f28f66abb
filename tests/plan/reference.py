"""What a plan must say of every pixel, cut out of the label map itself, and what it does say."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sean.data.synthetic.scenes import SyntheticScenes
from sean.plan.patch_plan import SCALES, PatchPlan, SegmapPlan
from sean.segmap import resize_segmap

TENSORS = ("label_patches", "mask_patches", "regions", "region_patches", "mask_rows", "region_rows", "pixels")


def noise(num_labels: int, *shape: int) -> Tensor:
    return torch.randint(num_labels, shape)


def faces(size: int, count: int = 2) -> Tensor:
    scenes = SyntheticScenes(size=(size, size), length=count, layouts=["faces"])
    return torch.stack([torch.from_numpy(scenes.scene(index).segmap) for index in range(count)])


def windows(maps: Tensor, radius: int) -> Tensor:
    """The square of 1 + value around every pixel, [b, h, w, size, size], with 0 outside the picture."""
    size = 2 * radius + 1
    return F.pad(maps + 1, (radius,) * 4).unfold(1, size, 1).unfold(2, size, 1)


def true_masks(labels: Tensor) -> Tensor:
    """[b, h, w, 9, 9]: the label patches of the nine neighbours of every pixel, zeros for those outside."""
    wide = windows(labels, 2)
    patches = [wide[..., dy : dy + 3, dx : dx + 3] for dy in range(3) for dx in range(3)]
    inside = [patch[..., 1:2, 1:2] > 0 for patch in patches]
    return torch.stack([(patch * own).flatten(3) for patch, own in zip(patches, inside, strict=True)], dim=3)


def true_regions(labels: Tensor, variants: Tensor) -> Tensor:
    """[b, h, w, 9, 2]: 1 + variant and 1 + label of the nine neighbours, zeros for those outside."""
    return torch.stack([windows(variants, 1).flatten(3), windows(labels, 1).flatten(3)], dim=4)


def row_masks(plan: PatchPlan) -> Tensor:
    """[q, 9, 9]: what the rows of a plan stand for, as in `true_masks`."""
    assert plan.mask_patches is not None
    return _decode(plan.label_patches, plan.mask_patches)[plan.mask_rows]


def row_regions(plan: PatchPlan) -> Tensor:
    """[q, 9, 2]: what the rows of a plan stand for, as in `true_regions`."""
    return _decode(1 + plan.regions, plan.region_patches)[plan.region_rows]


def sample_numbers(labels: Tensor) -> Tensor:
    """The variants that a plan has by default."""
    return torch.arange(len(labels)).view(-1, 1, 1).expand_as(labels)


def symbols_of(labels: Tensor, edges: Tensor | None) -> Tensor:
    """What the mask branch tells apart."""
    return labels if edges is None else 2 * labels + edges.long()


def assert_plan_of(
    plan: PatchPlan, labels: Tensor, variants: Tensor | None = None, edges: Tensor | None = None
) -> None:
    """The plan says of every pixel what is so, and nothing twice."""
    assert plan.pixels.shape == labels.shape
    assert plan.has_edges == (edges is not None)
    variants = sample_numbers(labels) if variants is None else variants
    symbols = symbols_of(labels, edges)
    assert torch.equal(row_regions(plan)[plan.pixels], true_regions(labels, variants))
    assert_distinct(plan.regions)
    assert_distinct(plan.region_patches)
    if plan.is_dense:
        in_order = torch.arange(labels.numel())
        assert torch.equal(plan.label_patches, windows(symbols, 1).reshape(-1, 9))
        assert torch.equal(plan.mask_rows, in_order)
        assert torch.equal(plan.pixels.flatten(), in_order)
    else:
        assert plan.mask_patches is not None
        assert torch.equal(row_masks(plan)[plan.pixels], true_masks(symbols))
        assert_distinct(plan.label_patches)
        assert_distinct(plan.mask_patches)
        assert_distinct(torch.stack([plan.mask_rows, plan.region_rows], dim=1))


def assert_levels_of(
    plan: SegmapPlan,
    segmap: Tensor,
    variants: Tensor | None = None,
    scales: Sequence[int] = SCALES,
    edges: Tensor | None = None,
) -> None:
    """The same of every level, with segmap and edges resized to it."""
    assert torch.equal(plan.segmap, segmap)
    assert (plan.edges is None) == (edges is None)
    if plan.edges is not None and edges is not None:
        assert torch.equal(plan.edges, edges.bool())
    variants = sample_numbers(segmap) if variants is None else variants
    height, width = segmap.shape[1:]
    for scale, level in zip(scales, plan.levels, strict=True):
        size = (height // scale, width // scale)
        small_edges = None if edges is None else resize_segmap(edges, size)
        assert_plan_of(level, resize_segmap(segmap, size), resize_segmap(variants, size), small_edges)


def assert_distinct(table: Tensor) -> None:
    assert num_distinct(table) == len(table)


def num_distinct(*tables: Tensor) -> int:
    """Distinct rows of tables [p, ...] side by side, as python sets count them."""
    rows = zip(*(table.flatten(1).tolist() for table in tables), strict=True)
    return len({tuple(map(tuple, row)) for row in rows})


def _decode(table: Tensor, patches: Tensor) -> Tensor:
    """The rows of a table that the entries of patches name, zeros for outside."""
    return F.pad(table, (0, 0, 1, 0))[patches].long()
