"""Matching of a segmentation network's labels with a label set, by name or by a mapping file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sean.errors import InputError
from sean.files import read_json
from sean.labels import LabelSet


@dataclass(frozen=True, kw_only=True)
class LabelMatch:
    """The label of the data set for each label of the network.

    Attributes:
        ids: the id in the data set for each label of the network; k for labels without a counterpart.
        ignored: ids of the data set whose pixels are left out of the scores.
    """

    ids: tuple[int, ...]
    ignored: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabelMapping:
    """The content of a mapping file, for names that differ.

    Attributes:
        renamed: names of the network -> names of the data set, or None for "none of these".
        ignored: names of the data set that the network lacks; their pixels are left out of the scores.
        source: path of the file, for messages.
    """

    renamed: dict[str, str | None]
    ignored: tuple[str, ...]
    source: str


def read_label_mapping(path: Path) -> LabelMapping:
    """Read a mapping: JSON {"map": {network name: our name or null}, "ignore": [our names]}.

    Raises:
        InputError: the file is missing or has another content.
    """
    content = read_json(path, _MappingFile, 'a mapping of labels {"map": {name: name or null}, "ignore": [names]}')
    return LabelMapping(renamed=content.map, ignored=tuple(content.ignore), source=str(path))


class _MappingFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    map: dict[str, str | None] = {}
    ignore: list[str] = []


def match_labels(
    network: str, network_names: Sequence[str], labels: LabelSet, mapping: LabelMapping | None = None
) -> LabelMatch:
    """Match a network's labels with a label set: by equal names, and by a mapping for other names.

    Upper and lower case are equal, as are spaces and underscores.

    Args:
        network: name of the network, for messages.
        network_names: names of the network's labels, in the order of its ids.
        labels: label set of the data set.
        mapping: counterparts of names that differ.

    Raises:
        InputError: a label of either side has no counterpart, or the mapping contains unknown names.
    """
    renamed = {} if mapping is None else mapping.renamed
    ignored = () if mapping is None else tuple(labels.id_of(name) for name in mapping.ignored)
    unknown = renamed.keys() - set(network_names)
    if mapping is not None and unknown:
        raise InputError(f"{mapping.source} maps labels that {network} has not: {', '.join(sorted(unknown))}")
    ours = {_folded(name): index for index, name in enumerate(labels.names)}
    ids: list[int] = []
    strange: list[str] = []
    for name in network_names:
        if name in renamed:
            target = renamed[name]
            ids.append(labels.num_regions if target is None else labels.id_of(target))
        else:
            ids.append(ours.get(_folded(name), -1))
            strange += [name] if ids[-1] < 0 else []
    never = [name for i, name in enumerate(labels.names) if i not in ids and i not in ignored]
    if strange or never:
        sides = [
            f"{side} has no counterpart for {', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}"
            for side, names in ((f"the label set {labels.name!r}", strange), (network, never))
            if names
        ]
        raise InputError(f"{'; '.join(sides)}: map or ignore them in a file", setting="label_mapping")
    return LabelMatch(ids=tuple(ids), ignored=ignored)


def _folded(name: str) -> str:
    return "_".join(name.casefold().split())
