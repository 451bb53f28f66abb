"""The projected discriminator: what is frozen, mixed features by hand, shapes, and what a score depends on."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sean.models.efficientnet import ConvNorm, EfficientNetLite
from sean.models.projected_discriminator import FeatureProjection, ProjectedDiscriminator


@pytest.fixture
def trunk() -> EfficientNetLite:
    """Random kernels that keep the size of what passes through, so that the coarse features depend on the picture."""
    rng = torch.Generator().manual_seed(0)
    network = EfficientNetLite("lite0").eval()
    for layer in network.modules():
        if isinstance(layer, ConvNorm):
            layer.kernel.data.normal_(generator=rng).mul_((2 / layer.kernel[0].numel()) ** 0.5)
    return network


@pytest.fixture
def discriminator(trunk: EfficientNetLite) -> ProjectedDiscriminator:
    torch.manual_seed(1)
    return ProjectedDiscriminator(trunk, 3, base_channels=4).eval()


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_shapes(discriminator: ProjectedDiscriminator) -> None:
    outputs = discriminator(torch.zeros(2, 3, 64, 96), pictures(2, 3, 64, 96))
    assert [[tuple(layer.shape[1:]) for layer in scale] for scale in outputs] == [
        [(4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3), (1, 2, 3)],
        [(8, 8, 12), (16, 4, 6), (32, 2, 3), (1, 2, 3)],
        [(16, 4, 6), (32, 2, 3), (1, 2, 3)],
        [(32, 2, 3), (1, 2, 3)],
    ]


@pytest.mark.parametrize("size", [(16, 16), (33, 50)])
def test_any_size_has_scores(discriminator: ProjectedDiscriminator, size: tuple[int, int]) -> None:
    outputs = discriminator(torch.zeros(1, 3, *size), pictures(1, 3, *size))
    cells = tuple(math.ceil(side / 32) for side in size)
    assert [tuple(scale[-1].shape[2:]) for scale in outputs] == [cells] * 4


@torch.no_grad()
def test_mixed_features_by_hand(trunk: EfficientNetLite) -> None:
    """1 x 1 of the features over their spreads; then each scale is the mean of itself and the coarser one, by power."""
    for stage in trunk.stages:
        stage[-1].project.weight.fill_(3.0)
    projection, image = FeatureProjection(trunk, [2, 3, 4, 5]), pictures(1, 3, 64, 64)
    spreads = [feature.flatten() for feature in trunk.feature_spreads()[1:]]
    lateral = [
        torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], feature / spread.view(1, -1, 1, 1))
        for conv, feature, spread in zip(projection.across_channels, trunk(image)[1:], spreads, strict=True)
    ]
    assert all(spread.min() > 2 for spread in spreads)
    expected = [lateral[3]]
    for index in (2, 1, 0):
        coarse = F.conv2d(expected[0], projection.across_scales[index].weight, padding=1)
        raised = F.interpolate(coarse, scale_factor=2.0, mode="bilinear")
        expected.insert(0, (lateral[index] + raised) / math.sqrt(2))
    torch.testing.assert_close(projection(image), expected, rtol=1e-4, atol=1e-4)


def test_only_the_scales_learn(discriminator: ProjectedDiscriminator) -> None:
    learning = {name for name, parameter in discriminator.named_parameters() if parameter.requires_grad}
    assert learning == {name for name, _ in discriminator.named_parameters() if name.startswith("scales.")}
    image = pictures(1, 3, 32, 32).requires_grad_()
    scores = discriminator(torch.zeros(1, 3, 32, 32), image)
    torch.stack([scale[-1].mean() for scale in scores]).sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert all((p.grad is not None) == (name in learning) for name, p in discriminator.named_parameters())


def test_a_training_pass_moves_no_statistic_of_the_trunk(discriminator: ProjectedDiscriminator) -> None:
    before = {name: value.clone() for name, value in discriminator.projection.state_dict().items()}
    discriminator.train()(torch.zeros(1, 3, 32, 32), pictures(1, 3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in discriminator.projection.state_dict().items())


@pytest.mark.parametrize("scale", range(4))
def test_every_scale_sees_the_condition_and_the_picture(discriminator: ProjectedDiscriminator, scale: int) -> None:
    discriminator.double()
    image, other = pictures(1, 3, 64, 64).double(), pictures(2, 3, 64, 64)[1:].double()
    condition = torch.zeros(1, 3, 64, 64).double()
    condition[:, 0] = 1
    swapped = condition.roll(1, dims=1)
    score = discriminator(condition, image)[scale][-1]
    assert torch.equal(score, discriminator(condition, image)[scale][-1])
    for changed in (discriminator(swapped, image), discriminator(condition, other)):
        assert (changed[scale][-1] - score).abs().max() > 1e-3 * score.abs().max()


def test_the_condition_is_the_labels_shares(discriminator: ProjectedDiscriminator) -> None:
    seen: list[Tensor] = []
    discriminator.scales[0].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    condition = torch.zeros(1, 3, 32, 32)
    condition[:, 0] = 1
    condition[:, :, 0, :3] = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1)  # three of a cell's 16 pixels
    discriminator(condition, pictures(1, 3, 32, 32))
    assert seen[0][0, :3, 0, 0].tolist() == [13 / 16, 0, 3 / 16]
    assert seen[0][0, :3, 1, 1].tolist() == [1, 0, 0]
