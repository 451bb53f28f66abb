"""Every kind of network as ONNX, against PyTorch: 20 pairs of styles and maps, two at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sean.models.configs import ParserConfig, PyramidParserConfig, UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.sean.model import SEANModel
from sean.onnx.checking import Runner, generator_inputs, largest_difference, render, samples
from sean.onnx.encoder import style_encoder
from sean.onnx.generator import dense_generator, fast_generator
from sean.onnx.graph import Graph
from sean.onnx.layers import add_module
from sean.onnx.parser import face_parser
from sean.onnx.plan import plan_inputs
from sean.plan.planner import plan_segmap

from ..models.reference import randomize
from .conftest import LABELS, K, tiny_model

VARIANTS: dict[str, dict[str, Any]] = {
    "twelve labels": {},
    "one label": {"num_regions": 1},
    "encoder per ResBlk": {"encoders": "resblk"},
    "encoder per norm": {"encoders": "sean"},
    "without mask branch": {"mask_branch": False},
    "instance edges": {"instance_edges": True},
    "equal widths": {"max_channels": 4},
    "group norms and mean colour": {"encoder_norm": "group", "mean_color": True},
    "colours matched": {"mean_color": True, "match_color": True, "style_dim": 8},
    "without downsampling": {"downsampling": False},
}


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest) -> SEANModel:
    return tiny_model(**VARIANTS[request.param])


@pytest.mark.parametrize("fast", [False, True], ids=["dense", "fast"])
def test_pictures_are_those_of_pytorch(model: SEANModel, fast: bool) -> None:
    graph = (fast_generator if fast else dense_generator)(model.generator)
    runner = Runner(graph.model())
    for sample in samples(model, 20):
        (picture,) = runner(**generator_inputs(sample, model.config.num_regions, fast=fast))
        expected = render(model, sample)
        assert expected.std() > 0.05
        assert largest_difference(picture, expected) <= 1e-3


@torch.no_grad()
def test_codes_are_those_of_pytorch(model: SEANModel) -> None:
    runner = Runner(style_encoder(model.style_encoder).model())
    for sample in samples(model, 6):
        codes, present = runner(image=sample.image.numpy(), segmap=sample.segmap.int().numpy())
        expected, expected_present = model.encode(sample.image, sample.segmap)
        assert torch.equal(present, expected_present)
        assert largest_difference(codes, expected) <= 1e-3


def test_styles_differ_by_block() -> None:
    """Codes of another block change the picture: the six are not mixed up."""
    model = tiny_model()
    runner = Runner(dense_generator(model.generator).model())
    sample = next(samples(model, 1))
    inputs = generator_inputs(sample, K, fast=False)
    for block in range(6):
        codes = sample.codes.clone()
        codes[:, block] *= -1
        (picture,) = runner(**{**inputs, "codes": codes.numpy()})
        with torch.no_grad():
            expected = model.render(sample.segmap, list(codes.unbind(1)))
        assert largest_difference(picture, expected) <= 1e-3
        assert largest_difference(picture, render(model, sample)) > 1e-3


@torch.no_grad()
def test_colours_are_matched_with_styles_per_instance() -> None:
    """One picture, two matrices of codes."""
    model = tiny_model(**VARIANTS["colours matched"])
    sample = next(samples(model, 2))
    segmap, codes = sample.segmap[:1], sample.codes
    variants = (torch.arange(segmap.shape[2]) >= 40).long().expand_as(segmap)
    runner = Runner(fast_generator(model.generator).model())
    inputs = {"segmap": segmap.int().numpy(), "codes": codes.numpy()}
    (picture,) = runner(**inputs, **plan_inputs(segmap.numpy(), K, variants=variants.numpy()))
    blocks = list(codes.unbind(1))
    expected = model.render(segmap, blocks, plan=plan_segmap(segmap, variants))
    assert largest_difference(picture, expected) <= 1e-3
    assert largest_difference(model.render(segmap, blocks, plan=plan_segmap(segmap, 0 * variants)), expected) > 0.05


PARSERS: dict[str, ParserConfig] = {
    "unet": UNetParserConfig(num_regions=K, image_size=(64, 64), widths=(3, 4, 5, 6, 7, 8)),
    "pyramid": PyramidParserConfig(num_regions=K, image_size=(64, 64), encoder="lite0", widths=(4, 5, 6, 7, 8)),
}


def own_logits(config: ParserConfig) -> nn.Module:
    torch.manual_seed(0)
    return randomize(new_parser(config)).float().eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", PARSERS)
def test_logits_are_those_of_pytorch(kind: str, rng: Any) -> None:
    """The mean over photo and mirror image, whose left and right change places."""
    parser = own_logits(PARSERS[kind])
    runner = Runner(face_parser(parser, LABELS, tuple(range(K))).model())
    image = torch.from_numpy(rng.uniform(-1, 1, (2, 3, 32, 64))).float()
    logits, segmap = runner(image=image.numpy())
    mirrored = parser(image.flip(-1)).flip(-1)
    exchanged = mirrored[:, [0, 2, 1, *range(3, K)]]
    expected = (parser(image) + exchanged) / 2
    torch.testing.assert_close(logits[:, :K], expected, atol=1e-3, rtol=1e-4)
    assert (logits[:, K] == -1e4).all()
    assert torch.equal(segmap.long(), logits.argmax(dim=1))


@torch.no_grad()
def test_labels_of_the_parser_are_matched(rng: Any) -> None:
    """Two of its labels stand for label 3, label 4 for none, and it does not know label 11."""
    parser = own_logits(PARSERS["unet"])
    ids = (0, 1, 2, 3, K, 5, 6, 7, 8, 9, 10, 3)
    runner = Runner(face_parser(parser, LABELS, ids).model())
    image = torch.from_numpy(rng.uniform(-1, 1, (1, 3, 32, 32))).float()

    def matched(own: Tensor) -> Tensor:
        joined = torch.logaddexp(own[:, 3], own[:, 11])
        never = torch.full_like(joined, -1e4)
        return torch.stack([*own[:, :3].unbind(1), joined, never, *own[:, 5:11].unbind(1), never, own[:, 4]], dim=1)

    mirrored = matched(parser(image.flip(-1))).flip(-1)[:, [0, 2, 1, *range(3, K + 1)]]
    torch.testing.assert_close(
        runner(image=image.numpy())[0], (matched(parser(image)) + mirrored) / 2, atol=1e-3, rtol=1e-4
    )


def test_an_unknown_layer_is_named() -> None:
    graph = Graph("test")
    with pytest.raises(TypeError, match="a Softmax has no ONNX form here"):
        add_module(graph, graph.input("x", "float32", ["b", 3, 4, 4]), nn.Softmax(dim=1), "layer")
