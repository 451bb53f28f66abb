"""The discriminator: layers, pyramid, and that a batch of fake and real is the same as one after the other."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sean.models.discriminator import Discriminator, build_discriminator

from ..ops.reference import assert_same_with_gradients, randn
from .reference import normalize, randomize


def make_discriminator(**sizes: Any) -> Discriminator:
    return randomize(Discriminator(3, base_channels=4, **sizes))


def plain_scale(scale: torch.nn.Module, x: Tensor) -> list[Tensor]:
    """The layers written out for num_layers = 3."""
    first, second, third, last = scale.layers
    x = F.leaky_relu(F.conv2d(x, first[0].weight, first[0].bias, stride=2, padding=2), 0.2)
    outputs = [x]
    for layer in (second, third):
        x = F.conv2d(x, layer[0].weight, stride=2, padding=2)
        mean = x.mean(dim=(2, 3), keepdim=True)
        x = F.leaky_relu(normalize(x, mean, ((x - mean) ** 2).mean(dim=(2, 3), keepdim=True)), 0.2)
        outputs.append(x)
    return [*outputs, F.conv2d(x, last.weight, last.bias, padding=2)]


def test_equals_plain_layers() -> None:
    discriminator, planes, image = make_discriminator(num_scales=1), randn(2, 3, 24, 16), randn(2, 3, 24, 16)
    for layer in range(4):
        assert_same_with_gradients(
            lambda i=layer: discriminator(planes, image)[0][i],
            lambda i=layer: plain_scale(discriminator.scales[0], torch.cat([planes, image], dim=1))[i],
            [planes, image, *discriminator.parameters()],
        )


def test_shapes_of_the_paper() -> None:
    with torch.device("meta"):
        discriminator = Discriminator(19)
        outputs = discriminator(torch.zeros(2, 19, 256, 256), torch.zeros(2, 3, 256, 256))
    fine, coarse = [[tuple(layer.shape) for layer in scale] for scale in outputs]
    assert fine == [(2, 64, 129, 129), (2, 128, 65, 65), (2, 256, 33, 33), (2, 1, 34, 34)]
    assert coarse == [(2, 64, 65, 65), (2, 128, 33, 33), (2, 256, 17, 17), (2, 1, 18, 18)]


def test_numbers_of_scales_and_layers() -> None:
    discriminator = make_discriminator(num_scales=3, num_layers=2)
    outputs = discriminator(torch.randn(1, 3, 32, 64).double(), torch.randn(1, 3, 32, 64).double())
    assert [len(scale) for scale in outputs] == [3, 3, 3]
    assert outputs[0][1].shape[1] == 8


def test_pyramid_does_not_count_the_padding() -> None:
    """2 x 2 windows at the corner of a 3x3 window that reaches over the border: the mean of what is there."""
    discriminator = make_discriminator()
    seen: list[Tensor] = []
    for scale in discriminator.scales:
        scale.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    image = torch.arange(64 * 3.0, dtype=torch.float64).view(1, 3, 8, 8)
    discriminator(torch.ones(1, 3, 8, 8).double(), image)
    fine, coarse = seen
    assert torch.equal(fine[:, 3:], image)
    assert torch.equal(coarse[:, :3], torch.ones(1, 3, 4, 4).double())
    assert coarse[0, 3, 0, 0] == (0 + 1 + 8 + 9) / 4
    assert coarse[0, 3, 0, 1] == (1 + 2 + 3 + 9 + 10 + 11) / 6
    assert coarse[0, 3, 1, 1] == 18  # the middle of a full 3x3 window


def test_one_batch_of_fake_and_real_equals_two() -> None:
    discriminator, planes = make_discriminator(), torch.randn(1, 3, 24, 32).double()
    fake, real = torch.randn(1, 3, 24, 32).double(), torch.randn(1, 3, 24, 32).double()
    together = discriminator(torch.cat([planes, planes]), torch.cat([fake, real]))
    for index, image in enumerate((fake, real)):
        alone = discriminator(planes, image)
        for scale, alone_scale in zip(together, alone, strict=True):
            for layer, alone_layer in zip(scale, alone_scale, strict=True):
                torch.testing.assert_close(layer[index : index + 1], alone_layer, atol=1e-12, rtol=1e-12)


def test_spectral_norm_on_the_middle_layers_only() -> None:
    keys = make_discriminator(num_scales=1).state_dict()
    normed = {key.split(".parametrizations")[0] for key in keys if "parametrizations" in key}
    assert normed == {"scales.0.layers.1.0", "scales.0.layers.2.0"}
    assert "scales.0.layers.1.0.bias" not in keys
    assert {"scales.0.layers.0.0.bias", "scales.0.layers.3.bias"} < keys.keys()


def test_edges_are_the_last_plane_of_the_condition() -> None:
    """In the pyramid, too; its weights for that plane are what a discriminator without edges lacks."""
    discriminator, plain = make_discriminator(instance_edges=True), make_discriminator()
    state = discriminator.state_dict()
    first = [key for key in state if key.endswith("layers.0.0.weight")]
    assert len(first) == 2
    plain.load_state_dict(state | {key: torch.cat([state[key][:, :3], state[key][:, 4:]], dim=1) for key in first})
    planes, image = torch.randn(1, 3, 24, 32).double(), torch.randn(1, 3, 24, 32).double()
    none, some = torch.zeros(1, 1, 24, 32).double(), (torch.rand(1, 1, 24, 32) < 0.3).double()
    expected = plain(condition=planes, image=image)
    for edges, is_same in ((none, True), (some, False)):
        outputs = discriminator(torch.cat([planes, edges], dim=1), image)
        for scale, plain_scale_outputs in zip(outputs, expected, strict=True):
            for layer, plain_layer in zip(scale, plain_scale_outputs, strict=True):
                assert torch.allclose(layer, plain_layer, atol=1e-12) == is_same


def test_discriminator_has_the_given_sizes() -> None:
    discriminator = build_discriminator(5, base_channels=2, num_scales=3, num_layers=2)
    assert len(discriminator.scales) == 3
    assert len(discriminator.scales[0].layers) == 3
    assert discriminator.scales[0].layers[0][0].weight.shape == (2, 8, 4, 4)
