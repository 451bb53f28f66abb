"""Style banks: varied pictures of a data set, chosen by the colours of their regions, and the names of their styles.

A face is named by the feature that it is the example of ("auburn", "red-lips", "deep-skin"), and edits find its style
by that name ("bank:auburn"). Other label sets have no such names; their pictures differ as far as possible.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sean.compositing.colour import parse_colour, srgb_to_lab
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import RegionChange, recoloured
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

HAIR_COLOURS = {
    "black": ("#1b1715", "#2b2522"),
    "brown": ("#3f2c20", "#5b4030", "#6f5038", "#86664f"),
    "auburn": ("#48251a", "#5a2618", "#7a3320"),
    "red": ("#a3441f", "#a85a30"),
    "blond": ("#a68a62", "#b49e88", "#b8935f", "#d8bd8c", "#e8dcc4"),
    "grey": ("#6e6a68", "#8d8a87", "#aaa7a2"),
    "white": ("#dcdad6", "#f2f1ef"),
    "blue": ("#2f4f9e", "#6d8fd0"),
    "pink": ("#cf7a9a", "#e8a9c0"),
    "purple": ("#5e3a86", "#8e68b0"),
    "green": ("#2f6b4a", "#6fae80"),
}
"""Names of hair colours, and sRGB colours that have the name."""

# Mean colours of the regions, as photos show them.
_COLOURS: dict[str, dict[str, str]] = {
    "hair": {name: colours[len(colours) // 2] for name, colours in HAIR_COLOURS.items()},
    "skin": {"porcelain": "#e9c9b8", "fair": "#e0b8a2", "tan": "#c08d6c", "brown": "#8a5a3c", "deep": "#63412f"},
    "lips": {"red": "#a8232c", "pink": "#d9808c", "nude": "#bf8d7a", "dark": "#5f2a30"},
    "eyes": {"blue": "#647785", "green": "#5c735d", "grey": "#75777a", "brown": "#52352a"},
    "background": {
        "white": "#f4f4f4", "grey": "#808080", "black": "#0c0c0c", "blue": "#4a7ab8", "green": "#4f7a3a",
        "red": "#a83030", "yellow": "#d8b03c",
    },
    "clothes": {
        "white": "#ececec", "black": "#141414", "red": "#b02830", "blue": "#2f4fa0", "green": "#3f7040",
        "yellow": "#dcb83c", "pink": "#d888a8",
    },
}  # fmt: skip
_PARTS = {
    "hair": ("hair",),
    "skin": ("skin", "nose"),
    "lips": ("u_lip", "l_lip"),
    "eyes": ("l_eye", "r_eye"),
    "background": ("background",),
    "clothes": ("cloth",),
}
# Least share of the picture of each part: the colour of a smaller part is only that of its edge.
_LEAST_SHARE = {"hair": 0.08, "skin": 0.15, "lips": 0.006, "eyes": 0.003, "background": 0.1, "clothes": 0.04}
_RARE = {"eye_g": "glasses", "hat": "hat", "ear_r": "earrings"}
_RARE_SHARE = 0.002  # of the picture, from which a rare region is shown
# Without the white of the eye, the pupil and the lashes.
_IRIS = (15, 55)
# Hue (degrees) and chroma in Lab of skin in plain light; a coloured light would be in all the styles of a picture.
_SKIN_HUES = (35, 75)
_MOST_SKIN_CHROMA = 38
_NEAR = 14.0  # largest distance in Lab between a picture's colour and the named colour whose name it gets
_DYED = "hair"


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureColours:
    """The colours of a picture's regions.

    Attributes:
        shares: float [k], of the picture, by label.
        colours: Lab [g, 3] of the parts that looks are chosen by; NaN where the picture does not show the part.
    """

    shares: np.ndarray
    colours: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Look:
    """A picture for a bank.

    Attributes:
        index: number of the picture.
        name: what it is the example of; empty for label sets without names.
        dye: the colour as "#rrggbb" that the hair takes before the picture is encoded; None: it stays.
    """

    index: int
    name: str
    dye: str | None = None


def picture_colours(image: np.ndarray, segmap: np.ndarray, labels: LabelSet) -> PictureColours:
    """The colours of a picture's regions.

    Args:
        image: uint8 [h, w, 3].
        segmap: label ids [h, w].
        labels: label set of the map.
    """
    lab = srgb_to_lab(image)
    counts = np.bincount(segmap.ravel(), minlength=labels.num_regions)[: labels.num_regions]
    colours = []
    for name, ids in _parts(labels):
        pixels = lab[np.isin(segmap, ids)]
        if name == "eyes" and len(pixels):
            low, high = np.percentile(pixels[:, 0], _IRIS)
            pixels = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)]
        colours.append(pixels.mean(axis=0) if len(pixels) else np.full(3, np.nan))
    return PictureColours(shares=counts / segmap.size, colours=np.stack(colours))


def varied_looks(pictures: Sequence[PictureColours], labels: LabelSet, count: int) -> list[Look]:
    """Pictures that differ in the colours of their regions.

    Of faces with CelebAMask-HQ's labels: one for each named colour of hair, skin, lips, eyes, background and clothes,
    for colours of hair that no picture has, one whose hair is to be dyed; some with glasses, hat and earrings; and the
    rest as far as possible from those, named by the hair.

    Args:
        pictures: the colours of each.
        labels: label set of their maps.
        count: how many; fewer where there are fewer pictures.
    """
    shares = np.stack([picture.shares for picture in pictures])
    colours = np.stack([picture.colours for picture in pictures])
    shown = (shares > 0).sum(axis=1)
    complete = shown >= np.median(shown)
    looks: list[Look] = []
    if labels.names == CELEBAMASK_HQ.names:
        whole = _whole_faces(shares, labels) & _in_plain_light(colours)
        complete = whole if whole.any() else complete
        looks = list(_named(colours, np.where(whole)[0]))
        for label, name in _RARE.items():
            looks += _showing(shares, labels.id_of(label), name, {look.index for look in looks})
    looks = looks[:count]
    looks += _distant(colours, complete, looks, min(count, len(pictures)) - len(looks))
    return _with_hair_names(looks, colours) if labels.names == CELEBAMASK_HQ.names else looks


def dyed(image: np.ndarray, segmap: np.ndarray, labels: LabelSet, colour: str) -> np.ndarray:
    """A face, uint8 [h, w, 3], with hair of another colour ("#rrggbb")."""
    size = (segmap.shape[0], segmap.shape[1])
    guide = PhotoGuide(image, Frame.whole(*size), size)
    return recoloured(guide, [RegionChange(mask=segmap == labels.id_of(_DYED), target=parse_colour(colour))])


def hair_colour(lab: Sequence[float]) -> str:
    """The name whose colours in `HAIR_COLOURS` are nearest to a colour in Lab."""
    known = [(name, parse_colour(colour).mean) for name, colours in HAIR_COLOURS.items() for colour in colours]
    return min(known, key=lambda each: float(np.square(np.subtract(each[1], lab)).sum()))[0]


def with_names(styles: Sequence[StyleCodes], names: Sequence[str]) -> list[StyleCodes]:
    """Styles with names.

    Raises:
        InputError: another number of names, or one that is empty, a number, twice there, or no word of a source.
    """
    if len(names) != len(styles):
        raise InputError(f"expected {len(styles)} names, one for each style of the bank, got {len(names)}")
    for name in names:
        if not re.fullmatch(r"[\w][\w .-]{0,99}", name) or name.isdecimal() or names.count(name) > 1:
            raise InputError(
                f"expected names of letters, digits, spaces, dots and hyphens, each once, no number, got {name!r}"
            )
    return [replace(style, name=name) for style, name in zip(styles, names, strict=True)]


def _parts(labels: LabelSet) -> list[tuple[str, list[int]]]:
    if labels.names == CELEBAMASK_HQ.names:
        return [(part, [labels.id_of(name) for name in names]) for part, names in _PARTS.items()]
    return [(name, [number]) for number, name in enumerate(labels.names)]


def _whole_faces(shares: np.ndarray, labels: LabelSet) -> np.ndarray:
    """The faces that show every part well, both eyes and brows, and neither hat nor glasses."""
    parts = dict(_parts(labels))
    well = [shares[:, parts[part]].sum(axis=1) >= least for part, least in _LEAST_SHARE.items()]
    pairs = [shares[:, labels.id_of(name)] > 0.001 for name in ("l_eye", "r_eye", "l_brow", "r_brow")]
    bare = [shares[:, labels.id_of(name)] < _RARE_SHARE for name in ("hat", "eye_g")]
    whole: np.ndarray = np.all([*well, *pairs, *bare], axis=0)
    return whole


def _in_plain_light(colours: np.ndarray) -> np.ndarray:
    _, a, b = np.moveaxis(colours[:, list(_PARTS).index("skin")], -1, 0)
    hue = np.degrees(np.arctan2(b, a))
    plain: np.ndarray = (hue > _SKIN_HUES[0]) & (hue < _SKIN_HUES[1]) & (np.hypot(a, b) < _MOST_SKIN_CHROMA)
    return plain


def _named(colours: np.ndarray, candidates: np.ndarray) -> Iterator[Look]:
    used: set[int] = set()

    def nearest(number: int, colour: str) -> tuple[int, float]:
        free = [index for index in candidates.tolist() if index not in used]
        if not free:
            return -1, np.inf
        distances = np.linalg.norm(colours[free, number] - np.array(parse_colour(colour).mean), axis=1)
        return free[int(distances.argmin())], float(distances.min())

    for number, part in enumerate(_PARTS):
        for name, colour in _COLOURS[part].items():
            index, distance = nearest(number, colour)
            dye = None
            if distance > _NEAR and part == _DYED:  # hair that is light already takes every colour
                index, _ = nearest(number, _COLOURS[_DYED]["blond"])
                dye = colour
            elif distance > _NEAR:
                continue
            if index >= 0:
                used.add(index)
                yield Look(index=index, name=name if part == _DYED else f"{name}-{part}", dye=dye)


def _showing(shares: np.ndarray, label: int, name: str, used: set[int]) -> list[Look]:
    """Two pictures that show a rare region: neither the least nor the most of it."""
    found = [int(i) for i in np.argsort(shares[:, label]) if shares[i, label] > _RARE_SHARE and int(i) not in used]
    picked = sorted({len(found) // 3, 2 * len(found) // 3}) if found else []
    return [Look(index=found[at], name=_numbered(name, number)) for number, at in enumerate(picked)]


def _distant(colours: np.ndarray, complete: np.ndarray, looks: Sequence[Look], count: int) -> list[Look]:
    """Farthest-point sampling: each picture is the one whose colours are farthest from all chosen before."""
    centre = np.nan_to_num(np.nanmean(colours, axis=0))
    points = np.where(np.isnan(colours), centre, colours).reshape(len(colours), -1)
    used = [look.index for look in looks]
    free = complete.copy()
    free[used] = False
    if free.sum() < count:  # the incomplete ones too
        free = np.ones_like(complete)
        free[used] = False
    # the first of all is the most ordinary one
    distances = np.linalg.norm(points[:, None] - points[used], axis=2).min(axis=1) if used else None
    chosen = []
    for _ in range(count):
        score = -np.linalg.norm(points - centre.ravel(), axis=1) if distances is None else distances
        index = int(np.where(free, score, -np.inf).argmax())
        chosen.append(Look(index=index, name=""))
        free[index] = False
        added = np.linalg.norm(points - points[index], axis=1)
        distances = added if distances is None else np.minimum(distances, added)
    return chosen


def _with_hair_names(looks: Sequence[Look], colours: np.ndarray) -> list[Look]:
    """The looks without a name take that of their hair, with a number where it is taken."""
    taken = {look.name for look in looks}
    named = []
    for look in looks:
        hair = colours[look.index, list(_PARTS).index("hair")]
        if not look.name and not np.isnan(hair).any():
            name = hair_colour(hair.tolist())
            name = next(each for number in itertools.count() if (each := _numbered(name, number)) not in taken)
            taken.add(name)
            look = replace(look, name=name)
        named.append(look)
    return named


def _numbered(name: str, before: int) -> str:
    return f"{name}-{before + 1}" if before else name
