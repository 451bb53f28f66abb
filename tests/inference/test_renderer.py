"""The renderer: equal to the generator, for any segmap, size, edges and variant of the network."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from sean.inference.renderer import Renderer
from sean.models.configs import NUM_STYLED_BLOCKS
from sean.plan.planner import Planner, plan_segmap
from sean.segmap import instance_edges

from .conftest import Made, assert_renders, faces, make_codes, make_generator

MAPS: dict[str, Callable[[], tuple[Tensor, int]]] = {
    "faces": lambda: (faces(0, 1), 19),
    "pixel noise": lambda: (torch.randint(19, (2, 64, 64)), 19),
    "one label": lambda: (torch.full((1, 64, 32), 3), 5),
    "150 labels": lambda: (torch.randint(150, (1, 32, 64)), 150),
    "pixels of no region": lambda: (torch.randint(4, (2, 32, 32)), 3),
    "nothing but no region": lambda: (torch.full((1, 32, 32), 3), 3),
    "a model of one label": lambda: (torch.randint(2, (1, 32, 64)), 1),
}


@pytest.mark.parametrize("name", MAPS)
def test_equals_the_generator(name: str) -> None:
    segmap, k = MAPS[name]()
    generator, plan, variants = make_generator(k), plan_segmap(segmap), len(segmap)
    if name == "pixel noise":
        assert plan.levels[-1].is_dense
    renderer = Renderer(generator)
    for codes in (make_codes(k, variants), [make_codes(k, variants) for _ in range(NUM_STYLED_BLOCKS)]):
        assert_renders(renderer, generator, plan, codes)


def test_equals_the_generator_with_styles_of_instances() -> None:
    segmap, variants = faces(0, 1), torch.randint(3, (2, 64, 96))
    generator = make_generator()
    assert_renders(Renderer(generator), generator, plan_segmap(segmap, variants), make_codes(variants=3))


@pytest.mark.parametrize("sizes", [{"base_channels": 1}, {"max_channels": 1}, {"max_channels": 24}])
def test_equals_a_narrow_generator(sizes: dict[str, int]) -> None:
    """Of one channel all memory formats look alike; with equal widths no block has a convolution as its shortcut."""
    generator = make_generator(**sizes)
    assert_renders(Renderer(generator), generator, plan_segmap(faces(0)), make_codes())


@torch.no_grad()
def test_equals_the_generator_in_float32() -> None:
    generator, segmap, codes = make_generator().float(), faces(0), make_codes().float()
    picture = Renderer(generator)(plan_segmap(segmap), codes)
    assert picture.dtype == torch.float32
    torch.testing.assert_close(picture, generator(segmap, codes), atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("sizes", [{}, {"max_channels": 4}])
def test_noise_is_that_of_the_generator(sizes: dict[str, int]) -> None:
    generator, segmap, codes = make_generator(**sizes), faces(0, 1), make_codes(variants=2)
    renderer, plan = Renderer(generator), plan_segmap(segmap)
    for seed in (1, 2):
        noisy = renderer(plan, codes, noise=True, rng=torch.Generator().manual_seed(seed))
        expected = generator(segmap, codes, noise=True, rng=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(noisy, expected, atol=1e-10, rtol=0)
        torch.manual_seed(seed)
        assert torch.equal(renderer(plan, codes, noise=True), noisy)
    assert_renders(renderer, generator, plan, codes)


@torch.no_grad()
def test_noise_without_scale_changes_nothing_and_is_drawn_as_in_the_generator() -> None:
    generator, segmap, codes = make_generator(), faces(0), make_codes()
    generator.blocks[0].norm_0.noise_scale.zero_()
    for norm in (generator.blocks[4].norm_shortcut, generator.blocks[6].norm_1):
        norm.noise_scale.zero_()
    noisy = Renderer(generator)(plan_segmap(segmap), codes, noise=True, rng=torch.Generator().manual_seed(0))
    expected = generator(segmap, codes, noise=True, rng=torch.Generator().manual_seed(0))
    torch.testing.assert_close(noisy, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_wrong_number_of_codes(count: int) -> None:
    with pytest.raises(ValueError, match=f"one style per SEAN ResBlk, that is 6, got {count}"):
        Renderer(make_generator(3))(plan_segmap(torch.zeros(1, 32, 32, dtype=torch.long)), [make_codes(3)] * count)


@pytest.mark.parametrize("side", [48, 257])
def test_size_that_is_no_multiple_of_32(side: int) -> None:
    renderer, plan = Renderer(make_generator(3)), plan_segmap(torch.zeros(1, side, side, dtype=torch.long))
    with pytest.raises(ValueError, match=f"multiples of 32, got {side} x {side}"):
        renderer(plan, make_codes(3))


def test_codes_that_the_caller_changes_in_place_are_new_codes() -> None:
    generator, plan, codes = make_generator(), plan_segmap(faces(0)), make_codes()
    renderer, original = Renderer(generator), codes.clone()
    first = renderer(plan, codes)
    codes[0, 1] += 1
    assert_renders(renderer, generator, plan, codes)
    crossed = [codes, *[original] * 5]
    assert_renders(renderer, generator, plan, crossed)
    codes[0, 2] += 1
    assert_renders(renderer, generator, plan, crossed)
    assert torch.equal(renderer(plan, original), first)


def test_pictures_are_the_callers_own() -> None:
    renderer, plan, codes = Renderer(make_generator()), plan_segmap(faces(0)), make_codes()
    first = renderer(plan, codes)
    kept = first.clone()
    with torch.inference_mode():
        first.zero_()
    assert torch.equal(renderer(plan, codes), kept)


def test_rendering_changes_neither_weights_nor_plan_nor_codes() -> None:
    generator, segmap, codes = make_generator(), torch.randint(20, (1, 64, 64)), make_codes()
    plan, kept_codes = plan_segmap(segmap), codes.clone()
    kept_plan, kept_weights = copy.deepcopy(plan), copy.deepcopy(generator.state_dict())
    renderer = Renderer(generator)
    for noise in (False, True):
        renderer(plan, codes, noise=noise)
    assert torch.equal(codes, kept_codes)
    assert all(torch.equal(value, kept_weights[key]) for key, value in generator.state_dict().items())
    assert torch.equal(plan.segmap, kept_plan.segmap)
    for level, kept in zip(plan.levels, kept_plan.levels, strict=True):
        assert all(torch.equal(value, vars(kept)[key]) for key, value in vars(level).items() if torch.is_tensor(value))


def test_renderers_do_not_interfere() -> None:
    """The same plans and codes, other weights."""
    generators = [make_generator(), make_generator()]
    renderers = [Renderer(generator) for generator in generators]
    planner, styles = Planner(faces(0)), [make_codes(), make_codes()]
    for plan, codes in ((planner.plan, styles[0]), (planner.update(faces(1)), styles[0]), (planner.plan, styles[1])):
        for renderer, generator in zip(renderers, generators, strict=True):
            assert_renders(renderer, generator, plan, codes)


def with_edges(segmap: Tensor) -> Tensor:
    return instance_edges(segmap)[:, 0].bool() ^ (torch.rand(segmap.shape) < 0.02)


@pytest.mark.parametrize("name", ["faces", "pixel noise", "pixels of no region", "150 labels"])
def test_equals_the_generator_with_instance_edges(name: str) -> None:
    segmap, k = MAPS[name]()
    generator, plan = make_generator(k, instance_edges=True), plan_segmap(segmap, edges=with_edges(segmap))
    if name == "pixel noise":
        assert plan.levels[-1].is_dense
    assert_renders(Renderer(generator), generator, plan, make_codes(k, len(segmap)))


@torch.no_grad()
def test_edges_of_a_segmap_that_is_painted_on(made: Made) -> None:
    """Labels with their edges, edges alone, and back: never stale, and known rows are not made again."""
    generator, segmap, codes = make_generator(instance_edges=True), faces(0), make_codes()
    edges, renderer = with_edges(segmap), Renderer(generator)
    planner, painted, other = Planner(segmap, edges=edges), segmap.clone(), edges.clone()
    painted[:, 20:30, 24:40] = 11
    other[:, 40:44, 50:70] ^= True
    for maps in ((segmap, edges), (painted, edges), (painted, other), (segmap, edges), (segmap, other)):
        plan = planner.update(maps[0], edges=maps[1])
        expected = generator(maps[0], codes, edges=maps[1])
        torch.testing.assert_close(renderer(plan, codes), expected, atol=1e-10, rtol=0)
    made.look()
    renderer(planner.update(segmap, edges=edges), codes)
    assert made.look() == (0, 0, 0)


def test_edges_for_a_network_without_them_and_the_other_way_round() -> None:
    segmap, codes = torch.zeros(1, 32, 32, dtype=torch.long), make_codes(3)
    with pytest.raises(ValueError, match=r"expected instance edges .* got none"):
        Renderer(make_generator(3, instance_edges=True))(plan_segmap(segmap), codes)
    with pytest.raises(ValueError, match=r"expected no instance edges .* got some"):
        Renderer(make_generator(3))(plan_segmap(segmap, edges=segmap), codes)


VARIANTS: dict[str, dict[str, object]] = {
    "encoder per ResBlk": {"encoders": "resblk"},
    "encoder per norm": {"encoders": "sean"},
    "no mask branch": {"mask_branch": False},
    "no noise": {"noise": False},
    "no mask branch, encoder per norm": {"mask_branch": False, "encoders": "sean"},
}


@torch.no_grad()
@pytest.mark.parametrize("name", VARIANTS)
def test_equals_a_variant_of_the_generator_through_a_session(name: str) -> None:
    """A stroke makes new rows at the end of the kept ones; then other styles, per block; then noise."""
    generator = make_generator(5, **VARIANTS[name])
    renderer, segmap = Renderer(generator), torch.zeros(1, 32, 64, dtype=torch.long)
    segmap[:, :20, :30] = 1
    planner = Planner(segmap)
    codes, other = (torch.randn(1, 5, generator.code_dim, dtype=torch.float64) for _ in range(2))
    assert_renders(renderer, generator, planner.plan, codes)
    segmap = segmap.clone()
    segmap[:, 10:14, 25:40] = 3
    segmap[:, 20:24, 50:] = 5  # no region
    plan = planner.update(segmap)
    assert_renders(renderer, generator, plan, codes)
    assert_renders(renderer, generator, plan, [codes] * 3 + [other] * 3)
    (noisy, expected) = (
        make(noise=True, rng=torch.Generator().manual_seed(1))
        for make in (partial(renderer, plan, other), partial(generator, segmap, other, plan=plan))
    )
    torch.testing.assert_close(noisy, expected, atol=1e-10, rtol=0)
    assert_renders(renderer, generator, plan, codes)
