"""Training part and held-out part of a data set, for training and for evaluation.

Both kinds of data are opened here: paired folders (`sean.data.folder`) and shards (`sean.data.shards.source`).
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from sean.data.folder import PairedFolder
from sean.data.paired import Pair, PairSource
from sean.data.shards.source import ShardSource, holds_shards, open_shards
from sean.errors import InputError
from sean.labels import LabelSet

WHOLE = 1.0
"""The fraction of held-out pairs that leaves no pair to train on: a test set."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The parts of a data set; a part without pairs is None.

    Attributes:
        name: of the folder or url, for reports.
        labels: of both parts.
        training: pairs to train on.
        validation: held-out pairs.
    """

    name: str
    labels: LabelSet
    training: PairSource | None
    validation: PairSource | None


def open_parts(
    location: str | os.PathLike[str],
    *,
    validation: float | str | None = None,
    training_prefix: str = "",
    test_fraction: float = 0.0,
    allow_no_training: bool = False,
) -> Split:
    """Open data and split it; the pairs of shards keep their order, in which neighbours are stored together.

    Args:
        location: paired folder, folder of shards, or the url of one.
        validation: held-out pairs, as `PairedFolder.split` takes them, or `WHOLE`. None takes the split of the data:
            that of the manifest or of the shards, and the last tenth of any other folder.
        training_prefix: only pairs whose names start so are training pairs.
        test_fraction: this part of a folder's pairs, the last by sorted name, is left out.
        allow_no_training: the training part may be empty, as with `WHOLE`.

    Raises:
        InputError: the data is malformed, or cannot be split so.
    """
    if not holds_shards(location):
        folder = PairedFolder.open(location)
        folder = folder.without_last(test_fraction) if test_fraction else folder
        parts = folder.split(validation, training=training_prefix, allow_no_training=allow_no_training)
        training, held_out = (folder.pairs(stems) if stems else None for stems in parts)
        return Split(name=_name(location), labels=folder.labels, training=training, validation=held_out)
    if validation not in (None, WHOLE if allow_no_training else None) or training_prefix or test_fraction:
        raise InputError(
            f"the split of the shards in {location} was made when they were written; leave out the settings "
            "validation, training_prefix and test_fraction, or write the shards anew with them"
        )
    return _split_of_shards(location, validation)


def open_split(
    location: str | os.PathLike[str],
    labels: LabelSet,
    *,
    validation: float | str | None = None,
    training_prefix: str = "",
) -> Split:
    """Open data for a model of the given labels, and split it; the pairs are sorted by name, as those of a folder are.

    Args:
        location, validation, training_prefix: see `open_parts`.
        labels: of the model.

    Raises:
        InputError: the data is malformed, has other labels, or cannot be split so.
    """
    split = open_parts(location, validation=validation, training_prefix=training_prefix, allow_no_training=True)
    check_labels(split.labels, labels, location)
    return replace(split, training=_by_name(split.training), validation=_by_name(split.validation))


def check_labels(found: LabelSet, expected: LabelSet, location: str | os.PathLike[str]) -> None:
    """Raise InputError, with the first label that differs, unless data has the labels of a model."""
    if found.names == expected.names:
        return
    if found.num_regions != expected.num_regions:
        difference = f"{found.num_regions} labels, the model {expected.num_regions}"
    else:
        pairs = enumerate(zip(found.names, expected.names, strict=True))
        region, (ours, theirs) = next((region, pair) for region, pair in pairs if pair[0] != pair[1])
        difference = f"{ours!r} as label {region}, the model {theirs!r}"
    raise InputError(
        f"the labels of {location} ({found.name}) are not the model's ({expected.name}): the data has {difference}; "
        "take the data that the model was trained for"
    )


def first_pairs(source: PairSource, count: int | None) -> PairSource:
    """The first pairs of a source; all if the count is None."""
    return source if count is None or count >= len(source) else _Selection(source=source, indices=tuple(range(count)))


@dataclass(frozen=True, kw_only=True)
class _Selection:
    """Pairs of another source, by their indices there."""

    source: PairSource
    indices: tuple[int, ...]

    @property
    def labels(self) -> LabelSet:
        return self.source.labels

    @property
    def has_instances(self) -> bool:
        return self.source.has_instances

    @property
    def groups(self) -> None:
        return None

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.source.name(self.indices[index])

    def fetch(self, group: int) -> None:
        """Do nothing, as `read` fetches on demand."""

    def read(self, index: int) -> Pair:
        return self.source.read(self.indices[index])


def _split_of_shards(location: str | os.PathLike[str], validation: float | str | None) -> Split:
    shards = open_shards(location)
    training: ShardSource | None = shards.training
    held_out = shards.validation
    if validation is not None:
        every = (*shards.training.shards, *(() if held_out is None else held_out.shards))
        training, held_out = None, ShardSource(shards.labels, every, shards.training.store, shards.training.location)
    return Split(name=_name(location), labels=shards.labels, training=training, validation=held_out)


def _by_name(source: PairSource | None) -> PairSource | None:
    """The pairs in the order of their folder, which shards shuffle, so that results equal those of the folder."""
    if source is None or source.groups is None:
        return source
    return _Selection(source=source, indices=tuple(sorted(range(len(source)), key=source.name)))


def _name(location: str | os.PathLike[str]) -> str:
    """The last part of a path or url, as reports must not reveal the machine's paths."""
    text = str(location).rstrip("/")
    return text.rsplit("/", 1)[-1] if "://" in text else Path(location).resolve().name
