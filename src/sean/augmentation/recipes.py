"""Recipes of copies: the new styles and the geometry, drawn from the seed, the picture and the number of the copy."""

import bisect
import hashlib
import operator
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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
        """The mask of the part: bool [h, w]."""
        area: np.ndarray = segmap == self.label
        return area if not self.instance or instances is None else area & (instances == self.instance)


@dataclass(frozen=True, kw_only=True)
class Donor:
    """The source of a style: a part of a picture or, with `styles` of the bank, an entry of it ("bank", its number)."""

    picture: str
    instance: int = 0


@dataclass(frozen=True, kw_only=True)
class PartChange:
    """A part of a picture that takes another style.

    Attributes:
        part: the part.
        donors: one source of the style, or two that are interpolated.
        mix: weight of the second of two.
        strength: weight of the new style against the region's own.
    """

    part: Part
    donors: tuple[Donor, ...]
    mix: float = 0.0
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The recipe of one copy.

    Attributes:
        name: its name.
        source: the name of the original picture.
        changes: the parts that take other styles.
        mirror: whether it is mirrored.
        warp_seed: seed of its warp; None without a warp.
        chance: a number in 0..1 by which a loader decides whether to make the copy.
    """

    name: str
    source: str
    changes: tuple[PartChange, ...]
    mirror: bool = False
    warp_seed: int | None = None
    chance: float = 0.0

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
    """The regions of a picture, or the objects of regions that have objects, sorted; small parts are left out."""
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

    Labels of one material (`LabelSet.materials`, such as the skin of face, nose and neck) change together, and take
    their styles from one picture; an object changes on its own.

    Args:
        parts: the parts of every picture that may be restyled or be a source of styles.
        labels: of the set.
        settings: what may change.
        bank: the labels that each entry of the style bank has.

    Raises:
        InputError: unknown regions, no style bank where that is to be taken, or no part that another picture or the
            bank has a style for.
    """

    def __init__(
        self,
        parts: Mapping[str, Sequence[Part]],
        labels: LabelSet,
        settings: AugmentSettings,
        bank: Sequence[Collection[int]] = (),
    ) -> None:
        self._parts = {name: tuple(parts[name]) for name in sorted(parts)}
        self._settings = settings
        self._material = {label: members for members in labels.materials for label in members}
        self._allowed = allowed_labels(settings.regions, labels)
        if settings.styles == BANK:
            if not bank:
                raise InputError("the model has no style bank; add one, or take the styles from the data")
            holders = [(Donor(picture=BANK, instance=number), frozenset(has)) for number, has in enumerate(bank)]
            objects: list[tuple[Donor, int]] = [(donor, label) for donor, has in holders for label in has]
        else:
            holders = [
                (Donor(picture=name), frozenset(part.label for part in each)) for name, each in self._parts.items()
            ]
            objects = [
                (Donor(picture=name, instance=part.instance), part.label)
                for name, each in self._parts.items()
                for part in each
            ]
        self._holders = holders
        self._objects: dict[int, list[Donor]] = defaultdict(list)
        for donor, label in objects:
            self._objects[label].append(donor)
        self._having: dict[frozenset[int], list[Donor]] = {}
        if not any(self._groups(name) for name in self._parts):
            raise InputError(
                "no region of these pictures can take another style: no other picture has it; give more pictures, "
                "other regions, or styles of the bank"
            )

    def recipe(self, source: str, copy: int, parts: Sequence[Part] | None = None) -> Recipe:
        """The recipe of a copy, 1 and up; the same for the same seed, picture, number and set.

        Args:
            source: the name of the picture.
            copy: the number.
            parts: those of the picture; required if it is not in the set.
        """
        settings = self._settings
        digest = hashlib.sha256(f"{settings.seed}/{copy}/{source}".encode()).digest()
        rng = np.random.default_rng(list(digest))
        groups = self._groups(source, parts)
        most = min(settings.most or len(groups), len(groups))
        count = int(rng.integers(min(settings.least, most), most + 1)) if groups else 0
        chosen = sorted(rng.choice(len(groups), size=count, replace=False).tolist()) if count else []
        changes = [change for index in chosen for change in self._changes(source, groups[index], rng)]
        mirror, warp = rng.random() < settings.mirror, int(rng.integers(2**31))
        return Recipe(
            name=copy_name(source, copy),
            source=source,
            changes=tuple(changes),
            mirror=bool(mirror),
            warp_seed=warp if settings.warp else None,
            chance=float(rng.random()),
        )

    def _groups(self, name: str, parts: Sequence[Part] | None = None) -> list[tuple[Part, ...]]:
        """The parts of a picture that may change; parts that change together share a tuple."""
        together: dict[tuple[int, ...], list[Part]] = defaultdict(list)
        for part in self._parts[name] if parts is None else parts:
            if part.label in self._allowed:
                key = (part.label, part.instance) if part.instance else (*self._material[part.label], 0)
                together[key].append(part)
        groups: list[tuple[Part, ...]] = []
        for group in map(tuple, together.values()):
            alone = [(part,) for part in group if self._others(name, (part,))]
            groups += [group] if self._others(name, group) else alone
        return groups

    def _changes(self, name: str, group: tuple[Part, ...], rng: np.random.Generator) -> list[PartChange]:
        donors = self._sources(group)
        first, last = self._own(donors, name)
        num_others = len(donors) - (last - first)
        count = min(2 if self._settings.styles == "mixed" else 1, num_others)
        picked = [int(index) for index in rng.choice(num_others, size=count, replace=False)]
        taken = tuple(donors[index if index < first else index + last - first] for index in picked)
        mix, strength = float(rng.random()), float(rng.uniform(self._settings.weakest, self._settings.strongest))
        return [PartChange(part=part, donors=taken, mix=mix if count > 1 else 0.0, strength=strength) for part in group]

    def _others(self, name: str, group: tuple[Part, ...]) -> bool:
        """Whether another picture, or the bank, has styles of all these parts."""
        donors = self._sources(group)
        first, last = self._own(donors, name)
        return len(donors) > last - first

    def _sources(self, group: tuple[Part, ...]) -> list[Donor]:
        """All sources of styles for these parts, sorted by picture: objects for an object, else whole regions."""
        if group[0].instance:
            return self._objects[group[0].label]
        wanted = frozenset(part.label for part in group)
        if wanted not in self._having:
            self._having[wanted] = [donor for donor, has in self._holders if wanted <= has]
        return self._having[wanted]

    def _own(self, donors: Sequence[Donor], name: str) -> tuple[int, int]:
        """The range of the donors that belong to the picture itself."""
        if self._settings.styles == BANK:
            return 0, 0
        key = operator.attrgetter("picture")
        return bisect.bisect_left(donors, name, key=key), bisect.bisect_right(donors, name, key=key)


def copy_name(source: str, copy: int) -> str:
    """The name of a copy of a picture; copies of different pictures never share one."""
    return f"{source}_r{copy:02}"


def allowed_labels(regions: Sequence[str], labels: LabelSet) -> frozenset[int]:
    """The ids of labels given by names, ids or groups; all labels if the list is empty."""
    if not regions:
        return frozenset(range(labels.num_regions))
    found: set[int] = set()
    for name in regions:
        found.update(labels.groups[name] if name in labels.groups else (labels.id_of(name),))
    return frozenset(found)
