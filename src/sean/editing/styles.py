"""Style codes and their algebra: exchanging, interpolating and completing the styles of regions."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

import numpy as np
import torch
from torch import Tensor

from sean.errors import InputError
from sean.files import is_file, parse_json
from sean.labels import LabelSet
from sean.models.weights import READ_ERRORS, read_content, write_safetensors

Region = str | SupportsIndex


@dataclass(frozen=True, eq=False, repr=False)
class StyleCodes:
    """One style code per region of a label set; immutable, every operation returns a new value.

    Two values are equal if their regions, codes and colours are.

    Attributes:
        codes: float32 [k, d] on the CPU, in (-1, 1); zero for absent regions.
        present: bool [k], whether a region has a style.
        labels: the label set that the rows belong to.
        mean_colours: float32 [k, 3], the mean colour of every region in the photo that the styles were encoded from,
            sRGB in [0, 255]; NaN if unknown. None if all are unknown, as in older style files.
        name: name of a bank style; else empty.
    """

    codes: Tensor
    present: Tensor
    labels: LabelSet
    mean_colours: Tensor | None = None
    name: str = ""

    def __post_init__(self) -> None:
        k = self.labels.num_regions
        if self.codes.ndim != 2 or self.codes.shape[0] != k or self.present.shape != (k,):
            raise InputError(
                f"expected codes [{k}, d] and present [{k}] for the labels '{self.labels.name}', "
                f"got {list(self.codes.shape)} and {list(self.present.shape)}"
            )
        if self.mean_colours is not None and self.mean_colours.shape != (k, 3):
            raise InputError(f"expected mean_colours [{k}, 3], got {list(self.mean_colours.shape)}")

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"StyleCodes({name}{', '.join(self.regions) or 'no region'}; {self.codes.shape[1]} numbers a region)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StyleCodes):
            return NotImplemented
        return (
            self.labels.names == other.labels.names
            and torch.equal(self.present, other.present)
            and torch.equal(self.codes, other.codes)
            and torch.equal(_colour_rows(self).nan_to_num(-1.0), _colour_rows(other).nan_to_num(-1.0))
        )

    def __hash__(self) -> int:
        return hash((self.labels.names, self.codes.shape, self.regions))

    @property
    def colours(self) -> dict[str, str] | None:
        """The known mean colours of regions as "#rrggbb", by name; None if `mean_colours` is None."""
        if self.mean_colours is None:
            return None
        known = {name: self.mean_colours[self.labels.id_of(name)].round() for name in self.regions}
        return {
            name: "#{:02x}{:02x}{:02x}".format(*(int(level) for level in levels.tolist()))
            for name, levels in known.items()
            if not levels.isnan().any()
        }

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that have a style."""
        return tuple(name for name, here in zip(self.labels.names, self.present.tolist(), strict=True) if here)

    def with_region(self, regions: Region | Iterable[Region], other: "StyleCodes") -> "StyleCodes":
        """These styles with the styles of some regions replaced by those of `other` (paper, Fig. 1 and 2).

        Args:
            regions: label names or ids, or groups such as "face" and "lips" (see `LabelSet.groups`); labels of a group
                without a style in `other` do not change.
            other: source of the styles.

        Raises:
            InputError: an unknown region, a region that `other` has no style for, or styles of another model.
        """
        self._check_matches(other)
        return self._take(other, chosen_regions(other, regions, "the style source"))

    def lerp(
        self, other: "StyleCodes", weight: float, regions: Region | Iterable[Region] | None = None
    ) -> "StyleCodes":
        """Linear interpolation, (1 - weight) * self + weight * other (paper, Fig. 5).

        A region with a style in only one of the two takes that style.

        Args:
            other: the styles at weight 1.
            weight: 0 gives self; values outside 0..1 extrapolate.
            regions: label names or ids to interpolate, None for all; other regions do not change.

        Raises:
            InputError: an unknown region, a weight that is not a finite number, or styles of another model.
        """
        self._check_matches(other)
        if not math.isfinite(weight):
            raise InputError(f"expected a finite interpolation weight, got {weight}")
        chosen = torch.zeros_like(self.present)
        for region in range(self.labels.num_regions) if regions is None else listed(regions):
            chosen[list(self.labels.ids_of(region))] = True
        both = (chosen & self.present & other.present).unsqueeze(1)
        only_other = (chosen & other.present & ~self.present).unsqueeze(1)

        def mixed(own: Tensor, others: Tensor) -> Tensor:
            between = torch.where(both, torch.lerp(own, others, weight), own)
            return torch.where(only_other, others, between)

        colours = mixed(_colour_rows(self), _colour_rows(other)).clamp(0, 255)
        present = self.present | only_other[:, 0]
        return StyleCodes(mixed(self.codes, other.codes), present, self.labels, _known(colours))

    def completed(self, other: "StyleCodes") -> "StyleCodes":
        """These styles, completed by those of `other` for regions without a style."""
        self._check_matches(other)
        return self._take(other, torch.nonzero(other.present & ~self.present).flatten().tolist())

    def save(self, path: str | Path) -> None:
        """Write a .safetensors file with codes, presence and labels."""
        save_style_codes(path, [self])

    @classmethod
    def load(cls, path: str | Path) -> "StyleCodes":
        """Read a file written by `save`; InputError if the file is missing, damaged or something else."""
        styles = load_style_codes(path)
        if len(styles) != 1:
            raise InputError(f"expected the style codes of one picture in {path}, got those of {len(styles)}")
        return styles[0]

    def _take(self, other: "StyleCodes", ids: Sequence[int]) -> "StyleCodes":
        codes, present = self.codes.clone(), self.present.clone()
        codes[ids] = other.codes[ids]
        present[ids] = other.present[ids]
        colours = _colour_rows(self).clone()
        colours[ids] = _colour_rows(other)[ids]
        return StyleCodes(codes, present, self.labels, _known(colours))

    def _check_matches(self, other: "StyleCodes") -> None:
        if not isinstance(other, StyleCodes):
            raise InputError(f"expected StyleCodes, got {type(other).__name__}; encode a photo with the pipeline")
        if self.labels.names != other.labels.names or self.codes.shape != other.codes.shape:
            raise InputError(
                f"styles of different models do not mix: {list(self.codes.shape)} of '{self.labels.name}' and "
                f"{list(other.codes.shape)} of '{other.labels.name}'; encode both with one model"
            )


