"""The engine of every architecture: its model's styles and pictures."""

import copy
from dataclasses import replace

import pytest
import torch

from sean.inference.engine import engine_for
from sean.models.base import StyledModel
from sean.plan.planner import plan_segmap

from ..models.architectures import (
    ARCHITECTURES,
    SEAN_VARIANTS,
    K,
    generators,
    random_images,
    random_model,
    random_segmaps,
)


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(name: str) -> StyledModel:
    return random_model(ARCHITECTURES[name])


@torch.no_grad()
def test_equals_the_model(model: StyledModel) -> None:
    """Twice, and with other styles between: nothing that an engine keeps is stale."""
    image, segmap = random_images(), random_segmaps()
    engine, plan = engine_for(model), plan_segmap(segmap)
    codes, present = engine.encode(image, segmap)
    want, want_present = model.encode(image, segmap)
    torch.testing.assert_close(codes, want, atol=1e-10, rtol=0)
    assert torch.equal(present, want_present)
    for styles in (codes, -codes, codes):
        picture = engine.render(plan, [styles] * model.style_inputs, noise=False, rng=None)
        torch.testing.assert_close(picture, model.render(segmap, styles), atol=1e-10, rtol=0)
        assert picture.is_inference()


@torch.no_grad()
def test_equals_the_model_in_float32_with_noise(model: StyledModel) -> None:
    image, segmap = random_images().float(), random_segmaps()
    model.float()
    codes, _ = model.encode(image, segmap)
    (rng,), (same,) = generators(3), generators(3)
    picture = engine_for(model).render(plan_segmap(segmap), [codes] * model.style_inputs, noise=True, rng=rng)
    want = model.render(segmap, codes, noise=True, rng=same)
    torch.testing.assert_close(picture, want, atol=1e-4, rtol=0)  # what docs/performance.md promises


@torch.no_grad()
def test_equals_the_model_with_instance_edges(name: str) -> None:
    model = random_model(replace(ARCHITECTURES[name], instance_edges=True))
    segmap, codes = random_segmaps(), torch.randn(2, K, model.code_dim).double()
    edges = torch.rand(segmap.shape) < 0.3
    plan = plan_segmap(segmap, edges=edges)
    picture = engine_for(model).render(plan, [codes] * model.style_inputs, noise=False, rng=None)
    torch.testing.assert_close(picture, model.render(segmap, codes, edges=edges), atol=1e-10, rtol=0)


def test_a_baseline_takes_one_style(model: StyledModel, name: str) -> None:
    codes, plan = torch.zeros(1, K, model.code_dim).double(), plan_segmap(random_segmaps(1))
    wrong = 6 if name not in SEAN_VARIANTS else 1
    with pytest.raises(ValueError):
        engine_for(model).render(plan, [codes] * wrong, noise=False, rng=None)


def test_the_model_stays_as_it_is(model: StyledModel) -> None:
    state = copy.deepcopy(model.state_dict())
    engine, segmap = engine_for(model), random_segmaps()
    codes, _ = engine.encode(random_images(), segmap)
    engine.render(plan_segmap(segmap), [codes] * model.style_inputs, noise=False, rng=None)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
