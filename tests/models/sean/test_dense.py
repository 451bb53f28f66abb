"""The exactness of the fast computation: a generator and its dense formulation have the same pictures and gradients.

In evaluation mode in float32, as it is used, within 1e-4. In training mode batch statistics over few pixels amplify
rounding, and the biases of convolutions ahead of a batch norm have a gradient of zero, of which float32 leaves noise.
So training passes are compared in float64, far more tightly, with a floor relative to the largest gradient.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sean.data.folder import PairedFolder
from sean.data.paired import PairedDataset
from sean.data.transforms import PairedTransform
from sean.models.configs import NUM_STYLED_BLOCKS
from sean.models.sean.dense import DenseSEANNorm, dense_formulation
from sean.models.sean.generator import Generator
from sean.models.sean.norm import SEANNorm, SEANResBlk
from sean.ops import dense
from sean.plan.patch_plan import SCALES, SegmapPlan
from sean.plan.planner import plan_segmap
from sean.segmap import instance_edges, resize_segmap

from ...real_data import DATA, needs_data
from ..architectures import ARCHITECTURES, random_images, random_model, random_segmaps
from ..reference import randomize
from ..segmaps import CASES, blobs, faces

DATA_SETS = ("celebamask_mini", "cmp_facades", "camvid", "ccp")

STYLE_DIM = 16


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Of pictures and running statistics: largest difference. Of a gradient: difference by norm, both as norms."""

    picture: float
    gradient: float
    floor: float

    def assert_near(self, got: "Pass", want: "Pass") -> None:
        torch.testing.assert_close(got.picture, want.picture, atol=self.picture, rtol=0)
        assert got.gradients.keys() == want.gradients.keys()
        largest = max(gradient.norm() for gradient in want.gradients.values())
        for name, expected in want.gradients.items():
            difference = (got.gradients[name] - expected).norm()
            assert difference <= self.gradient * expected.norm() + self.floor * largest, name
        assert got.buffers.keys() == want.buffers.keys()
        for name, expected in want.buffers.items():
            torch.testing.assert_close(got.buffers[name], expected, atol=self.picture, rtol=self.picture)


TOLERANCES = {
    torch.float64: Tolerance(picture=1e-9, gradient=1e-9, floor=1e-9),
    torch.float32: Tolerance(picture=1e-4, gradient=1e-4, floor=1e-8),
    torch.bfloat16: Tolerance(picture=0.1, gradient=0.2, floor=0.02),
}


@dataclass(frozen=True)
class Pass:
    """What a forward and backward pass makes: picture, gradients by name, and all buffers afterwards."""

    picture: Tensor
    gradients: dict[str, Tensor]
    buffers: dict[str, Tensor]


def make_generator(num_regions: int, base_channels: int = 4, instance_edges: bool = False) -> Generator:
    """All weights and statistics random, in float64."""
    return randomize(
        Generator(num_regions, STYLE_DIM, base_channels=base_channels, mask_dim=8, instance_edges=instance_edges)
    )


