"""Augmentation: pairs move together, colours change as they say, by each sample's own chance."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.images import image_to_tensor, jpeg_round_trip, tensor_to_image
from sean.segmap import resize_segmap
from sean.training.parser.augmentation import augment
from sean.training.parser.config import Augmentation

from .conftest import STILL, generators


def test_no_augmentation_leaves_a_pair_as_it_is() -> None:
    image, ids = torch.rand(2, 3, 32, 64) * 2 - 1, torch.randint(0, 4, (2, 32, 64))
    changed, changed_ids = augment(image, ids, (32, 64), 3, generators(0, 1), STILL)
    assert torch.allclose(changed, image, atol=1e-4)
    assert torch.equal(changed_ids, ids)


def test_a_larger_pair_is_averaged_and_its_map_taken_as_resize_segmap_does() -> None:
    image, ids = torch.rand(1, 3, 64, 64) * 2 - 1, torch.randint(0, 4, (1, 64, 64))
    changed, changed_ids = augment(image, ids, (32, 32), 3, generators(0), replace(STILL, oversampling=2))
    assert torch.allclose(changed, torch.nn.functional.avg_pool2d(image, 2), atol=1e-4)
    assert torch.equal(changed_ids, ids[:, ::2, ::2])
    larger = torch.randint(0, 4, (1, 128, 96))
    _, found = augment(torch.zeros(1, 3, 128, 96), larger, (32, 24), 3, generators(0), replace(STILL, oversampling=4))
    assert torch.equal(found, resize_segmap(larger, (32, 24)))


def test_map_and_picture_move_together() -> None:
    """A picture that shows its own map still does after any move, but at edges and outside."""
    ids = torch.zeros(6, 64, 64, dtype=torch.int64)
    ids[:, 10:30, 20:60], ids[:, 40:60, 4:30] = 1, 2
    image = (ids.unsqueeze(1) - 1.0).expand(-1, 3, -1, -1).contiguous()
    amount = replace(STILL, zoom=0.4, shift=0.2, rotation=30.0)
    changed, changed_ids = augment(image, ids, (64, 64), 3, generators(*range(6)), amount)
    inside = changed_ids < 3
    agree = (changed[:, 0].round() + 1 == changed_ids) & inside
    assert agree.sum() > 0.97 * inside.sum()
    assert 0.1 < (~inside).float().mean() < 0.5, "what lies outside is unlabelled"
    assert (changed_ids != ids).float().mean() > 0.2


def test_zoom_scales_shift_moves_and_rotation_turns() -> None:
    bar = torch.zeros(6, 64, 96, dtype=torch.int64)
    bar[:, 30:34, 28:68] = 1

    def moved(**amounts: float) -> list[Tensor]:
        """Places (y, x) of the bar in each result, from the picture's centre."""
        amount = replace(STILL, **amounts)
        _, ids = augment(torch.zeros(6, 3, 64, 96), bar, (64, 96), 3, generators(*range(6)), amount)
        return [(picture == 1).nonzero() - torch.tensor([31.5, 47.5]) for picture in ids]

    lengths = [float(places[:, 1].amax() - places[:, 1].amin() + 1) for places in moved(zoom=0.4)]
    assert len(set(lengths)) > 3 and all(
        40 * math.exp(-0.4) - 2 < length < 40 * math.exp(0.4) + 2 for length in lengths
    )
    centres = torch.stack([places.mean(dim=0) for places in moved(shift=0.2)])
    assert (centres.abs().amax(dim=0) <= torch.tensor([0.2 * 64 + 1, 0.2 * 96 + 1])).all()
    assert (centres.abs().amax(dim=0) > torch.tensor([3.0, 5.0])).all()
    flat = moved(rotation=30.0)
    bar.zero_()[:, 12:52, 46:50] = 1
    for places in (*flat, *(upright.flip(1) for upright in moved(rotation=30.0))):
        assert abs(len(places) - 160) < 16, "nothing is stretched, though the picture is no square"
        slope = places[:, 1] @ places[:, 0] / (places[:, 1] @ places[:, 1])
        assert abs(slope) < math.tan(math.radians(31)) and abs(float(places.norm(dim=1).max()) - 20) < 1.5


