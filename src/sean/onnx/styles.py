"""Style codes as numpy arrays, with the algebra of `sean.StyleCodes`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

import numpy as np

from sean.errors import InputError
from sean.files import parse_json
from sean.labels import LabelSet

Region = str | SupportsIndex
_DTYPES = {"F16": np.float16, "F32": np.float32, "BOOL": np.bool_}


@dataclass(frozen=True, eq=False, repr=False)
class StyleCodes:
    """One style code per region of a label set; immutable, every operation returns a new value.

    Attributes:
        codes: float32 [k, d], in (-1, 1); zero where a region is absent.
        present: bool [k], which regions have a style.
        labels: the label set that the rows belong to.
    """

    codes: np.ndarray
    present: np.ndarray
    labels: LabelSet

    def __repr__(self) -> str:
        return f"StyleCodes({', '.join(self.regions) or 'no region'}; {self.codes.shape[1]} numbers a region)"

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that have a style."""
        return tuple(name for name, here in zip(self.labels.names, self.present, strict=True) if here)

    def with_region(self, regions: Region | Iterable[Region], other: "StyleCodes") -> "StyleCodes":
        """These styles with one region's, or several regions', taken from `other`.

        Args:
            regions: label names or ids, or groups as "face" and "lips"; labels of a group without a style in `other` do
                not change.
            other: where the styles come from.

        Raises:
            InputError: an unknown region, a region that `other` has no style for, or styles of another model.
        """
        self._check_matches(other)
        chosen: list[int] = []
        for region in _listed(regions):
            ids = [label for label in self.labels.ids_of(region) if other.present[label]]
            if not ids:
                has = ", ".join(other.regions) or "no region"
                raise InputError(f"the style source has no {region}; it has {has}")
            chosen += ids
        return self._take(other, chosen)

    def lerp(
        self, other: "StyleCodes", weight: float, regions: Region | Iterable[Region] | None = None
    ) -> "StyleCodes":
        """Linear interpolation, (1 - weight) * self + weight * other.

        A region with a style in only one of the two takes that style.

        Args:
            other: the styles at weight 1.
            weight: 0 gives self; values outside 0..1 extrapolate.
            regions: names, ids or groups to interpolate; None means all, the others stay as they are.

        Raises:
            InputError: an unknown region, a weight that is no number, or styles of another model.
        """
        self._check_matches(other)
        if not math.isfinite(weight):
            raise InputError(f"expected a finite interpolation weight, got {weight}")
        chosen = np.zeros_like(self.present)
        for region in range(self.labels.num_regions) if regions is None else _listed(regions):
            chosen[list(self.labels.ids_of(region))] = True
        both = chosen & self.present & other.present
        mixed = self.codes + np.float32(weight) * (other.codes - self.codes)
        result = StyleCodes(np.where(both[:, None], mixed, self.codes), self.present, self.labels)
        return result._take(other, np.flatnonzero(chosen & other.present & ~self.present))

    def crossover(self, other: "StyleCodes", num_blocks: int, total: int = 6) -> "list[StyleCodes]":
        """One style for each SEAN ResBlk, coarse to fine: these for the first `num_blocks`, `other` for the rest.

        Raises:
            InputError: a number of blocks outside 0..total.
        """
        self._check_matches(other)
        if not 0 <= num_blocks <= total:
            raise InputError(f"expected a number of blocks in 0..{total}, got {num_blocks}")
        return [self] * num_blocks + [other] * (total - num_blocks)

    def completed(self, other: "StyleCodes") -> "StyleCodes":
        """These styles, with those of `other` for regions without a style here."""
        self._check_matches(other)
        return self._take(other, np.flatnonzero(other.present & ~self.present))

    def _take(self, other: "StyleCodes", ids: Sequence[int] | np.ndarray) -> "StyleCodes":
        codes, present = self.codes.copy(), self.present.copy()
        codes[ids], present[ids] = other.codes[ids], other.present[ids]
        return StyleCodes(codes, present, self.labels)

    def _check_matches(self, other: "StyleCodes") -> None:
        if self.labels.names != other.labels.names or self.codes.shape != other.codes.shape:
            raise InputError(
                f"styles of different models do not mix: {list(self.codes.shape)} of '{self.labels.name}' and "
                f"{list(other.codes.shape)} of '{other.labels.name}'; encode both with one model"
            )


def mean_style(styles: Sequence[StyleCodes]) -> StyleCodes:
    """The mean code of every region over the `styles` in which it is present."""
    present = np.stack([style.present for style in styles])
    sums = np.stack([style.codes for style in styles]).sum(axis=0)
    counts = present.sum(axis=0)
    return StyleCodes(sums / np.maximum(counts, 1).astype(np.float32)[:, None], counts > 0, styles[0].labels)


def read_bank(path: Path, labels: LabelSet) -> list[StyleCodes]:
    """The styles of a style bank; InputError if the file is damaged or not a style bank.

    The format is safetensors: the length of a JSON header, the header, and the numbers.
    """
    try:
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = parse_json(data[8:start])

        def tensor(name: str) -> np.ndarray:
            row = header[name]
            first, last = row["data_offsets"]
            return np.frombuffer(data[start + first : start + last], _DTYPES[row["dtype"]]).reshape(row["shape"])

        codes, present = tensor("codes").astype(np.float32), tensor("present").astype(bool)
        if codes.ndim != 3 or codes.shape[1] != labels.num_regions or present.shape != codes.shape[:2]:
            raise ValueError(f"it holds codes {list(codes.shape)} for {labels.num_regions} labels")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no style bank of this model or is damaged ({error}); export the model again"
        ) from error
    return [StyleCodes(c, p, labels) for c, p in zip(codes, present, strict=True)]


def _listed(regions: Region | Iterable[Region]) -> list[Region]:
    return [regions] if isinstance(regions, str | SupportsIndex) else list(regions)
