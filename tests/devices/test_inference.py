"""Rendering, encoding and parsing on a card: everything stays there, and the numbers are those of the CPU."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.inference.encoder import Encoder
from sean.inference.renderer import Renderer
from sean.labels import CELEBAMASK_HQ
from sean.models.configs import ParserConfig, PyramidParserConfig, UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.sean.dense import dense_formulation
from sean.parsing.label_matching import match_labels
from sean.parsing.segmenter import Segmenter
from sean.plan.planner import plan_segmap

from ..inference.conftest import faces, make_codes, make_generator
from ..models.architectures import ARCHITECTURES, SIZE, K, random_model
from ..models.reference import randomize
from ..models.segmaps import blobs
from .pretend_card import CARD, CardTensor, PretendCard

NUM_STYLED_NORMS = 15


def on_card(result: Tensor) -> Tensor:
    """The content of a result, which must be on the card."""
    assert isinstance(result, CardTensor)
    return result.content


def test_pictures_are_those_of_the_cpu_and_never_leave_the_card(card: PretendCard) -> None:
    generator, codes, plan = make_generator(), make_codes(), plan_segmap(faces(0))
    expected = Renderer(copy.deepcopy(generator))(plan, codes)
    renderer, plan, codes = Renderer(generator.to(CARD)), plan.to(CARD), codes.to(CARD)
    card.reads.clear()
    torch.testing.assert_close(on_card(renderer(plan, codes)), expected, atol=1e-10, rtol=0)
    # each norm asks which regions its table lacks
    assert len(card.reads) == NUM_STYLED_NORMS, card.reads


def test_the_same_picture_again_waits_for_nothing_but_the_styles_identity(card: PretendCard) -> None:
    renderer = Renderer(make_generator().to(CARD))
    plan, codes = plan_segmap(faces(0)).to(CARD), make_codes().to(CARD)
    renderer(plan, codes)
    card.reads.clear()
    renderer(plan, codes)
    assert set(card.reads) <= {"aten.equal.default"}


def test_a_stroke_and_styles_per_instance(card: PretendCard) -> None:
    generator, codes = make_generator(), make_codes(variants=2)
    segmap = faces(0)
    halves = (torch.arange(segmap.shape[2]) > segmap.shape[2] // 2).long().expand_as(segmap).contiguous()
    stroke = segmap.clone()
    stroke[:, 20:30, 20:40] = 3
    reference, renderer = Renderer(copy.deepcopy(generator)), Renderer(generator.to(CARD))
    for each in (segmap, stroke):
        plan = plan_segmap(each, halves)
        expected = reference(plan, codes)
        result = renderer(plan.to(CARD), codes.to(CARD))
        torch.testing.assert_close(on_card(result), expected, atol=1e-10, rtol=0)


def test_noise_is_drawn_on_the_card(card: PretendCard) -> None:
    renderer = Renderer(make_generator().to(CARD))
    plan, codes = plan_segmap(faces(0)).to(CARD), make_codes().to(CARD)
    quiet = on_card(renderer(plan, codes))
    assert not torch.equal(on_card(renderer(plan, codes, noise=True)), quiet)


@pytest.mark.parametrize("dense", [False, True], ids=["fast", "dense"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_networks_of_every_architecture(card: PretendCard, name: str, dense: bool) -> None:
    model = random_model(ARCHITECTURES[name])
    if dense:
        model = dense_formulation(model)
    image, segmap = torch.rand(2, 3, *SIZE, dtype=torch.float64) * 2 - 1, blobs(K, 2, *SIZE)

    @torch.no_grad()
    def reconstructed(image: Tensor, segmap: Tensor) -> Tensor:
        codes, _ = model.encode(image, segmap)
        plan = plan_segmap(segmap.content if isinstance(segmap, CardTensor) else segmap).to(segmap.device)
        return model.render(segmap, codes, plan=plan)

    expected = reconstructed(image, segmap)
    model.to(CARD)
    card.reads.clear()
    result = reconstructed(image.to(CARD), segmap.to(CARD))
    torch.testing.assert_close(on_card(result), expected, atol=1e-9, rtol=0)
    assert card.reads == []


def test_the_packed_encoder(card: PretendCard) -> None:
    model = random_model(ARCHITECTURES["sean, encoder per ResBlk"])
    image, segmap = torch.rand(2, 3, *SIZE, dtype=torch.float64) * 2 - 1, blobs(K, 2, *SIZE)
    expected = Encoder(model.style_encoder)(image, segmap)
    encoder = Encoder(model.style_encoder.to(CARD))
    card.reads.clear()
    for own, theirs in zip(encoder(image.to(CARD), segmap.to(CARD)), expected, strict=True):
        torch.testing.assert_close(on_card(own), theirs, atol=1e-9, rtol=0)
    assert card.reads == []


@pytest.mark.parametrize(
    "config",
    [
        UNetParserConfig(num_regions=19, image_size=(32, 32), widths=(4,) * 6),
        PyramidParserConfig(num_regions=19, image_size=(32, 32), encoder="lite0", widths=(4,) * 5),
    ],
    ids=["unet", "pyramid"],
)
def test_the_parser_reads_the_finished_map_alone(
    card: PretendCard, rng: np.random.Generator, config: ParserConfig
) -> None:
    parser = randomize(new_parser(config)).float().eval()
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        expected = parser(image)
        torch.testing.assert_close(on_card(parser.to(CARD)(image.to(CARD))), expected, atol=1e-4, rtol=1e-4)
    match = match_labels("a parser", CELEBAMASK_HQ.names, CELEBAMASK_HQ, None)
    parsing = Segmenter(parser, CELEBAMASK_HQ, match, size=parser.config.image_size, name="small", device=CARD)
    card.reads.clear()
    assert parsing.segmap(rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)).shape == (50, 40)
    assert len(card.reads) == 1, card.reads
