"""Names and colours of style banks."""

import numpy as np
import pytest

from sean.compositing.colour import parse_colour, srgb_to_lab
from sean.editing.bank import (
    _COLOURS,
    HAIR_COLOURS,
    PictureColours,
    dyed,
    hair_colour,
    picture_colours,
    varied_looks,
    with_names,
)
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.sources import Sources
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

from ..support.pipelines import random_styles

HAIR = CELEBAMASK_HQ.id_of("hair")


def test_every_colour_has_its_own_name() -> None:
    for name, colours in HAIR_COLOURS.items():
        for colour in colours:
            assert hair_colour(parse_colour(colour).mean) == name
    assert hair_colour(parse_colour("#101010").mean) == "black"
    assert hair_colour(parse_colour("#3c5cb0").mean) == "blue"


def face(**colours: str) -> PictureColours:
    """A face of drawn proportions; parts that are not named are in a middle colour."""
    parts = {"hair": "#6f5038", "skin": "#c99f86", "lips": "#bf8d7a", "eyes": "#52352a"}
    parts |= {"background": "#808080", "clothes": "#606060", **colours}
    shares = np.zeros(19)
    for name, share in {"hair": 0.2, "skin": 0.3, "background": 0.3, "cloth": 0.1}.items():
        shares[CELEBAMASK_HQ.id_of(name)] = share
    for name in ("u_lip", "l_lip", "l_eye", "r_eye", "l_brow", "r_brow"):
        shares[CELEBAMASK_HQ.id_of(name)] = 0.01
    return PictureColours(shares=shares, colours=np.array([parse_colour(colour).mean for colour in parts.values()]))


def test_looks_are_the_pictures_of_the_named_colours() -> None:
    pictures = [face() for _ in range(60)]
    pictures[57] = face(hair="#1d1816")
    pictures[51] = face(lips="#a8232c")
    pictures[53] = face(background="#4a7ab8")
    looks = {look.name: look for look in varied_looks(pictures, CELEBAMASK_HQ, 60)}
    assert looks["black"].index == 57
    assert looks["red-lips"].index == 51
    assert looks["blue-background"].index == 53
    assert "green-background" not in looks, "no picture shows it"
    assert looks["black"].dye is None
    blue = looks["blue"]
    assert blue.dye is not None
    assert hair_colour(parse_colour(blue.dye).mean) == "blue"
    indices = [look.index for look in looks.values()]
    assert len(set(indices)) == len(indices) == 60
    assert all(looks), "every look of a face has a name"


def test_faces_in_coloured_light_or_half_hidden_are_no_looks() -> None:
    lit = face(skin="#7a4fd0", lips="#a8232c")
    hidden = face(lips="#a8232c")
    hidden.shares[CELEBAMASK_HQ.id_of("l_eye")] = 0
    looks = varied_looks([lit, hidden, *(face() for _ in range(30))], CELEBAMASK_HQ, 20)
    assert not {0, 1} & {look.index for look in looks}
    assert "red-lips" not in {look.name for look in looks}


def test_rare_regions_are_in_the_bank() -> None:
    pictures = [face() for _ in range(20)]
    for index in (3, 4, 5):
        pictures[index].shares[CELEBAMASK_HQ.id_of("hat")] = 0.1
    names = {look.name: look.index for look in varied_looks(pictures, CELEBAMASK_HQ, 20)}
    assert {names["hat"], names["hat-2"]} < {3, 4, 5}


def test_looks_of_other_labels_are_far_from_each_other() -> None:
    roads = LabelSet(name="roads", names=("road", "sky"))
    levels = [0, 1, 2, 50, 98, 99, 100]
    pictures = [
        PictureColours(shares=np.array([0.5, 0.5]), colours=np.array([[level, 0, 0], [50, 0, 0]], dtype=float))
        for level in levels
    ]
    looks = varied_looks(pictures, roads, 3)
    assert {levels[look.index] for look in looks} == {0, 50, 100}
    assert {look.name for look in looks} == {""}
    assert len(varied_looks(pictures, roads, 20)) == len(levels)


def test_colours_of_a_picture() -> None:
    segmap = np.zeros((8, 8), dtype=np.int64)
    segmap[4:] = HAIR
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    image[:4], image[4:] = (255, 255, 255), (90, 60, 40)
    found = picture_colours(image, segmap, CELEBAMASK_HQ)
    assert found.shares[[0, HAIR]].tolist() == [0.5, 0.5]
    assert hair_colour(found.colours[0].tolist()) == "brown"
    assert np.isnan(found.colours[2]).all(), "there are no lips"


def test_dyed_hair_leaves_the_face() -> None:
    segmap = np.full((64, 64), CELEBAMASK_HQ.id_of("skin"))
    segmap[:32] = HAIR
    image = np.empty((64, 64, 3), dtype=np.uint8)
    image[:32], image[32:] = (200, 170, 120), (220, 180, 160)
    blue = dyed(image, segmap, CELEBAMASK_HQ, "#2f4f9e")
    assert hair_colour(srgb_to_lab(blue[16, 16][None])[0].tolist()) == "blue"
    assert (blue[48:] == image[48:]).all()


def test_names_are_sources() -> None:
    bank = with_names([random_styles(0), random_styles(1)], ["night", "light brown"])
    sources = Sources(CELEBAMASK_HQ, bank[0].codes.shape[1], bank)
    assert sources.get("bank:light brown") is bank[1]
    assert sources.get("bank:0") is bank[0]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", ""], ["a", "7"], ["a", "x,y"]])
def test_other_names_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="names"):
        with_names([random_styles(0), random_styles(1)], names)


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


def test_skins_of_the_bundled_bank_are_lit() -> None:
    """A look taken from a dark photo would paint faces black: looks of skin have the colours of their names."""
    looks = {style.name: style.mean_colours for style in SEANPipeline.from_pretrained("portraits-256").style_bank}
    skin = CELEBAMASK_HQ.id_of("skin")
    for name, colour in _COLOURS["skin"].items():
        colours = looks[f"{name}-skin"]
        assert colours is not None
        found = srgb_to_lab(colours[skin].round().numpy().astype(np.uint8)[None])[0]
        assert np.linalg.norm(found - parse_colour(colour).mean) < 10, name
