"""Which styles a copy gets and how its map moves, drawn from the seed, the picture's name and the copy's number alone."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sean.augmentation.settings import AugmentSettings
from sean.data.paired import Pair
from sean.errors import InputError
from sean.labels import LabelSet

BANK = "bank"


@dataclass(frozen=True, kw_only=True, order=True)
class Part:
    """A region of a picture, or an object in it.

    Attributes:
        label: the id.
        instance: number of the object; 0 for the whole region.
    """

    label: int
    instance: int = 0

    def mask(self, segmap: np.ndarray, instances: np.ndarray | None) -> np.ndarray:
        """Where the part lies: bool [h, w]."""
        area: np.ndarray = segmap == self.label
        return area if not self.instance or instances is None else area & (instances == self.instance)


@dataclass(frozen=True, kw_only=True)
class Donor:
    """Where a style comes from: a part of a picture, or an entry of the style bank (picture "bank", its number)."""

    picture: str
    instance: int = 0


@dataclass(frozen=True, kw_only=True)
class PartChange:
    """A part of a picture that takes another style.

    Attributes:
        part: the part.
        donors: one source of the style, or two that are interpolated.
        mix: weight of the second of two.
        strength: weight of the new style against the own one.
    """

    part: Part
    donors: tuple[Donor, ...]
    mix: float = 0.0
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A copy to be made.

    Attributes:
        name: its name.
        source: the picture that it is a copy of.
        changes: what takes other styles.
        mirror: whether it is mirrored.
        warp_seed: of its warp; None where it has none.
    """

    name: str
    source: str
    changes: tuple[PartChange, ...]
    mirror: bool = False
    warp_seed: int | None = None

    def to_dict(self, labels: LabelSet) -> dict[str, Any]:
        """The recipe as plain JSON values, with the names of the labels."""
        changes = [
            {
                "region": labels.names[change.part.label],
                "instance": change.part.instance,
                "from": [asdict(donor) for donor in change.donors],
                "mix": round(change.mix, 4),
                "strength": round(change.strength, 4),
            }
            for change in self.changes
        ]
        return {"name": self.name, "source": self.source, "mirror": self.mirror, "warp": self.warp_seed} | {
            "styles": changes
        }


def parts_of(pair: Pair, num_regions: int, settings: AugmentSettings) -> tuple[Part, ...]:
    """The regions of a picture, or the objects in those that have objects, without the small ones; sorted."""
    use_objects = settings.by_instance and pair.instances is not None
    instances = pair.instances if use_objects and pair.instances is not None else np.zeros_like(pair.segmap)
    keys = pair.segmap * (int(instances.max()) + 1) + instances
    numbers, counts = np.unique(keys, return_counts=True)
    least = max(1.0, settings.min_share * pair.segmap.size)
    found = []
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        label, instance = divmod(number, int(instances.max()) + 1)
        if label < num_regions and count >= least:
            found.append(Part(label=label, instance=instance))
    return tuple(found)


class RecipeBook:
    """The recipes of all copies of a set.

    Args:
        parts: the parts of every picture that may be restyled or be a source of styles.
        labels: of the set.
        settings: what may change.
        bank: for every label, the numbers of the style bank's entries that have it.

    Raises:
        InputError: unknown regions, or no part that another picture or the bank has a style for.
    """

    def __init__(
        self,
        parts: Mapping[str, Sequence[Part]],
        labels: LabelSet,
        settings: AugmentSettings,
        bank: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        self._parts = {name: tuple(parts[name]) for name in sorted(parts)}
        self._settings = settings
        self._bank = dict(bank or {})
        self._allowed = allowed_labels(settings.regions, labels)
        self._donors: dict[int, list[Donor]] = defaultdict(list)
        for name, each in self._parts.items():
            for part in each:
                self._donors[part.label].append(Donor(picture=name, instance=part.instance))
        if settings.styles == BANK and not any(self._bank.values()):
            raise InputError("the model has no style bank; add one, or take the styles from the data")
        if not any(self._changeable(name) for name in self._parts):
            raise InputError(
                "no region of these pictures can take another style: no other picture has it; give more pictures, "
                "other regions, or styles of the bank"
            )

    def recipe(self, source: str, copy: int) -> Recipe:
        """The recipe of a copy, 1 and up; the same for the same seed, picture, number and set."""
        settings = self._settings
        digest = hashlib.sha256(f"{settings.seed}/{copy}/{source}".encode()).digest()
        rng = np.random.default_rng(list(digest))
        candidates = self._changeable(source)
        most = min(settings.most or len(candidates), len(candidates))
        count = int(rng.integers(min(settings.least, most), most + 1)) if candidates else 0
        chosen = sorted(rng.choice(len(candidates), size=count, replace=False).tolist()) if count else []
        changes = tuple(self._change(source, candidates[index], rng) for index in chosen)
        mirror, warp = rng.random() < settings.mirror, int(rng.integers(2**31))
        return Recipe(
            name=f"{source}_r{copy:02}",
            source=source,
            changes=changes,
            mirror=bool(mirror),
            warp_seed=warp if settings.warp else None,
        )

    def _changeable(self, name: str) -> list[Part]:
        return [part for part in self._parts[name] if part.label in self._allowed and self._sources(name, part.label)]

    def _sources(self, name: str, label: int) -> list[Donor]:
        """The styles of a label that a picture may take: of other pictures, or of the bank."""
        if self._settings.styles == BANK:
            return [Donor(picture=BANK, instance=number) for number in self._bank.get(label, ())]
        return [donor for donor in self._donors[label] if donor.picture != name]

    def _change(self, name: str, part: Part, rng: np.random.Generator) -> PartChange:
        sources = self._sources(name, part.label)
        count = min(2 if self._settings.styles == "mixed" else 1, len(sources))
        donors = tuple(sources[index] for index in rng.choice(len(sources), size=count, replace=False).tolist())
        mix, strength = rng.random(), rng.uniform(self._settings.weakest, self._settings.strongest)
        return PartChange(part=part, donors=donors, mix=float(mix) if count > 1 else 0.0, strength=float(strength))


def allowed_labels(regions: Sequence[str], labels: LabelSet) -> frozenset[int]:
    """The ids of labels, given by names, ids or names of groups; all where none are given."""
    if not regions:
        return frozenset(range(labels.num_regions))
    found: set[int] = set()
    for name in regions:
        found.update(labels.groups[name] if name in labels.groups else (labels.id_of(name),))
    return frozenset(found)
