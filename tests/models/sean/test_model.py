"""The variants of SEAN: which encoder a norm listens to, how far a style reaches, and sizes that do not fit."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from sean.models.base import StyledModel
from sean.models.build import new_model
from sean.models.configs import COLOR_DIM, SEANConfig, num_encoders
from sean.models.sean.encoder import StyleEncoder, StyleEncoders
from sean.models.sean.norm import SEANNorm

from ..architectures import ARCHITECTURES, SEAN_VARIANTS, K, random_images, random_model, random_segmaps, refusal

DIM = 4


def styled_norms(model: StyledModel) -> list[SEANNorm]:
    return [m for m in model.generator.modules() if isinstance(m, SEANNorm) and m.style is not None]


@pytest.mark.parametrize(("level", "count"), [("unified", 1), ("resblk", 6), ("sean", 15)])
def test_number_of_encoders(level: str, count: int) -> None:
    """Six styled blocks; two norms in the three whose widths agree, three in the three others: 15."""
    assert num_encoders(level, 1, None) == count
    model = random_model(replace(ARCHITECTURES["sean"], encoders=level))
    assert sum(isinstance(module, StyleEncoder) for module in model.modules()) == count
    assert isinstance(model.style_encoder, StyleEncoders if count > 1 else StyleEncoder)
    assert model.code_dim == count * DIM
    assert len(styled_norms(model)) == 15


@pytest.mark.parametrize(("max_channels", "count"), [(16, 15), (8, 14), (4, 13), (1, 12)])
def test_every_encoder_has_its_norm_where_widths_are_bounded(max_channels: int, count: int) -> None:
    """A block of equal widths has no norm in its shortcut: with 8 channels at most, of 16 -> 8 becomes 8 -> 8."""
    config = replace(ARCHITECTURES["sean, encoder per norm"], max_channels=max_channels)
    assert num_encoders("sean", 1, max_channels) == count
    model = random_model(config)
    norms = styled_norms(model)
    assert len(model.style_encoder) == len(norms) == count
    taken = sorted(norm.style.columns.start for norm in norms)
    assert taken == list(range(0, model.code_dim, DIM)) and len(taken) == count
    model(random_images(), random_segmaps()).sum().backward()
    assert all(
        p.grad is not None and p.grad.any() for encoder in model.style_encoder for p in [encoder.features[-2].bias]
    )


@torch.no_grad()
@pytest.mark.parametrize("level", ["resblk", "sean"])
def test_a_norm_reads_its_own_columns_only(level: str) -> None:
    """Changing one encoder's columns changes the modulation of its norms, and of no other."""
    model = random_model(replace(ARCHITECTURES["sean"], encoders=level))
    norms = styled_norms(model)
    codes = torch.randn(1, K, model.code_dim).double()
    before = [norm.style.region_styles(codes) for norm in norms]
    # the norms in the order in which they are made; the shortcut's, where there is one, comes last in a block
    of_norm = {
        "resblk": [0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5],
        "sean": list(range(15)),
    }[level]
    for encoder in range(max(of_norm) + 1):
        changed = codes.clone()
        changed[..., encoder * DIM : (encoder + 1) * DIM] += 1
        moved = [
            not torch.equal(norm.style.region_styles(changed), old) for norm, old in zip(norms, before, strict=True)
        ]
        assert moved == [each == encoder for each in of_norm]


@torch.no_grad()
def test_every_encoder_reaches_the_picture() -> None:
    model = random_model(ARCHITECTURES["sean, encoder per norm"])
    image, segmap = random_images(1), random_segmaps(1)
    picture = model(image, segmap)
    for encoder in model.style_encoder:
        bias = encoder.features[-2].bias
        bias += 1
        assert (model(image, segmap) - picture).abs().max() > 1e-6
        bias -= 1


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name in SEAN_VARIANTS if not ARCHITECTURES[name].match_color])
def test_a_style_of_the_last_styled_block_reaches_ten_pixels(name: str) -> None:
    """That block works at half size: three convolutions there reach 3 of its pixels, three of the finest level 3.

    Styles of the coarsest block reach everywhere here: its pixels are 32 of the picture's.
    """
    model = random_model(ARCHITECTURES[name])
    segmap = torch.zeros(1, 32, 96, dtype=torch.long)
    segmap[:, :20, :24] = 1
    codes = torch.randn(1, K, model.code_dim).double().tanh()
    other = codes.clone()
    other[:, 1] = -codes[:, 1]
    picture = model.render(segmap, codes)
    difference = (model.render(segmap, [codes] * 5 + [other]) - picture).abs().amax(dim=1)[0]
    assert difference[:20, :24].max() > 1e-3
    assert difference[:, 24:].any()
    assert not difference[:, 24 + 10 :].any()
    assert (model.render(segmap, [other] + [codes] * 5) - picture)[..., -1].any()


