"""The cases of one picture: each does again what its name says and nothing else, when they are run by turns."""

import statistics

import torch

from sean.bench.rendering import (
    BOTH,
    DENSE,
    ENCODER,
    ENCODER_LAYERS,
    ENCODER_NAIVE,
    FLOOR,
    REPEAT,
    STROKE,
    encoder_cases,
    rendering_cases,
)
from sean.bench.segmaps import face_segmaps
from sean.models.sean.model import SEANModel

from ..inference.conftest import Made

SIZE = (64, 64)


def test_cases_make_by_turns_what_their_names_say(model: SEANModel, made: Made) -> None:
    cases = rendering_cases(model, face_segmaps(SIZE, 6), SIZE)
    assert next(iter(cases)) == FLOOR
    counts: dict[str, list[tuple[int, int, int]]] = {name: [] for name in cases}
    for _ in range(6):
        for name, run in cases.items():
            run()
            counts[name].append(made.look())
    whole_mask, whole_style, whole_table = counts[REPEAT][0]
    for name in (FLOOR, "plan alone", "plan of a stroke", DENSE):
        assert {*counts[name]} == {(0, 0, 0)}
    medians = {name: tuple(map(statistics.median, zip(*numbers[1:], strict=True))) for name, numbers in counts.items()}
    assert medians[REPEAT] == (0, 0, 0)
    assert medians["new style"] == (0, whole_style, whole_table)
    for name in ("new segmap", BOTH):
        assert medians[name][0] > whole_mask / 2
        assert medians[name][1] > whole_style / 2
    assert medians["new segmap"][2] < whole_table / 4
    assert medians[BOTH][2] > whole_table / 2
    mask, style, table = medians[STROKE]
    assert 0 < mask < whole_mask / 4
    assert 0 < style < whole_style / 4
    assert table == 0


def test_a_stroke_is_new_in_however_many_rounds(model: SEANModel, made: Made) -> None:
    cases = rendering_cases(model, face_segmaps(SIZE, 6), SIZE, dense=False)
    counts = []
    for _ in range(12):
        for name in (STROKE, "plan of a stroke"):
            cases[name]()
        counts.append(made.look()[0])
    assert statistics.median(counts) > 0


def test_dense_and_fast_make_the_same_picture(model: SEANModel) -> None:
    cases, pictures = rendering_cases(model, face_segmaps(SIZE, 1), SIZE), []
    for name in (BOTH, DENSE):
        torch.manual_seed(1)  # of the new codes
        pictures.append(cases[name]())
    assert pictures[0].std() > 0.01
    torch.testing.assert_close(*pictures, atol=1e-4, rtol=0)
    assert DENSE not in rendering_cases(model, face_segmaps(SIZE, 1), SIZE, dense=False)


def test_new_codes_are_new(model: SEANModel) -> None:
    cases = rendering_cases(model, face_segmaps(SIZE, 1), SIZE)
    for name in ("new style", BOTH, DENSE):
        assert not torch.equal(cases[name](), cases[name]())
    assert torch.equal(cases[REPEAT](), cases[REPEAT]())


def test_encoders_give_the_same_codes(model: SEANModel) -> None:
    cases = encoder_cases(model, face_segmaps((96, 64), 1)[0], (96, 64))
    assert set(cases) == {ENCODER, ENCODER_LAYERS, ENCODER_NAIVE}
    codes = cases[ENCODER]()[0]
    assert codes.std() > 0.01
    torch.testing.assert_close(cases[ENCODER_LAYERS]()[0], codes, atol=1e-5, rtol=0)
    torch.testing.assert_close(cases[ENCODER_NAIVE](), codes[0], atol=1e-5, rtol=0)
