"""The styles that edits can name: the picture's own, those of the model's bank, and those of style photos."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sean.editing.styles import StyleCodes, mean_style
from sean.errors import InputError
from sean.labels import LabelSet

OWN = "own"
MEAN = "mean"
MAX_NAME = 100


class Sources:
    """Style codes by the source strings of `sean.editing.edits.SetStyle`.

    Args:
        labels: of the model.
        code_dim: width d of a region's code.
        bank: styles of the model's bank; may be empty.
    """

    def __init__(self, labels: LabelSet, code_dim: int, bank: Sequence[StyleCodes] = ()) -> None:
        self.labels = labels
        self._code_dim = code_dim
        self._bank = list(bank)
        k = labels.num_regions
        nothing = StyleCodes(torch.zeros(k, code_dim), torch.zeros(k, dtype=torch.bool), labels)
        self._mean = mean_style(self._bank) if self._bank else nothing
        self._own = self._mean
        self._photos: dict[str, StyleCodes] = {}

    @property
    def own(self) -> StyleCodes:
        """The picture's own styles; before there is a picture, the mean of the bank. Settable."""
        return self._own

    @own.setter
    def own(self, styles: StyleCodes) -> None:
        self._check(styles)
        self._own = styles

    @property
    def complete_own(self) -> StyleCodes:
        """The own styles as they are rendered: regions that they lack take the bank's mean."""
        return self._own.completed(self._mean)

    @property
    def photos(self) -> dict[str, StyleCodes]:
        """The style photos' styles by name, in the order in which they came; a copy."""
        return dict(self._photos)

    def add(self, name: str, styles: StyleCodes) -> str:
        """Add the styles of a style photo; what a name means never changes, so that edits mean the same later.

        Returns:
            Its source string.

        Raises:
            InputError: a name that is taken or none, or styles of another model.
        """
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise InputError(f"expected a name of 1 to {MAX_NAME} printable characters for a style photo, got {name!r}")
        if name in self._photos:
            raise InputError(f"there is a style photo named {name!r} already; choose another name")
        self._check(styles)
        self._photos[name] = styles
        return f"photo:{name}"

    def names(self) -> dict[str, tuple[str, ...]]:
        """All sources but those of single regions, and the names of the regions that each has a style for."""
        bank = [f"bank:{number}" for number in range(len(self._bank))]
        mean = [MEAN] if self._bank else []
        photos = [f"photo:{name}" for name in self._photos]
        return {source: self.get(source).regions for source in (OWN, *mean, *bank, *photos)}

    def get(self, source: str) -> StyleCodes:
        """The styles of a source; those of a region are that region's own for every region.

        Raises:
            InputError: there is no such source.
        """
        kind, _, name = source.partition(":")
        if source == OWN:
            return self._own
        if source == MEAN and self._bank:
            return self._mean
        if kind == "bank" and name.isdecimal() and int(name) < len(self._bank):
            return self._bank[int(name)]
        if kind == "photo" and name in self._photos:
            return self._photos[name]
        if kind == "region":
            region = self.labels.id_of(name)
            if not self._own.present[region]:
                raise InputError(f"the picture has no {name}; it has {', '.join(self._own.regions) or 'no region'}")
            everywhere = torch.ones_like(self._own.present)
            return StyleCodes(self._own.codes[region].expand_as(self._own.codes), everywhere, self.labels)
        raise InputError(f"there is no style {source!r}; {self._known(kind)}")

    def regions_from(self, source: str, regions: Sequence[str | int] | None) -> list[int]:
        """The label ids of regions whose style is to come from a source; None means all that it has.

        Raises:
            InputError: no such source or region, or the source has no style for one of them.
        """
        if source == OWN:  # where the picture lacks a region, that is how it was rendered at first
            ids = range(self.labels.num_regions)
            return list(ids) if regions is None else [self.labels.id_of(region) for region in regions]
        styles = self.get(source)
        if regions is None:
            return torch.nonzero(styles.present).flatten().tolist()
        chosen = [self.labels.id_of(region) for region in regions]
        missing = [self.labels.names[label] for label in chosen if not styles.present[label]]
        if missing:
            raise InputError(f"{source} has no {', '.join(missing)}; it has {', '.join(styles.regions) or 'no region'}")
        return chosen

    def code(self, label: int, setting: tuple[str, float] | None) -> Tensor:
        """The code [d] of a region: its own, or that mixed with a (source, strength)."""
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
        return f"the model's bank has {len(self._bank)} styles" + (", bank:0 on" if self._bank else "")