def test_every_sample_follows_from_its_own_generator() -> None:
    image, ids = torch.rand(3, 3, 32, 32) * 2 - 1, torch.randint(0, 3, (3, 32, 32))
    together = augment(image, ids, (32, 32), 3, generators(7, 8, 9), Augmentation())
    alone = augment(image[1:2], ids[1:2], (32, 32), 3, generators(8), Augmentation())
    assert torch.allclose(together[0][1:2], alone[0], atol=1e-6) and torch.equal(together[1][1:2], alone[1])
    assert together[0].abs().max() <= 1
    other = augment(image[1:2], ids[1:2], (32, 32), 3, generators(9), Augmentation())
    assert not torch.allclose(other[0], alone[0], atol=0.05)


def test_colours_change_as_they_say() -> None:
    image = (torch.rand(4, 3, 32, 32) - 0.5) * 0.4  # so little that nothing is clamped
    ids = torch.zeros(4, 32, 32, dtype=torch.int64)

    def changed(**amounts: float) -> Tensor:
        return augment(image, ids, (32, 32), 3, generators(0, 1, 2, 3), replace(STILL, **amounts))[0]

    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = changed(grey=1.0)
    assert torch.allclose(grey, (image * luma).sum(dim=1, keepdim=True).expand_as(image), atol=1e-3)
    brighter = changed(brightness=0.2) - image
    assert torch.allclose(brighter, brighter[:, :1, :1, :1].expand_as(brighter), atol=1e-4)
    assert brighter.abs().max() <= 0.2 + 1e-4 and len(brighter[:, 0, 0, 0].unique()) == 4
    for turned in (changed(hue=40.0), changed(saturation=0.5)):
        assert torch.allclose((turned * luma).sum(dim=1), (image * luma).sum(dim=1), atol=1e-3)
        assert (turned - image).abs().mean() > 0.005
    contrast = changed(contrast=0.5)
    assert not torch.allclose(contrast.std(dim=(1, 2, 3)), image.std(dim=(1, 2, 3)), rtol=0.02)
    assert torch.allclose((contrast * luma).sum(1).mean((1, 2)), (image * luma).sum(1).mean((1, 2)), atol=1e-4)
    blurred = changed(blur=1.0)
    assert (blurred.var(dim=(1, 2, 3)) < image.var(dim=(1, 2, 3))).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"oversampling": 0}, "oversampling of at least 1"), ({"zoom": -1.0}, "expected zoom"), ({"grey": 1.5}, "grey")],
)
def test_bad_amounts_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augmentation(**setting)


def test_an_occluder_hides_labels_and_picture_alike() -> None:
    image = torch.rand(8, 3, 64, 96) * 2 - 1
    ids = torch.randint(0, 3, (8, 64, 96))
    changed, changed_ids = augment(image, ids, (64, 96), 3, generators(*range(8)), replace(STILL, occlusion=1.0))
    hidden = changed_ids == 3
    shares = hidden.float().mean(dim=(1, 2))
    assert (shares < 0.25).all() and (shares > 0.002).sum() >= 6
    assert torch.equal(changed_ids[~hidden], ids[~hidden])
    untouched = (changed - image).abs().amax(dim=1) < 1e-4
    assert untouched[~hidden].all(), "nothing else is changed"
    assert not untouched[hidden].any()
    some = augment(image, ids, (64, 96), 3, generators(*range(8)), replace(STILL, occlusion=0.5))[1]
    assert 0 < (some == 3).any(dim=2).any(dim=1).sum() < 8


def test_compression_is_that_of_jpeg() -> None:
    image, ids = torch.rand(8, 3, 32, 32) * 2 - 1, torch.zeros(8, 32, 32, dtype=torch.int64)
    changed, changed_ids = augment(image, ids, (32, 32), 3, generators(*range(8)), replace(STILL, compression=0.5))
    errors = (changed - image).abs().mean(dim=(1, 2, 3))
    kept = errors < 1e-4
    assert 0 < kept.sum() < 8
    assert (errors[~kept] > 0.02).all() and len(set(errors[~kept].tolist())) > 1, "of several qualities"
    assert torch.equal(changed_ids, ids)
    fine = round_trip(image[0], 90)
    assert (fine - image[0]).abs().mean() < errors[~kept].min() + 1e-3
    assert (round_trip(image[0], 20) - image[0]).abs().mean() > errors[~kept].max() - 1e-3


def round_trip(picture: Tensor, quality: int) -> Tensor:
    return image_to_tensor(jpeg_round_trip(tensor_to_image(picture), quality))