def test_variants_lack_what_they_are_named_for() -> None:
    keys = {name: {key for key, _ in random_model(ARCHITECTURES[name]).named_parameters()} for name in SEAN_VARIANTS}
    full = keys["sean"]
    assert full - keys["sean without noise"] == {key for key in full if key.endswith("noise_scale")}
    # the last block has no style branch: it keeps its masks
    masks = {key for key in full if ".mask." in key or key.endswith("blend")}
    assert full - keys["sean without mask branch"] == {key for key in masks if ".blocks.6." not in key}
    assert keys["sean without downsampling"] == full


def test_the_published_variants_differ_in_their_encoders_only() -> None:
    """At the paper's sizes: 3.8 M parameters in an encoder, 263 M in the generator."""
    sizes = {}
    with torch.device("meta"):
        for level in ("unified", "resblk", "sean"):
            model: nn.Module = new_model(SEANConfig(encoders=level))
            sizes[level] = [sum(p.numel() for p in part.parameters()) for part in model.children()]
    encoder, generator = sizes["unified"]
    assert sizes["resblk"] == [6 * encoder, generator]
    assert sizes["sean"] == [15 * encoder, generator]


def test_an_unknown_level_is_one_line() -> None:
    message = "expected encoders to be one of unified, resblk, sean, got 'block'"
    assert refusal(SEANConfig(), encoders="block") == message


@torch.no_grad()
def test_regions_are_rendered_in_the_mean_colours_of_their_pictures() -> None:
    model = random_model(ARCHITECTURES["sean in the styles' colours"])
    image, segmap = random_images(1, (64, 64)) / 2, torch.zeros(1, 64, 64, dtype=torch.long)
    segmap[:, :, 32:] = 2
    image[:, 0, :, :32] += 0.4
    made = model(image, segmap)
    window, model.generator.color_window = model.generator.color_window, None
    plain = model(image, segmap)
    model.generator.color_window = window
    for part in (slice(2, 29), slice(35, 62)):  # away from the border, where colours run into each other
        wanted = image[..., part].mean(dim=(0, 2, 3))
        error = (made[..., part].mean(dim=(0, 2, 3)) - wanted).abs().max()
        assert error < 0.2 * (plain[..., part].mean(dim=(0, 2, 3)) - wanted).abs().max()
    codes, _ = model.encode(image, segmap)
    codes[..., :3] = torch.tensor([0.3, 0.0, -0.3])
    assert (model.render(segmap, codes).mean(dim=(0, 2, 3)) - codes[0, 0, :3]).abs().max() < 0.02


@torch.no_grad()
def test_a_style_moves_the_colour_of_its_neighbours_as_a_whole() -> None:
    """Pixels beyond a style's reach keep their differences, and regions beyond it stay as they are."""
    model = random_model(replace(ARCHITECTURES["sean in the styles' colours"], style_dim=16))
    segmap = torch.zeros(1, 32, 96, dtype=torch.long)
    segmap[:, :20, :24] = 1
    segmap[:, :, 64:] = 2
    codes = torch.randn(1, K, model.code_dim).double().tanh()
    other = codes.clone()
    other[:, 1, COLOR_DIM:] *= -1
    made, after = (model.render(segmap, [codes] * 5 + [last]) for last in (codes, other))
    assert torch.equal(made[..., 70:], after[..., 70:])
    made, after = made[0, :, :, 40:60], after[0, :, :, 40:60]
    for channel in range(3):
        moved = (after - made)[channel][(made.abs() < 1)[channel] & (after.abs() < 1)[channel]]
        assert moved.abs().min() > 1e-12  # little, in a small random network
        torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-14, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["crossover", "no code"])
def test_the_network_decides_where_a_region_has_no_single_colour(kind: str) -> None:
    model = random_model(ARCHITECTURES["sean in the styles' colours"])
    segmap = torch.zeros(1, 32, 64, dtype=torch.long)
    codes = torch.randn(1, K, model.code_dim).double().tanh()
    styles = {"crossover": [-codes, *[codes] * 5], "no code": [torch.zeros_like(codes)] * 6}[kind]
    matched = [model.render(segmap, each) for each in (styles, codes)]
    model.generator.color_window = None
    made = [model.render(segmap, each) for each in (styles, codes)]
    assert torch.equal(matched[0], made[0])
    assert not torch.equal(matched[1], made[1])
