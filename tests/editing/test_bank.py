"""Names and colours of style banks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sean.compositing.colour import parse_colour
from sean.editing.bank import HAIR_COLOURS, hair_colour, named_by_hair, with_colours, with_names
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.sources import Sources
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

from ..support.pipelines import random_styles

HAIR = CELEBAMASK_HQ.id_of("hair")


def coloured(seed: int, *hair: float) -> StyleCodes:
    style = random_styles(seed)
    colours = torch.full((19, 3), torch.nan)
    colours[HAIR] = torch.tensor(hair)
    return replace(style, mean_colours=colours)


def test_every_colour_has_its_own_name() -> None:
    for name, colours in HAIR_COLOURS.items():
        for colour in colours:
            assert hair_colour(parse_colour(colour).mean) == name
    assert hair_colour(parse_colour("#101010").mean) == "black"
    assert hair_colour(parse_colour("#3c5cb0").mean) == "blue"


def test_styles_are_named_by_their_hair_and_each_once() -> None:
    bank = [coloured(0, 30, 25, 22), coloured(1, 200, 160, 110), coloured(2, 28, 22, 20), random_styles(3)]
    named = named_by_hair(bank)
    assert [style.name for style in named] == ["black", "blond", "black-2", ""]
    assert named == bank, "nothing but the names is new"
    other = LabelSet(name="two", names=("sky", "sea"))
    sky = StyleCodes(torch.zeros(2, 4), torch.ones(2, dtype=torch.bool), other, torch.zeros(2, 3))
    assert named_by_hair([sky])[0].name == ""


def test_names_are_sources() -> None:
    bank = with_names([random_styles(0), random_styles(1)], ["night", "light brown"])
    sources = Sources(CELEBAMASK_HQ, bank[0].codes.shape[1], bank)
    assert sources.get("bank:light brown") is bank[1]
    assert sources.get("bank:0") is bank[0]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", ""], ["a", "7"], ["a", "x,y"]])
def test_other_names_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="names"):
        with_names([random_styles(0), random_styles(1)], names)


def test_colours_come_from_the_picture_whose_codes_are_the_same() -> None:
    bank = [random_styles(1), random_styles(0)]
    encoded = [coloured(0, 1, 2, 3), coloured(1, 4, 5, 6), coloured(2, 7, 8, 9)]
    rounded = [replace(style, codes=style.codes.half().float()) for style in encoded]
    found = with_colours(bank, rounded)
    assert [style.mean_colours[HAIR].tolist() for style in found if style.mean_colours is not None] == [
        [4, 5, 6],
        [1, 2, 3],
    ]
    assert all(torch.equal(style.codes, own.codes) for style, own in zip(found, bank, strict=True))
    with pytest.raises(InputError, match="style 0 is that of none of the 2"):
        with_colours([random_styles(5)], rounded[:2])


@pytest.mark.parametrize("source", ["#7a1f2b", "bank:3", "bank:blond", "mean"])
def test_an_edit_with_the_bundled_bank_renders_nothing(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The colours are in the file of the bank, so that the photo is all that is needed."""
    segmap = np.full((96, 96), HAIR)
    segmap[48:] = CELEBAMASK_HQ.id_of("skin")
    photo = np.full((96, 96, 3), (90, 70, 60), dtype=np.uint8)
    editor = Editor.from_pretrained()
    editor.set_image(photo, segmap)
    calls: list[int] = []
    monkeypatch.setattr(SEANPipeline, "__call__", lambda *_args, **_keywords: calls.append(1))
    editor.set_style("hair", source)
    edited = editor.composited()
    assert not calls
    assert np.abs(edited[:40].astype(int) - photo[:40]).mean() > 5
