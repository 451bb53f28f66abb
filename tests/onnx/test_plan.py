"""Plans in numpy and in JavaScript: the numbers of `sean.plan`."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.onnx import plan
from sean.plan.planner import plan_segmap
from sean.segmap import instance_edges

from ..models.segmaps import CASES

Maker = Callable[[np.ndarray, int, np.ndarray | None, np.ndarray | None], dict[str, np.ndarray]]


def by_numpy(
    segmap: np.ndarray, num_regions: int, variants: np.ndarray | None, edges: np.ndarray | None
) -> dict[str, np.ndarray]:
    return plan.plan_inputs(segmap, num_regions, variants, edges)


def by_javascript(
    segmap: np.ndarray, num_regions: int, variants: np.ndarray | None, edges: np.ndarray | None
) -> dict[str, np.ndarray]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    module = Path(plan.__file__).with_name("plan.js").as_uri()
    given = [None if each is None else each.astype(int).ravel().tolist() for each in (segmap, variants, edges)]
    code = f"""
        import {{ planInputs }} from {json.dumps(module)};
        import {{ readFileSync }} from "node:fs";
        const [shape, k, ids, variants, edges] = JSON.parse(readFileSync(0, "utf8"));
        const int32 = (values) => (values === null ? undefined : Int32Array.from(values));
        const tables = planInputs(int32(ids), shape, k, {{ variants: int32(variants), edges: int32(edges) }});
        const plain = Object.entries(tables).map(([name, table]) => [name, [table.dims, [...table.data]]]);
        process.stdout.write(JSON.stringify(Object.fromEntries(plain)));
    """
    given_text = json.dumps([list(segmap.shape), num_regions, *given])
    done = subprocess.run(
        [node, "--input-type=module", "-e", code], input=given_text, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return {name: np.array(data, np.int32).reshape(dims) for name, (dims, data) in json.loads(done.stdout).items()}


MAKERS: dict[str, Maker] = {"numpy": by_numpy, "javascript": by_javascript}


def assert_equal_plans(make: Maker, segmap: Tensor, k: int, variants: Tensor | None, edges: Tensor | None) -> None:
    """Table by table; a level that the package leaves to the convolution has the same patches at every pixel."""
    arrays = [None if each is None else each.numpy() for each in (variants, edges)]
    tables = make(segmap.numpy(), k, *arrays)
    package = plan_segmap(segmap, variants, edges=edges)
    assert len(tables) == 6 * len(package.levels)
    for scale, level in zip(plan.SCALES, package.levels, strict=True):
        own = {name: torch.from_numpy(tables[f"{name}_{scale}"]) for name in NAMES}
        variant, label = level.regions.unbind(dim=1)
        entries = torch.cat([torch.zeros(1), torch.where(label < k, 1 + variant * k + label, 0)]).int()
        assert torch.equal(own["region_patches"], entries[level.region_patches.long()])
        if level.is_dense:
            first = own["mask_patches"][own["mask_rows"][own["pixels"].long().flatten()].long(), 4].long() - 1
            assert torch.equal(own["label_patches"][first], level.label_patches)
            assert len(own["label_patches"].unique(dim=0)) == len(own["label_patches"])
            continue
        for name in ("label_patches", "mask_patches", "mask_rows", "region_rows", "pixels"):
            assert torch.equal(own[name], getattr(level, name)), f"{name}_{scale}"


NAMES = ("label_patches", "mask_patches", "region_patches", "mask_rows", "region_rows", "pixels")


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_the_packages(case: str, maker: str) -> None:
    segmap, k = CASES[case]()
    assert_equal_plans(MAKERS[maker], segmap, k, None, None)


@pytest.mark.parametrize("maker", MAKERS)
def test_variants_and_edges_are_told_apart(maker: str) -> None:
    segmap, k = CASES["facade"]()
    windows = (torch.arange(64) // 16).view(1, 1, 64).expand(1, 64, 64)
    edges = instance_edges(segmap)[:, 0].bool()
    assert_equal_plans(MAKERS[maker], segmap, k, windows, edges)


@pytest.mark.parametrize("maker", MAKERS)
def test_one_pixel_at_the_coarsest_scale(maker: str) -> None:
    """A 3x3 of 3x3 patches has no corners inside a picture of one pixel."""
    segmap = torch.randint(3, (2, 32, 32))
    assert_equal_plans(MAKERS[maker], segmap, 3, None, None)


def test_plan_makers_stay_small() -> None:
    folder = Path(plan.__file__).parent
    for name in ("plan.py", "plan.js"):
        assert len((folder / name).read_text(encoding="utf-8").splitlines()) < 200
