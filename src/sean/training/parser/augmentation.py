"""Augmentation of a parser's training pictures: zoom, shift and rotation, colours, grey, blur, JPEG, occlusion.

Every sample has its own generator, so that a resumed training uses the same pictures.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sean.images import image_to_tensor, jpeg_round_trip, tensor_to_image
from sean.training.parser.config import Augmentation

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
_NUM_DRAWS = 13
_OCCLUDER_DRAWS = 11
_QUALITIES = (20, 90)


def augment(
    image: Float[Tensor, "b 3 hin win"],
    segmap: Int[Tensor, "b hin win"],
    size: tuple[int, int],
    num_regions: int,
    generators: Sequence[torch.Generator],
    amount: Augmentation,
) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b h w"]]:
    """Augment every sample with its own generator.

    Args:
        image: in [-1, 1], `amount.oversampling` times as large as `size`.
        segmap: label ids, as large as `image`.
        size: (h, w) of the results.
        num_regions: k, the id of pixels outside the source.
        generators: one per sample, on the CPU.
        amount: strength of the augmentation.

    Returns:
        Pictures in [-1, 1] and their label ids.
    """
    drawn = torch.stack([torch.rand(_NUM_DRAWS, generator=generator) for generator in generators]).to(image.device)
    occluder = torch.stack([torch.rand(_OCCLUDER_DRAWS, generator=generator) for generator in generators])
    geometry, color, chances = drawn[:, :4] * 2 - 1, drawn[:, 4:8] * 2 - 1, drawn[:, 8:]
    matrix = _placements(geometry, size, amount)
    image, segmap = _placed(image, segmap, matrix, size, num_regions)
    covered = chances[:, 3] < amount.occlusion
    image, segmap = _occluded(image, segmap, occluder.to(image.device), covered, num_regions)
    image = _recolored(image, color, grey=chances[:, 0] < amount.grey, amount=amount)
    strength = torch.where(chances[:, 1] < amount.blur, chances[:, 2], 0.0)
    image = _blurred(image, strength).clamp(-1, 1)
    # numbers below `compression` are mapped to the range of qualities
    quality = torch.where(chances[:, 4] < amount.compression, chances[:, 4] / max(amount.compression, 1e-9), -1.0)
    return _compressed(image, quality.tolist()), segmap


def _placements(drawn: Tensor, size: tuple[int, int], amount: Augmentation) -> Tensor:
    """[b, 2, 3] matrices from coordinates in the result to coordinates in the source, both in [-1, 1]."""
    step = torch.exp(-amount.zoom * drawn[:, 0])
    angle = math.radians(amount.rotation) * drawn[:, 1]
    height, width = size
    cos, sin = step * torch.cos(angle), step * torch.sin(angle)
    across = torch.stack([cos, sin * (height / width), 2 * amount.shift * drawn[:, 2]], dim=1)
    down = torch.stack([-sin * (width / height), cos, 2 * amount.shift * drawn[:, 3]], dim=1)
    return torch.stack([across, down], dim=1)


def _placed(
    image: Tensor, segmap: Tensor, matrix: Tensor, size: tuple[int, int], num_regions: int
) -> tuple[Tensor, Tensor]:
    (height, width), (height_in, width_in) = size, image.shape[-2:]
    grid = F.affine_grid(matrix, [len(image), 3, height, width], align_corners=False)
    moved = F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    # `resize_segmap` takes the first source pixel of those that a pixel covers, and so do the maps of validation
    first = torch.tensor([1 / width_in - 1 / width, 1 / height_in - 1 / height], device=image.device)
    grid = grid + torch.einsum("bij,j->bi", matrix[:, :, :2], first).view(-1, 1, 1, 2)
    # ids plus one, so that the zeros of the padding mean "outside"
    ids = (segmap + 1).to(torch.float32).unsqueeze(1)
    ids = F.grid_sample(ids, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    found = ids[:, 0].round().long() - 1
    return moved, torch.where(found < 0, num_regions, found)


def _recolored(image: Tensor, drawn: Tensor, *, grey: Tensor, amount: Augmentation) -> Tensor:
    brightness, contrast, saturation, hue = drawn.view(*drawn.shape, 1, 1, 1).unbind(1)
    yiq = torch.tensor(_YIQ, device=image.device)
    angle = math.radians(amount.hue) * hue.flatten()
    scale = torch.exp(amount.saturation * saturation.flatten()) * ~grey
    turn = torch.zeros(len(image), 3, 3, device=image.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = scale * torch.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = -scale * torch.sin(angle), scale * torch.sin(angle)
    image = torch.einsum("bij,bjhw->bihw", torch.linalg.inv(yiq) @ turn @ yiq, image)
    luma = torch.tensor(_LUMA, device=image.device).view(1, 3, 1, 1)
    mean = (image * luma).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    return mean + (image - mean) * torch.exp(amount.contrast * contrast) + amount.brightness * brightness


def _blurred(image: Tensor, strength: Tensor) -> Tensor:
    """Mix each picture with a blurred copy (binomial 5 x 5, sigma 1) by its strength in 0..1."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=image.device) / 16
    kernel = torch.outer(row, row).expand(3, 1, 5, 5)
    blurred = F.conv2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)
    return torch.lerp(image, blurred, strength.view(-1, 1, 1, 1))


def _occluded(image: Tensor, segmap: Tensor, drawn: Tensor, covered: Tensor, num_regions: int) -> tuple[Tensor, Tensor]:
    """Cover an ellipse with a flat colour or with another part of the same picture, like a hand or a hat.

    Args:
        image: [b, 3, h, w].
        segmap: [b, h, w].
        drawn: [b, 11] in 0..1: centre, axes, angle, kind, colour, and where the other part lies.
        covered: [b], whether a picture is covered.
        num_regions: the id of covered pixels, whose label is unknown.
    """
    height, width = image.shape[-2:]
    y = torch.arange(height, device=image.device).view(1, -1, 1) / height - drawn[:, 0].view(-1, 1, 1)
    x = torch.arange(width, device=image.device).view(1, 1, -1) / width - drawn[:, 1].view(-1, 1, 1)
    down, across = ((0.04 + 0.21 * drawn[:, i]).view(-1, 1, 1) for i in (2, 3))
    angle = (math.pi * drawn[:, 4]).view(-1, 1, 1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    inside = ((cos * x + sin * y) / across).square() + ((cos * y - sin * x) / down).square() < 1
    inside &= covered.view(-1, 1, 1)
    color = (drawn[:, 6:9] * 2 - 1).view(-1, 3, 1, 1)
    elsewhere = torch.stack(
        [
            picture.roll((int((0.3 + 0.4 * place[0]) * height), int((0.3 + 0.4 * place[1]) * width)), dims=(1, 2))
            for picture, place in zip(image, drawn[:, 9:11].tolist(), strict=True)
        ]
    )
    fill = torch.where(drawn[:, 5].view(-1, 1, 1, 1) < 0.3, color, elsewhere)
    return torch.where(inside.unsqueeze(1), fill, image), torch.where(inside, num_regions, segmap)


def _compressed(image: Tensor, quality: Sequence[float]) -> Tensor:
    """Compress pictures as JPEG if their quality is in 0..1 (bad to good); other pictures stay unchanged."""
    lowest, highest = _QUALITIES
    results = []
    for picture, share in zip(image, quality, strict=True):
        if share >= 0:
            level = round(lowest + share * (highest - lowest))
            decoded = jpeg_round_trip(tensor_to_image(picture.cpu()), level)
            picture = image_to_tensor(decoded).to(image.device)
        results.append(picture)
    return torch.stack(results)
