"""Pipelines in 16 bits: near float32 in the pictures, and autocast around them."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from sean.data.faces.drawing import draw_face, random_face
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.parsing.faces import Crop, cut
from sean.parsing.segmenter import Segmenter
from sean.pretrained import BUNDLED, DEFAULT_MODEL

from ..models.architectures import ARCHITECTURES, random_model

LARGEST_DIFFERENCE = 2
"""Of 255, which docs/performance.md promises for the bundled model."""

RARE = 1e-4
"""Share of the values that may differ more: 2e-6 on the processor where this was measured."""


@pytest.fixture(scope="module")
def exact() -> SEANPipeline:
    return SEANPipeline.from_pretrained(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def half() -> SEANPipeline:
    return SEANPipeline.from_pretrained(DEFAULT_MODEL, dtype=torch.bfloat16)


def face(seed: int) -> np.ndarray:
    return draw_face(random_face(np.random.default_rng(seed)), (256, 256))


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int))


def test_pictures_in_bfloat16(exact: SEANPipeline, half: SEANPipeline) -> None:
    assert half.dtype == torch.bfloat16
    styles = exact.style_bank[::8]
    differences = [difference(half(face(i), style), exact(face(i), style)) for i, style in enumerate(styles)]
    assert np.mean(np.array(differences) > LARGEST_DIFFERENCE) < RARE
    assert np.max(differences) <= 2 * LARGEST_DIFFERENCE
    assert np.max(differences) > 0  # it is not float32 that computed them


def test_reconstructions_in_bfloat16(exact: SEANPipeline, half: SEANPipeline) -> None:
    photo = np.asarray(exact(face(0), exact.style_bank[0]))
    own, theirs = half.encode(photo, face(0)), exact.encode(photo, face(0))
    assert own.codes.dtype == torch.float32
    torch.testing.assert_close(own.present, theirs.present)
    torch.testing.assert_close(own.codes, theirs.codes, atol=0.1, rtol=0)
    # the code of a photo is off, too, so twice as much
    assert difference(half(face(0), own), exact(face(0), theirs)).max() <= 2 * LARGEST_DIFFERENCE


def test_a_stroke_in_bfloat16_equals_the_whole(half: SEANPipeline) -> None:
    style, painted = half.style_bank[0], face(1)
    painted[20:60, 30:50] = CELEBAMASK_HQ.id_of("hair")
    fork = half.fork()
    fork(face(1), style)
    # the same rows in another order of additions
    assert difference(fork(painted, style), half.fork()(painted, style)).max() <= 1


def test_to_another_dtype_and_back(exact: SEANPipeline) -> None:
    style = exact.style_bank[1]
    before = exact(face(2), style)
    pipeline = SEANPipeline(exact.model, exact.labels, style_bank=exact.style_bank)
    assert pipeline.to(dtype=torch.bfloat16) is pipeline
    assert difference(pipeline(face(2), style), before).any()
    assert not difference(pipeline.to("cpu", torch.float32)(face(2), style), before).any()


def test_autocast_around_a_pipeline(exact: SEANPipeline) -> None:
    style, pipeline = exact.style_bank[2], exact.fork()
    with torch.autocast("cpu", torch.bfloat16):
        inside = pipeline(face(3), style)
        codes = pipeline.encode(inside, face(3))
    assert difference(inside, exact(face(3), style)).max() <= 2 * LARGEST_DIFFERENCE
    assert difference(inside, exact(face(3), style)).any()
    torch.testing.assert_close(codes.codes, exact.encode(inside, face(3)).codes, atol=0.1, rtol=0)
    # nothing of fewer bits was kept for the picture after it
    assert not difference(pipeline(face(3), style), exact(face(3), style)).any()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_computes_in_bfloat16(name: str) -> None:
    config = ARCHITECTURES[name]
    labels = type(CELEBAMASK_HQ)(name="three", names=("a", "b", "c"))
    model = random_model(config).float()
    pipeline = SEANPipeline(model, labels, dtype=torch.bfloat16)
    segmap = np.arange(32 * 64).reshape(32, 64) % 3
    photo = np.full((32, 64, 3), 90, dtype=np.uint8)
    assert pipeline(segmap, pipeline.encode(photo, segmap), noise=True).size == (64, 32)
    assert next(model.parameters()).dtype == torch.float32


def test_the_parser_in_bfloat16(exact: SEANPipeline) -> None:
    photo = cut(astronaut(), Crop(top=19.0, left=138.0, size=175.0, photo_size=(512, 512)), 256)
    maps = [
        Segmenter.from_pretrained(BUNDLED, exact.labels, "cpu", dtype=dtype).segmap(photo)
        for dtype in (torch.float32, torch.bfloat16)
    ]
    assert (maps[0] != maps[1]).mean() < 0.01  # outlines move by a pixel here and there


@pytest.mark.parametrize(("dtype", "message"), [(torch.float16, "GPU"), (torch.int8, "bfloat16")])
def test_other_dtypes_are_refused(dtype: torch.dtype, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SEANPipeline.from_pretrained(DEFAULT_MODEL, dtype=dtype)
