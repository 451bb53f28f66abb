"""Style codes and their algebra: exchanging, interpolating and completing the styles of regions."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.weights import write_safetensors

Region = str | int


@dataclass(frozen=True, eq=False)
class StyleCodes:
    """One style code per region of a label set; immutable, every operation returns a new value.

    Attributes:
        codes: float32 [k, d] on the CPU, in (-1, 1); zero where a region is absent.
        present: bool [k], which regions have a style.
        labels: the label set that the rows belong to.
    """

    codes: Tensor
    present: Tensor
    labels: LabelSet

    def __post_init__(self) -> None:
        k = self.labels.num_regions
        if self.codes.ndim != 2 or self.codes.shape[0] != k or self.present.shape != (k,):
            raise InputError(
                f"expected codes [{k}, d] and present [{k}] for the labels '{self.labels.name}', "
                f"got {list(self.codes.shape)} and {list(self.present.shape)}"
            )

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that have a style."""
        return tuple(name for name, here in zip(self.labels.names, self.present.tolist(), strict=True) if here)

    def with_region(self, regions: Region | Iterable[Region], other: "StyleCodes") -> "StyleCodes":
        """These styles with one region's, or several regions', taken from `other` (paper, Fig. 1 and 2).

        Args:
            regions: label names or ids.
            other: where the styles come from.

        Raises:
            InputError: an unknown region, a region that `other` has no style for, or styles of another model.
        """
        self._check_matches(other)
        ids = self._ids(regions)
        missing = [self.labels.names[i] for i in ids if not other.present[i]]
        if missing:
            raise InputError(
                f"the style source has no {', '.join(missing)}; it has {', '.join(other.regions) or 'no region at all'}"
            )
        return self._take(other, ids)

    def lerp(
        self, other: "StyleCodes", weight: float, regions: Region | Iterable[Region] | None = None
    ) -> "StyleCodes":
        """Linear interpolation, (1 - weight) * self + weight * other (paper, Fig. 5).

        A region that only one of the two has a style for takes that one.

        Args:
            other: the styles at weight 1.
            weight: 0 gives self; values outside 0..1 extrapolate.
            regions: label names or ids to interpolate; None means all, the others stay as they are.

        Raises:
            InputError: an unknown region, a weight that is no number, or styles of another model.
        """
        self._check_matches(other)
        if not math.isfinite(weight):
            raise InputError(f"expected a finite interpolation weight, got {weight}")
        chosen = torch.zeros_like(self.present)
        chosen[self._ids(range(self.labels.num_regions) if regions is None else regions)] = True
        both = chosen & self.present & other.present
        codes = torch.where(both.unsqueeze(1), torch.lerp(self.codes, other.codes, weight), self.codes)
        only_other = chosen & other.present & ~self.present
        codes = torch.where(only_other.unsqueeze(1), other.codes, codes)
        return StyleCodes(codes, self.present | only_other, self.labels)

    def completed(self, other: "StyleCodes") -> "StyleCodes":
        """These styles, and those of `other` for the regions that have none here."""
        self._check_matches(other)
        return self._take(other, torch.nonzero(other.present & ~self.present).flatten().tolist())

    def save(self, path: str | Path) -> None:
        """Write a .safetensors file with codes, presence and labels."""
        save_style_codes(path, [self])

    @classmethod
    def load(cls, path: str | Path) -> "StyleCodes":
        """Read what `save` wrote; InputError when the file is missing, damaged or something else."""
        styles = load_style_codes(path)
        if len(styles) != 1:
            raise InputError(f"expected the style codes of one picture in {path}, got those of {len(styles)}")
        return styles[0]

    def _take(self, other: "StyleCodes", ids: Sequence[int]) -> "StyleCodes":
        codes, present = self.codes.clone(), self.present.clone()
        codes[ids] = other.codes[ids]
        present[ids] = other.present[ids]
        return StyleCodes(codes, present, self.labels)

    def _ids(self, regions: Region | Iterable[Region]) -> list[int]:
        if isinstance(regions, str | int):
            regions = [regions]
        return [self.labels.id_of(region) for region in regions]

    def _check_matches(self, other: "StyleCodes") -> None:
        if self.labels.names != other.labels.names or self.codes.shape != other.codes.shape:
            raise InputError(
                f"styles of different models do not mix: {list(self.codes.shape)} of '{self.labels.name}' and "
                f"{list(other.codes.shape)} of '{other.labels.name}'; encode both with one model"
            )


def mean_style(styles: Sequence[StyleCodes]) -> StyleCodes:
    """The mean code of every region over those of `styles` that have it."""
    if not styles:
        raise InputError("expected at least one style to average, got none")
    present = torch.stack([style.present for style in styles])
    sums = torch.stack([style.codes for style in styles]).sum(0)
    return StyleCodes(sums / present.sum(0).clamp_min(1).unsqueeze(1), present.any(0), styles[0].labels)


def save_style_codes(path: str | Path, styles: Sequence[StyleCodes], *, dtype: torch.dtype = torch.float32) -> None:
    """Write the styles of one or more pictures of one model into a .safetensors file, atomically.

    Args:
        path: must end in .safetensors.
        styles: at least one; all of one label set.
        dtype: of the codes on disk.
    """
    if Path(path).suffix != ".safetensors":
        raise InputError(f"expected a file name that ends in .safetensors for style codes, got {path}")
    tensors = {
        "codes": torch.stack([style.codes for style in styles]).to(dtype),
        "present": torch.stack([style.present for style in styles]),
    }
    write_safetensors(path, tensors, {"labels": json.dumps(styles[0].labels.to_dict())})


def load_style_codes(path: str | Path) -> list[StyleCodes]:
    """Read what `save_style_codes` wrote; InputError when the file is missing, damaged or something else."""
    if not Path(path).is_file():
        raise InputError(f"expected a style file, found none at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            labels = LabelSet.from_dict(json.loads((file.metadata() or {})["labels"]))
            codes, present = file.get_tensor("codes").float(), file.get_tensor("present").bool()
    except InputError:
        raise
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(f"{path} is no style file of sean or is damaged ({type(error).__name__}: {error})") from error
    return [StyleCodes(c, p, labels) for c, p in zip(codes, present, strict=True)]