def run(
    network: Generator,
    segmap: Tensor,
    codes: list[Tensor],
    plan: SegmapPlan | None,
    noise: bool = False,
    autocast: bool = False,
) -> Pass:
    """A pass under fixed random upstream gradients, after which the network's buffers are as before."""
    dtype = codes[0].dtype
    state = {key: value.clone() for key, value in network.state_dict().items()}
    codes = [code.detach().requires_grad_() for code in codes]
    rng = torch.Generator().manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        one_for_all = codes[0] if len(codes) == 1 else codes
        picture = network(segmap, one_for_all, plan=plan, noise=noise, rng=rng)
    upstream = torch.randn(picture.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    named = {**dict(network.named_parameters()), **{f"codes {index}": code for index, code in enumerate(codes)}}
    gradients = torch.autograd.grad(picture.to(dtype), list(named.values()), upstream.to(dtype), allow_unused=True)
    unused = {name for name, gradient in zip(named, gradients, strict=True) if gradient is None}
    assert unused == {name for name in named if name.endswith("noise_scale") and not noise}
    buffers = {key: value.clone() for key, value in network.named_buffers()}
    network.load_state_dict(state)
    found = zip(named, gradients, strict=True)
    return Pass(
        picture.detach().to(dtype), {name: gradient for name, gradient in found if gradient is not None}, buffers
    )


def assert_exact(
    generator: Generator,
    segmap: Tensor,
    codes: list[Tensor],
    variants: Tensor | None = None,
    noise: bool = False,
    evaluation: torch.dtype = torch.float32,
    edges: Tensor | None = None,
) -> None:
    """The fast pass equals the dense one, in training mode (float64) and in evaluation mode.

    The dense formulation takes labels, variants and edges from the plan, so these are first compared with those given.
    """
    plan = plan_segmap(segmap, variants, edges=edges)
    if variants is None:
        variants = torch.arange(len(segmap)).view(-1, 1, 1).expand_as(segmap)
    for scale, level in zip(SCALES, plan.levels, strict=True):
        size = (segmap.shape[1] // scale, segmap.shape[2] // scale)
        expected = (resize_segmap(variants, size), resize_segmap(segmap, size))
        assert all(torch.equal(a, b.to(a.dtype)) for a, b in zip(dense.region_map(level), expected, strict=True))
        found = dense.edge_map(level)
        assert found is None if edges is None else torch.equal(found, resize_segmap(edges, size))
    for training, dtype in ((True, torch.float64), (False, evaluation)):
        generator.train(training).to(dtype)
        view = dense_formulation(generator)
        typed = [code.to(dtype) for code in codes]
        before = {key: value.clone() for key, value in generator.named_buffers()}
        fast, slow = (run(network, segmap, typed, plan, noise) for network in (generator, view))
        TOLERANCES[dtype].assert_near(fast, slow)
        moved = {key for key, value in fast.buffers.items() if not torch.equal(value, before[key])}
        # singular vectors that have converged may stay
        assert moved >= {key for key in before if "running" in key} if training else not moved


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_generator_equals_its_dense_formulation(case: Callable[[], tuple[Tensor, int]]) -> None:
    segmap, k = case()
    assert_exact(make_generator(k), segmap, [torch.randn(len(segmap), k, STYLE_DIM)])


def test_cases_have_dense_plans_and_sparse_ones() -> None:
    dense_levels = {
        name: sum(level.is_dense for level in plan_segmap(case()[0]).levels) for name, case in CASES.items()
    }
    assert dense_levels == {**dict.fromkeys(CASES, 0), "noise": 1, "150 labels": 1}


def test_codes_per_block_equal_the_dense_formulation() -> None:
    segmap = blobs(4, 2, 64, 64)
    assert_exact(make_generator(4), segmap, [torch.randn(2, 4, STYLE_DIM) for _ in range(NUM_STYLED_BLOCKS)])


def test_noise_equals_the_dense_formulation() -> None:
    segmap = blobs(4, 2, 64, 64)
    assert_exact(make_generator(4), segmap, [torch.randn(2, 4, STYLE_DIM)], noise=True)


def instances_of(segmap: Tensor) -> Tensor:
    """Two per picture: what lies in circles, and the rest."""
    y, x = torch.meshgrid(*(torch.arange(size) % 24 - 12 for size in segmap.shape[1:]), indexing="ij")
    inside = (y.square() + x.square() < 80).long()
    return 2 * torch.arange(len(segmap)).view(-1, 1, 1) + inside


def test_instances_equal_the_dense_formulation() -> None:
    segmap = blobs(4, 2, 64, 64)
    assert_exact(make_generator(4), segmap, [torch.randn(4, 4, STYLE_DIM)], instances_of(segmap))


def people() -> tuple[Tensor, Tensor, int]:
    """A face whose label map is cut into the instances of a grid of circles."""
    segmap, k = faces()
    return segmap, 32 * segmap + instances_of(segmap), k


def cells() -> tuple[Tensor, Tensor, int]:
    """A picture that is not square, of one label in many cells, as of a car park."""
    return blobs(1, 2, 64, 96), blobs(40, 2, 64, 96, block=4), 1


def grain() -> tuple[Tensor, Tensor, int]:
    """Planned densely at the finest level."""
    return torch.randint(20, (1, 64, 64)), blobs(3, 1, 64, 64, block=4), 19


@pytest.mark.parametrize("case", [people, cells, grain])
def test_instance_edges_equal_the_dense_formulation(case: Callable[[], tuple[Tensor, Tensor, int]]) -> None:
    segmap, instances, k = case()
    edges = instance_edges(instances)[:, 0].bool()
    assert 0.02 < edges.double().mean() < 0.98
    assert plan_segmap(segmap, edges=edges).levels[-1].is_dense == (case is grain)
    generator = make_generator(k, instance_edges=True)
    assert_exact(generator, segmap, [torch.randn(len(segmap), k, STYLE_DIM)], noise=True, edges=edges)


@settings(max_examples=6)
@given(
    k=st.integers(1, 5),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(2, 3)),
    block=st.sampled_from([1, 4, 32]),
    num_variants=st.integers(0, 3),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_any_edges_equal_the_dense_formulation(
    k: int, shape: tuple[int, int, int], block: int, num_variants: int, share: float, seed: int
) -> None:
    torch.manual_seed(seed)
    batch, height, width = shape[0], 32 * shape[1], 32 * shape[2]
    segmap = blobs(k, batch, height, width, block)
    variants = torch.randint(num_variants, segmap.shape) if num_variants else None
    codes, edges = [torch.randn(num_variants or batch, k, STYLE_DIM)], torch.rand(segmap.shape) < share
    generator = make_generator(k, base_channels=1, instance_edges=True)
    assert_exact(generator, segmap, codes, variants, evaluation=torch.float64, edges=edges)


@torch.no_grad()
def test_instances_of_equal_styles_change_nothing() -> None:
    generator, segmap = make_generator(4), blobs(4, 2, 64, 64)
    codes = torch.randn(2, 4, STYLE_DIM, dtype=torch.float64)
    plan = plan_segmap(segmap, instances_of(segmap))
    expected = generator(segmap, codes)
    same = generator(segmap, codes.repeat_interleave(2, dim=0), plan=plan)
    torch.testing.assert_close(same, expected, atol=1e-12, rtol=0)
    other = generator(segmap, torch.randn(4, 4, STYLE_DIM, dtype=torch.float64), plan=plan)
    assert not torch.allclose(other, expected, atol=1e-3)


@settings(max_examples=12)
@given(
    k=st.integers(1, 8),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)),
    block=st.sampled_from([1, 2, 4, 8, 32]),
    num_variants=st.integers(0, 3),
    noise=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_segmap_equals_the_dense_formulation(
    k: int, shape: tuple[int, int, int], block: int, num_variants: int, noise: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    # one pixel alone at the coarsest scale would have no batch statistics
    batch, height, width = shape[0] + (shape == (1, 1, 1)), 32 * shape[1], 32 * shape[2]
    segmap = blobs(k, batch, height, width, block)
    variants = torch.randint(num_variants, segmap.shape) if num_variants else None
    codes = torch.randn(num_variants or batch, k, STYLE_DIM)
    assert_exact(make_generator(k, base_channels=1), segmap, [codes], variants, noise, evaluation=torch.float64)


@needs_data
@pytest.mark.parametrize("name", DATA_SETS)
def test_real_segmap_equals_the_dense_formulation(name: str) -> None:
    """One map of each data set, the one of the most labels among some."""
    folder = PairedFolder.open(DATA / name)
    some = folder.pairs(folder.stems[:: -(-len(folder.stems) // 5)])
    pairs = PairedDataset(some, PairedTransform(size=(64, 96)).evaluation())
    segmap = max((pairs[index]["segmap"] for index in range(len(pairs))), key=lambda ids: len(ids.unique()))
    k = folder.labels.num_regions
    assert len(segmap.unique()) > 3
    assert_exact(make_generator(k), segmap[None], [torch.randn(1, k, STYLE_DIM)])


@pytest.mark.parametrize("training", [False, True])
def test_gradient_of_the_activation_equals_that_of_the_dense_formulation(training: bool) -> None:
    block = randomize(SEANResBlk(6, 4, partial(SEANNorm, num_regions=3, style_dim=STYLE_DIM, mask_dim=8))).train(
        training
    )
    segmap = blobs(3, 2, 24, 16, block=2)
    plan = plan_segmap(segmap, scales=(1,)).levels[0]
    x = torch.randn(2, 6, 24, 16, dtype=torch.float64, requires_grad=True)
    codes, upstream = torch.randn(2, 3, STYLE_DIM).double(), torch.randn(2, 4, 24, 16).double()
    state = {key: value.clone() for key, value in block.state_dict().items()}
    gradients = []
    for network in (block, dense_formulation(block)):
        network.load_state_dict(state)
        gradients.append(torch.autograd.grad(network(x, plan, codes), x, upstream)[0])
    torch.testing.assert_close(*gradients, atol=1e-10, rtol=1e-10)


def test_view_has_the_very_same_tensors_and_leaves_the_network_fast() -> None:
    generator = make_generator(3)
    view = dense_formulation(generator)
    for one, other in (
        (generator.named_parameters(), view.named_parameters()),
        (generator.named_buffers(), view.named_buffers()),
    ):
        tensors, same = dict(one), dict(other)
        assert tensors.keys() == same.keys()
        assert all(same[name] is tensor for name, tensor in tensors.items())
    kinds = [[type(m) for m in network.modules() if isinstance(m, SEANNorm)] for network in (generator, view)]
    assert kinds == [[SEANNorm] * 18, [DenseSEANNorm] * 18]
    assert not view.training


@pytest.mark.parametrize("training", [False, True])
def test_both_formulations_run_under_autocast(training: bool) -> None:
    """In bfloat16, on a segmap with dense plans as on one without: finite, and near the passes in float32."""
    generator = make_generator(5).float().train(training)
    codes = [torch.randn(2, 5, STYLE_DIM)]
    for block in (1, 8):
        segmap = blobs(5, 2, 64, 64, block)
        plan = plan_segmap(segmap)
        assert any(level.is_dense for level in plan.levels) == (block == 1)
        for network in (generator, dense_formulation(generator)):
            TOLERANCES[torch.bfloat16].assert_near(
                run(network, segmap, codes, plan, noise=True, autocast=True),
                run(network, segmap, codes, plan, noise=True),
            )


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
@pytest.mark.parametrize("part", ["norm, training", "block, evaluation", "block, training"])
@pytest.mark.parametrize("formulation", ["fast", "dense"])
def test_both_formulations_compile(formulation: str, part: str, tmp_path: Path) -> None:
    """With the same outputs, gradients and buffers."""
    # a kept kernel may be written for another ATEN_CPU_CAPABILITY
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[1] / "compiled_run.py"), formulation, part],
        env={**os.environ, **cache, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@torch.no_grad()
@pytest.mark.parametrize("name", ["spade++", "pix2pixhd"])
def test_networks_without_sean_norms_are_dense_already(name: str) -> None:
    model = random_model(ARCHITECTURES[name])
    image, segmap = random_images(), random_segmaps()
    view = dense_formulation(model)
    assert not any(isinstance(module, DenseSEANNorm) for module in view.modules())
    assert torch.equal(view(image, segmap), model(image, segmap))
