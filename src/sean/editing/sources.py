"""The sources of styles for edits: the picture's own styles, the model's bank, style photos, and colours."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from sean.compositing.colour import lab_to_srgb, parse_colour, srgb_to_lab
from sean.editing.styles import StyleCodes, chosen_regions, mean_style
from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.configs import COLOR_DIM

OWN = "own"
MEAN = "mean"
MAX_NAME = 100


def is_colour(source: str) -> bool:
    """Whether a source string is a colour, "#7a1f2b"."""
    return source.startswith("#")


class Sources:
    """Style codes by the source strings of `sean.editing.edits.SetStyle`.

    Args:
        labels: label set of the model.
        code_dim: width d of a region's code.
        bank: styles of the model's bank; may be empty.
        bank_colours: returns the mean colours [n, k, 3] of the n bank styles, sRGB in [0, 255], NaN if unknown; called
            when an edit first uses a colour.
        keeps_colours: whether codes begin with the region's mean colour (`SEANConfig.mean_color`).
    """

    def __init__(
        self,
        labels: LabelSet,
        code_dim: int,
        bank: Sequence[StyleCodes] = (),
        bank_colours: Callable[[], Tensor] | None = None,
        *,
        keeps_colours: bool = False,
    ) -> None:
        self.labels = labels
        self._code_dim = code_dim
        self._bank = list(bank)
        k = labels.num_regions
        nothing = StyleCodes(torch.zeros(k, code_dim), torch.zeros(k, dtype=torch.bool), labels)
        self._mean = mean_style(self._bank) if self._bank else nothing
        self._own = self._mean
        self._photos: dict[str, StyleCodes] = {}
        self._bank_colours = bank_colours
        self._keeps_colours = keeps_colours
        self._colours: dict[str, StyleCodes] = {}

    @property
    def own(self) -> StyleCodes:
        """The picture's own styles; without a picture, the mean of the bank. Settable."""
        return self._own

    @own.setter
    def own(self, styles: StyleCodes) -> None:
        self._check(styles)
        self._own = styles

    @property
    def complete_own(self) -> StyleCodes:
        """The own styles as rendered: missing regions take the bank's mean."""
        return self._own.completed(self._mean)

    @property
    def photos(self) -> dict[str, StyleCodes]:
        """A copy of the style photos' styles by name, in the order in which they were added."""
        return dict(self._photos)

    def add(self, name: str, styles: StyleCodes) -> str:
        """Add the styles of a style photo. Names are never reused, so that the meaning of edits does not change.

        Returns:
            The source string.

        Raises:
            InputError: the name is empty or exists, or the styles belong to another model.
        """
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise InputError(f"expected a name of 1 to {MAX_NAME} printable characters for a style photo, got {name!r}")
        if name in self._photos:
            raise InputError(f"there is a style photo named {name!r} already; choose another name")
        self._check(styles)
        self._photos[name] = styles
        return f"photo:{name}"

    def names(self) -> dict[str, tuple[str, ...]]:
        """All sources except single regions and colours, with the names of their regions."""
        bank = [f"bank:{number}" for number in range(len(self._bank))]
        mean = [MEAN] if self._bank else []
        photos = [f"photo:{name}" for name in self._photos]
        return {source: self.get(source).regions for source in (OWN, *mean, *bank, *photos)}

    def get(self, source: str) -> StyleCodes:
        """The styles of a source; the source of a single region gives its own style to every region.

        Raises:
            InputError: the source does not exist.
        """
        kind, _, name = source.partition(":")
        if source == OWN:
            return self._own
        if source == MEAN and self._bank:
            return self._mean
        if kind == "bank":
            return self._bank_style(source, name)
        if kind == "photo" and name in self._photos:
            return self._photos[name]
        if kind == "region":
            region = self.labels.id_of(name)
            if not self._own.present[region]:
                raise InputError(f"the picture has no {name}; it has {', '.join(self._own.regions) or 'no region'}")
            everywhere, colours = torch.ones_like(self._own.present), self._own.mean_colours
            if colours is not None:
                colours = colours[region].expand_as(colours)
            return StyleCodes(self._own.codes[region].expand_as(self._own.codes), everywhere, self.labels, colours)
        if is_colour(source):
            return self._in_colour(source)
        raise InputError(f"there is no style {source!r}; {self._known(kind)}")

    def memory(self) -> Iterator[Tensor]:
        """The codes of the picture and of the style photos."""
        yield from (style.codes for style in (self._own, *self._photos.values(), *self._colours.values()))

    def forget_colours(self) -> None:
        """Forget the colours of the bank, which depend on the regions of the map."""
        self._colours.clear()

    def _bank_style(self, source: str, name: str) -> StyleCodes:
        if name.isascii() and name.isdecimal():
            if int(name) < len(self._bank):
                return self._bank[int(name)]
        elif found := [style for style in self._bank if style.name == name]:
            return found[0]
        raise InputError(f"there is no style {source!r}; {self._known('bank')}")

    def _in_colour(self, colour: str) -> StyleCodes:
        """For every region the bank style with the nearest colour in Lab; `mean_colours` are the given colour."""
        if colour in self._colours:
            return self._colours[colour]
        if not self._bank or self._bank_colours is None:
            raise InputError(f"expected a model with a style bank for the colour {colour}; take the style of a photo")
        wanted = np.array(parse_colour(colour).mean)
        known = self._bank_colours().numpy()
        distances = np.square(srgb_to_lab(np.nan_to_num(known).round().astype(np.uint8)) - wanted).sum(axis=2)
        distances[np.isnan(known).any(axis=2)] = np.inf
        codes = self._mean.codes.clone()
        for label in np.flatnonzero(np.isfinite(distances).any(axis=0)).tolist():
            codes[label] = self._bank[int(distances[:, label].argmin())].codes[label]
        levels = lab_to_srgb(wanted[None].astype(np.float32))[0].astype(np.float32)
        colours = torch.from_numpy(levels).expand(self.labels.num_regions, 3).clone()
        if self._keeps_colours:
            codes[self._mean.present, :COLOR_DIM] = colours[self._mean.present] / 127.5 - 1
        self._colours[colour] = StyleCodes(codes, self._mean.present, self.labels, colours)
        return self._colours[colour]

    def regions_from(self, source: str, regions: Sequence[str | int] | None) -> list[int]:
        """The label ids of regions that take their style from a source; None means all regions of the source.

        Raises:
            InputError: the source or region does not exist, or the source lacks a region.
        """
        if source == OWN:  # also regions missing from the picture, which can return to their first style
            chosen = range(self.labels.num_regions) if regions is None else regions
            return list(dict.fromkeys(label for region in chosen for label in self.labels.ids_of(region)))
        styles = self.get(source)
        if regions is None:
            return torch.nonzero(styles.present).flatten().tolist()
        return chosen_regions(styles, regions, source)

    def code(self, label: int, setting: tuple[str, float] | None) -> Tensor:
        """The code [d] of a region: its own, interpolated towards a (source, strength) if given."""
        own = self.complete_own.codes[label]
        if setting is None:
            return own
        source, strength = setting
        return torch.lerp(own, self.get(source).codes[label], strength)

    def _check(self, styles: StyleCodes) -> None:
        if styles.labels.names != self.labels.names or styles.codes.shape[1] != self._code_dim:
            raise InputError(
                f"expected styles of this model, [{self.labels.num_regions}, {self._code_dim}] of "
                f"{self.labels.name!r}, got {list(styles.codes.shape)} of {styles.labels.name!r}"
            )

    def _known(self, kind: str) -> str:
        if kind == "photo":
            return f"style photos here: {', '.join(self._photos) or 'none'}"
        names = [style.name for style in self._bank if style.name]
        named = f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else ""
        return f"the model's bank has {len(self._bank)} styles" + (f", bank:0 on{named}" if self._bank else "")
