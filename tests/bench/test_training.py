"""The cases of a training step: what runs, and what is left behind."""

from typing import Any

import pytest
import torch

from sean.bench.segmaps import face_segmaps
from sean.bench.training import DENSE, FAST, one_step, training_cases
from sean.models.sean.dense import DenseSEANNorm
from sean.models.sean.generator import Generator
from sean.models.sean.model import SEANModel

from .conftest import TINY

NUM_NORMS = 18


@pytest.fixture
def dense_norms(monkeypatch: pytest.MonkeyPatch) -> list[DenseSEANNorm]:
    """The dense norms that have been run."""
    seen: list[DenseSEANNorm] = []
    forward = DenseSEANNorm.forward

    def counting(norm: DenseSEANNorm, *arguments: Any, **options: Any) -> torch.Tensor:
        seen.append(norm)
        return forward(norm, *arguments, **options)

    monkeypatch.setattr(DenseSEANNorm, "forward", counting)
    return seen


def test_steps(model: SEANModel, dense_norms: list[DenseSEANNorm], monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[int, set[str]]] = []
    zero_grad = Generator.zero_grad

    def counting(generator: Generator, set_to_none: bool) -> None:
        grads = {name for name, parameter in generator.named_parameters() if parameter.grad is not None}
        got.append((len(dense_norms), grads))
        zero_grad(generator, set_to_none)

    monkeypatch.setattr(Generator, "zero_grad", counting)
    cases = training_cases(model.train(), torch.cat(face_segmaps((64, 64), 2)), (64, 64))
    assert list(cases) == [FAST, DENSE, "convolutions alone"]
    everything = {name for name, _ in model.generator.named_parameters()}
    for run in cases.values():
        run()
    assert got == [(0, everything), (NUM_NORMS, everything)]
    assert all(norm.training for norm in dense_norms)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_without_the_floor(model: SEANModel) -> None:
    assert list(training_cases(model, face_segmaps((64, 64), 1)[0], (64, 64), floor=False)) == [FAST, DENSE]


@pytest.mark.parametrize(("formulation", "num_dense"), [(FAST, 0), (DENSE, NUM_NORMS)])
def test_one_step_for_a_process_of_its_own(dense_norms: list[DenseSEANNorm], formulation: str, num_dense: int) -> None:
    one_step(TINY, torch.cat(face_segmaps((64, 64), 2)).tolist(), formulation)
    assert len(dense_norms) == num_dense
