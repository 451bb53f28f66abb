"""The style encoder: against plain layers and a pooling loop, and the properties of its codes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.models.sean.encoder import StyleEncoder, StyleEncoders

from ...ops.reference import assert_same_with_gradients, randn, region_mean
from .. import reference
from ..reference import randomize, relabel


def make_encoder(num_regions: int = 3) -> StyleEncoder:
    return randomize(StyleEncoder(num_regions, style_dim=5, base_channels=2))


def test_equals_the_plain_formulation() -> None:
    encoder, image = make_encoder(), randn(2, 3, 16, 24)
    segmap = torch.randint(4, (2, 16, 24))
    segmap[0][segmap[0] == 1] = 0  # absent from the first picture
    assert_same_with_gradients(
        lambda: encoder(image, segmap)[0],
        lambda: reference.encode(encoder, image, segmap)[0],
        [image, *encoder.parameters()],
    )
    assert torch.equal(encoder(image, segmap)[1], reference.encode(encoder, image, segmap)[1])


def test_layer_widths_of_the_paper() -> None:
    with torch.device("meta"):
        encoder = StyleEncoder(19)
    shapes = [tuple(p.shape) for key, p in encoder.named_parameters() if key.endswith("weight")]
    assert shapes == [(32, 3, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (128, 256, 3, 3), (512, 256, 3, 3)]


@torch.no_grad()
def test_codes_lie_between_minus_one_and_one() -> None:
    encoder = StyleEncoder(3, style_dim=5, base_channels=2)
    codes, present = encoder(10 * torch.randn(2, 3, 32, 16), torch.randint(3, (2, 32, 16)))
    assert codes.shape == (2, 3, 5)
    assert codes.dtype == torch.float32
    assert codes.abs().max() < 1
    assert present.all()


@torch.no_grad()
def test_features_have_half_the_size() -> None:
    encoder = make_encoder()
    assert encoder.features(torch.randn(1, 3, 32, 48).double()).shape == (1, 5, 16, 24)


@torch.no_grad()
def test_absent_region_has_the_zero_code() -> None:
    codes, present = make_encoder()(torch.randn(1, 3, 8, 8).double(), torch.zeros(1, 8, 8, dtype=torch.long))
    assert present.tolist() == [[True, False, False]]
    assert codes[0, 0].all()
    assert not codes[0, 1:].any()


@torch.no_grad()
def test_region_that_is_lost_at_half_size_is_absent() -> None:
    """Output row i of the segmap takes input row 2 i, so a line one pixel high in an odd row is not seen."""
    segmap = torch.zeros(1, 8, 8, dtype=torch.long)
    segmap[0, 3] = 1
    segmap[0, 4] = 2
    assert make_encoder()(torch.randn(1, 3, 8, 8).double(), segmap)[1].tolist() == [[True, False, True]]


@torch.no_grad()
def test_batch_equals_singles() -> None:
    encoder, image, segmap = make_encoder(), torch.randn(3, 3, 16, 16).double(), torch.randint(4, (3, 16, 16))
    codes, present = encoder(image, segmap)
    for index in range(3):
        alone = encoder(image[index : index + 1], segmap[index : index + 1])
        torch.testing.assert_close(codes[index], alone[0][0], atol=1e-12, rtol=1e-12)
        assert torch.equal(present[index], alone[1][0])


@torch.no_grad()
def test_relabelling_permutes_the_codes() -> None:
    encoder, image, segmap = make_encoder(), torch.randn(1, 3, 16, 16).double(), torch.randint(3, (1, 16, 16))
    segmap[segmap == 0] = 3  # no region; label 0 is absent
    permutation = torch.tensor([2, 0, 1])
    codes, present = encoder(image, segmap)
    renamed_codes, renamed_present = encoder(image, relabel(segmap, permutation))
    torch.testing.assert_close(renamed_codes[:, permutation], codes, atol=1e-12, rtol=1e-12)
    assert torch.equal(renamed_present[:, permutation], present)


def test_without_downsampling_the_same_layers_work_at_full_size() -> None:
    encoder, image = randomize(StyleEncoder(3, style_dim=5, base_channels=2, downsampling=False)), randn(2, 3, 16, 24)
    segmap = torch.randint(4, (2, 16, 24))
    first, wide, wider, up, last = (m for m in encoder.features if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))

    def activate(x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        return F.leaky_relu((x - mean) / (variance + 1e-5).sqrt(), 0.2)

    def plainly() -> Tensor:
        x = activate(F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), first.weight, first.bias))
        x = activate(F.conv2d(x, wide.weight, wide.bias, padding=1))
        x = activate(F.conv2d(x, wider.weight, wider.bias, padding=1))
        # transposed, of stride 1: a convolution with the kernel turned round
        x = activate(F.conv2d(x, up.weight.transpose(0, 1).flip(2, 3), up.bias, padding=1))
        return torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), last.weight, last.bias))

    assert plainly().shape == (2, 5, 16, 24)
    assert_same_with_gradients(lambda: encoder.features(image), plainly, [image, *encoder.parameters()])
    codes, present = encoder(image, segmap)
    want, want_present = region_mean(plainly(), segmap, 3)
    torch.testing.assert_close(codes, want)
    assert torch.equal(present, want_present)


def test_the_bottleneck_has_no_parameters_of_its_own() -> None:
    shapes = [
        [p.shape for p in StyleEncoder(3, style_dim=5, base_channels=2, downsampling=each).parameters()]
        for each in (True, False)
    ]
    assert shapes[0] == shapes[1]


@torch.no_grad()
def test_several_encoders_lay_their_codes_side_by_side() -> None:
    encoders = [make_encoder() for _ in range(3)]
    image, segmap = torch.randn(2, 3, 16, 16).double(), torch.zeros(2, 16, 16, dtype=torch.long)
    segmap[0, 8:] = 2
    codes, present = StyleEncoders(encoders)(image, segmap)
    assert codes.shape == (2, 3, 15)
    assert present.tolist() == [[True, False, True], [True, False, False]]
    for index, encoder in enumerate(encoders):
        assert torch.equal(codes[..., 5 * index : 5 * (index + 1)], encoder(image, segmap)[0])


def color_encoder(num_regions: int = 3) -> StyleEncoder:
    return randomize(StyleEncoder(num_regions, style_dim=8, base_channels=8, norm="group", mean_color=True))


@torch.no_grad()
def test_a_code_begins_with_the_regions_mean_colour() -> None:
    encoder, image = color_encoder(), randn(2, 3, 16, 24)
    segmap = torch.randint(4, (2, 16, 24))
    segmap[0][segmap[0] == 1] = 0  # absent from the first picture
    codes, present = encoder(image, segmap)
    assert codes.shape == (2, 3, 8) and not codes[0, 1].any()
    for sample, region in present.nonzero().tolist():
        expected = image[sample][:, segmap[sample] == region].mean(dim=1)
        torch.testing.assert_close(codes[sample, region, :3], expected)


@torch.no_grad()
def test_a_region_too_small_for_the_features_has_no_colour_either() -> None:
    segmap = torch.zeros(1, 16, 16, dtype=torch.long)
    segmap[0, 5, 5] = 1  # half the size takes the even rows and columns
    codes, present = color_encoder()(randn(1, 3, 16, 16), segmap)
    assert not present[0, 1] and not codes[0, 1].any()


@torch.no_grad()
def test_group_norms_see_a_colour_that_instance_norms_take_out() -> None:
    image, segmap = randn(1, 3, 16, 16), torch.randint(3, (1, 16, 16))
    warmer = image + torch.tensor([0.5, 0.0, -0.5]).view(1, 3, 1, 1)
    published = make_encoder()
    color = randomize(StyleEncoder(3, style_dim=8, base_channels=16, norm="group", mean_color=True))
    torch.testing.assert_close(published(warmer, segmap), published(image, segmap))
    made_by_network = [color(each, segmap)[0][..., 3:] for each in (warmer, image)]
    assert (made_by_network[0] - made_by_network[1]).abs().max() > 1e-3
