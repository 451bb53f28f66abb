"""The packed encoder: the module's codes, with the module and the picture left as they are."""

import copy

import pytest
import torch
from torch import Tensor, nn

from sean.inference.encoder import Encoder
from sean.models.sean.encoder import StyleEncoder, StyleEncoders

from ..models.reference import randomize

K = 6


def make_encoder(base_channels: int = 4) -> StyleEncoder:
    return randomize(StyleEncoder(K, style_dim=5, base_channels=base_channels))


def make_image(batch: int = 2, size: tuple[int, int] = (32, 48)) -> Tensor:
    return torch.rand(batch, 3, *size, dtype=torch.float64) * 2 - 1


def odd_segmap() -> Tensor:
    """A region in one sample only, one of a single pixel, one that vanishes at half size, pixels of no region."""
    segmap = torch.zeros(2, 32, 48, dtype=torch.long)
    segmap[0, 8:20, 8:30] = 1
    segmap[1, 10, 10] = 2
    segmap[1, 11, 11] = 3
    segmap[:, 25:, :20] = K
    return segmap


@torch.no_grad()
def assert_encodes(
    encoder: Encoder, module: StyleEncoder | StyleEncoders, image: Tensor, segmap: Tensor, atol: float = 1e-10
) -> None:
    (codes, present), (expected, expected_present) = encoder(image, segmap), module(image, segmap)
    torch.testing.assert_close(codes, expected, atol=atol, rtol=0)
    assert torch.equal(present, expected_present)


@torch.no_grad()
def test_equals_the_module() -> None:
    module = make_encoder()
    encoder = Encoder(module)
    assert_encodes(encoder, module, make_image(), odd_segmap())
    _, present = encoder(make_image(), odd_segmap())
    assert present.nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 2]]


def test_equals_the_module_in_float32() -> None:
    module = make_encoder(base_channels=8).float()
    assert_encodes(Encoder(module), module, make_image().float(), odd_segmap(), atol=1e-5)


@pytest.mark.parametrize("base_channels", [1, 3])
def test_equals_a_narrow_module(base_channels: int) -> None:
    """Of one channel all memory formats look alike."""
    module = make_encoder(base_channels)
    assert_encodes(Encoder(module), module, make_image(), odd_segmap())


@pytest.mark.parametrize("size", [(8, 8), (36, 20), (30, 50)])
def test_equals_the_module_at_any_size(size: tuple[int, int]) -> None:
    module = make_encoder()
    assert_encodes(Encoder(module), module, make_image(1, size), torch.randint(K + 1, (1, *size)))


def test_every_sample_is_normalized_by_itself() -> None:
    encoder, image, segmap = Encoder(make_encoder()), make_image(), odd_segmap()
    image[1] *= 0.1
    codes, _ = encoder(image, segmap)
    for sample in range(2):
        alone, _ = encoder(image[sample : sample + 1], segmap[sample : sample + 1])
        torch.testing.assert_close(codes[sample], alone[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_neither_the_picture_nor_the_module_changes(memory_format: torch.memory_format) -> None:
    module, image, segmap = make_encoder(), make_image().contiguous(memory_format=memory_format), odd_segmap()
    weights, layers, picture = copy.deepcopy(module.state_dict()), list(module.features), image.clone()
    Encoder(module)(image, segmap)
    assert torch.equal(image, picture)
    assert torch.equal(segmap, odd_segmap())
    assert list(module.features) == layers
    assert all(parameter.requires_grad for parameter in module.parameters())
    for key, value in module.state_dict().items():
        assert torch.equal(value, weights[key])
        assert value.stride() == weights[key].stride()
    assert sum(isinstance(layer, nn.InstanceNorm2d) for layer in module.features) == 4


@torch.no_grad()
def test_weights_that_change_after_packing_do_not_matter() -> None:
    module = make_encoder()
    encoder, original = Encoder(module), copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.mul_(2)
    assert_encodes(encoder, original, make_image(), odd_segmap())


def test_equals_a_module_without_downsampling() -> None:
    module = randomize(StyleEncoder(K, style_dim=5, base_channels=4, downsampling=False))
    assert_encodes(Encoder(module), module, make_image(), odd_segmap())
    # no region is lost at half size
    assert Encoder(module)(make_image(), odd_segmap())[1].sum() == 5


def test_equals_several_modules() -> None:
    module = StyleEncoders([make_encoder() for _ in range(3)])
    encoder = Encoder(module)
    assert_encodes(encoder, module, make_image(), odd_segmap())
    assert encoder(make_image(), odd_segmap())[0].shape == (2, K, 15)
    assert sum(isinstance(layer, nn.InstanceNorm2d) for layer in module.modules()) == 12


def test_equals_a_module_with_group_norms_and_mean_colours() -> None:
    module = randomize(StyleEncoder(K, style_dim=8, base_channels=8, norm="group", mean_color=True))
    assert_encodes(Encoder(module), module, make_image(), odd_segmap())