def listed(regions: Region | Iterable[Region]) -> list[Region]:
    """One or several regions as a list."""
    return [regions] if isinstance(regions, str | SupportsIndex) else list(regions)


def chosen_regions(source: StyleCodes, regions: Region | Iterable[Region], name: str) -> list[int]:
    """The ids of regions to take from `source`.

    Args:
        source: styles with all given regions, and with at least one label of every group.
        regions: names or ids of labels, or names of groups.
        name: name of the source, for messages.

    Raises:
        InputError: an unknown region, or the source has no style for one of them.
    """
    chosen: list[int] = []
    missing: list[str] = []
    for region in listed(regions):
        ids = source.labels.ids_of(region)
        has = [label for label in ids if source.present[label]]
        if not has:
            missing.append(str(region) if len(ids) > 1 else source.labels.names[ids[0]])
        chosen += [label for label in has if label not in chosen]
    if missing:
        raise InputError(f"{name} has no {', '.join(missing)}; it has {', '.join(source.regions) or 'no region'}")
    return chosen


def _colour_rows(style: StyleCodes) -> Tensor:
    unknown = torch.full((style.labels.num_regions, 3), torch.nan)
    return unknown if style.mean_colours is None else style.mean_colours


def _known(colours: Tensor) -> Tensor | None:
    return None if colours.isnan().all() else colours


def mean_style(styles: Sequence[StyleCodes]) -> StyleCodes:
    """The mean code of every region over those `styles` that have the region."""
    if not styles:
        raise InputError("expected at least one style to average, got none")
    present = torch.stack([style.present for style in styles])
    counts = present.sum(0).clamp_min(1).unsqueeze(1)
    colours = torch.stack([_colour_rows(style) for style in styles]).nanmean(0)
    codes = torch.stack([style.codes for style in styles]).sum(0) / counts
    return StyleCodes(codes, present.any(0), styles[0].labels, _known(colours))


def save_style_codes(path: str | Path, styles: Sequence[StyleCodes], *, dtype: torch.dtype = torch.float32) -> None:
    """Write the styles of one or more pictures of one model into a .safetensors file, atomically.

    Args:
        path: a path that ends in .safetensors.
        styles: at least one; all with the same label set.
        dtype: dtype of the codes on disk.
    """
    if Path(path).suffix != ".safetensors":
        raise InputError(f"expected a file name that ends in .safetensors for style codes, got {path}")
    tensors = {
        "codes": torch.stack([style.codes for style in styles]).to(dtype),
        "present": torch.stack([style.present for style in styles]),
    }
    if any(style.mean_colours is not None for style in styles):
        tensors["mean_colours"] = torch.stack([_colour_rows(style) for style in styles]).to(dtype)
    metadata = {"labels": json.dumps(styles[0].labels.to_dict())}
    if any(style.name for style in styles):
        metadata["names"] = json.dumps([style.name for style in styles])
    write_safetensors(path, tensors, metadata)


def load_style_codes(path: str | Path) -> list[StyleCodes]:
    """Read a file written by `save_style_codes`; InputError if the file is missing, damaged or something else."""
    if not is_file(path):
        raise InputError(f"expected a style file, found none at {path}")
    try:
        tensors, metadata = read_content(path)
        labels = LabelSet.from_dict(parse_json(metadata["labels"]))
        codes, present = tensors["codes"].float(), tensors["present"].bool()
        colours: list[Tensor | None] = [None] * len(codes)
        if "mean_colours" in tensors:
            colours = [_known(rows) for rows in tensors["mean_colours"].float()]
        names = [str(name) for name in parse_json(metadata.get("names", "null")) or [""] * len(codes)]
        rows = zip(codes, present, colours, names, strict=True)
        return [StyleCodes(code, here, labels, colour, name) for code, here, colour, name in rows]
    except InputError as error:
        raise InputError(f"{path} is no style file of sean: {error}") from error
    except (*READ_ERRORS, KeyError, RecursionError, TypeError) as error:
        raise InputError(f"{path} is no style file of sean or is damaged ({type(error).__name__}: {error})") from error


def mean_colours(image: np.ndarray, segmap: np.ndarray, num_regions: int) -> Tensor:
    """The mean colour [k, 3] of every region of uint8 [h, w, 3]; NaN for absent regions."""
    ids, levels = segmap.ravel(), image.reshape(-1, 3)
    pixels = np.bincount(ids, minlength=num_regions + 1)[:num_regions]
    sums = [np.bincount(ids, weights=channel, minlength=num_regions + 1)[:num_regions] for channel in levels.T]
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.stack(sums, axis=1) / pixels[:, None]).float()
