"""pix2pixHD's networks: the published layers, the encoder's mean by hand, and what a region's features reach."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.build import new_model
from sean.models.configs import Pix2PixHDConfig
from sean.models.pix2pixhd import FeatureEncoder, ResidualBlock, hourglass, region_feature_map

from ..ops.reference import assert_same_with_gradients, randn, region_mean
from .architectures import ARCHITECTURES, K, random_images, random_model, random_segmaps
from .reference import randomize


def convolutions(network: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]


def test_the_published_layers() -> None:
    with torch.device("meta"):
        model = new_model(Pix2PixHDConfig())
    layers = convolutions(model.generator)
    widths = [(layer.in_channels, layer.out_channels) for layer in layers]
    assert widths[:5] == [(19 + 3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    assert widths[5:23] == [(1024, 1024)] * 18  # nine blocks
    assert widths[23:] == [(1024, 512), (512, 256), (256, 128), (128, 64), (64, 3)]
    encoder = [(layer.in_channels, layer.out_channels) for layer in convolutions(model.style_encoder)]
    down = [(3, 16), (16, 32), (32, 64), (64, 128), (128, 256)]
    assert encoder == [*down, (256, 128), (128, 64), (64, 32), (32, 16), (16, 3)]


def test_hourglass_equals_plain_convolutions() -> None:
    network, x = randomize(hourglass(4, 3, 2, num_downsamplings=2, num_blocks=1)), randn(2, 4, 12, 16)
    first, down_0, down_1, block_0, block_1, up_0, up_1, last = convolutions(network)

    def activate(y: Tensor) -> Tensor:
        mean, variance = y.mean(dim=(2, 3), keepdim=True), y.var(dim=(2, 3), keepdim=True, unbiased=False)
        return (y - mean) / (variance + 1e-5).sqrt()

    def reflected(y: Tensor, layer: nn.Module, pad: int) -> Tensor:
        return F.conv2d(F.pad(y, (pad, pad, pad, pad), mode="reflect"), layer.weight, layer.bias)

    def plainly() -> Tensor:
        y = F.relu(activate(reflected(x, first, 3)))
        for layer in (down_0, down_1):
            y = F.relu(activate(F.conv2d(y, layer.weight, layer.bias, stride=2, padding=1)))
        y = y + activate(reflected(F.relu(activate(reflected(y, block_0, 1))), block_1, 1))
        for layer in (up_0, up_1):
            y = F.conv_transpose2d(y, layer.weight, layer.bias, stride=2, padding=1, output_padding=1)
            y = F.relu(activate(y))
        return torch.tanh(reflected(y, last, 3))

    assert_same_with_gradients(lambda: network(x), plainly, [x, *network.parameters()])


@torch.no_grad()
def test_a_residual_block_adds() -> None:
    block = randomize(ResidualBlock(3))
    x = torch.randn(1, 3, 6, 6).double()
    torch.testing.assert_close(block(x) - x, block.layers(x))
    torch.testing.assert_close((block(x) - x).mean(dim=(2, 3)), torch.zeros(1, 3).double(), atol=1e-12, rtol=0)


@torch.no_grad()
def test_codes_are_the_means_of_the_features() -> None:
    """At full size, unlike SEAN's: a region of one pixel has that pixel's features."""
    encoder = randomize(FeatureEncoder(K, 2, 2, num_downsamplings=2))
    image, segmap = random_images(1), torch.zeros(1, 32, 64, dtype=torch.long)
    segmap[0, 7, 9] = 2
    codes, present = encoder(image, segmap)
    features = encoder.features(image)
    assert features.shape == (1, 2, 32, 64)
    want, want_present = region_mean(features, segmap, K)
    torch.testing.assert_close(codes, want)
    assert torch.equal(present, want_present)
    torch.testing.assert_close(codes[0, 2], features[0, :, 7, 9])
    assert codes.abs().max() < 1


@torch.no_grad()
def test_the_generator_sees_labels_edges_and_features_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(replace(ARCHITECTURES["pix2pixhd"], instance_edges=True))
    seen: list[Tensor] = []
    model.generator.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    segmap, edges = random_segmaps(1), torch.rand(1, 32, 64) < 0.3
    codes = torch.randn(1, K, 2).double()
    model.render(segmap, codes, edges=edges)
    row, column = 5, 11
    for label in range(K + 1):
        segmap[0, row, column] = label
        model.render(segmap, codes, edges=edges)
        features = codes[0, label].tolist() if label < K else [0, 0]
        want = [*(float(j == label) for j in range(K)), float(edges[0, row, column]), *features]
        assert seen[-1][0, :, row, column].tolist() == want


def test_sizes_that_do_not_halve_are_one_line() -> None:
    config = Pix2PixHDConfig(num_regions=3, image_size=(32, 96), num_downsamplings=6)
    with pytest.raises(InputError, match=r"6 halvings divide, got \(32, 96\)") as error:
        new_model(config)
    assert "\n" not in str(error.value)


def test_by_hand() -> None:
    features = torch.tensor([[[1.0, -1.0], [2.0, -2.0]], [[3.0, -3.0], [4.0, -4.0]]])
    segmap = torch.tensor([[[0, 1, 2]], [[1, 1, 0]]])
    expected = [[[[1.0, 2.0, 0.0]], [[-1.0, -2.0, 0.0]]], [[[4.0, 4.0, 3.0]], [[-4.0, -4.0, -3.0]]]]
    assert region_feature_map(features, segmap).tolist() == expected


def test_features_of_no_width() -> None:
    assert region_feature_map(torch.zeros(2, 3, 0), torch.zeros(2, 4, 5, dtype=torch.long)).shape == (2, 0, 4, 5)


def test_a_regions_gradient_is_its_number_of_pixels() -> None:
    features = torch.zeros(1, 3, 1, requires_grad=True)
    region_feature_map(features, torch.tensor([[[0, 0, 2], [3, 3, 0]]])).sum().backward()
    assert features.grad.flatten().tolist() == [3, 0, 1]
