"""Shards as a source of pairs: read in place from a folder, or downloaded from a url into a cache.

Every read opens its shard again. A source therefore has no open files, can be sent to other processes, and does not
hold the disk space of shards that the cache has removed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from sean.data.paired import Pair, read_pair
from sean.data.shards.index import INDEX_NAME, Member, Shard, index_from_json, key_of
from sean.data.shards.remote import DEFAULT_CACHE_GB, ShardCache, cache_root, is_url, read_url
from sean.errors import InputError
from sean.files import is_file
from sean.images import EncodedPicture
from sean.labels import LabelSet


@runtime_checkable
class ShardStore(Protocol):
    """A place that holds shards."""

    def open(self, shard: Shard) -> BinaryIO:
        """Open a shard, complete, at its beginning.

        Raises:
            InputError: it is missing, or differs from the index.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class LocalShards:
    """Shards in a folder."""

    folder: Path

    def open(self, shard: Shard) -> BinaryIO:
        """Open a shard, which must have the size in the index (see `ShardStore.open`)."""
        path = self.folder / shard.name
        try:
            file = path.open("rb")
        except OSError as error:
            raise InputError(
                f"expected the shard {path} of {INDEX_NAME}, cannot open it ({error.strerror}); copy it again"
            ) from error
        size = os.fstat(file.fileno()).st_size
        if size != shard.num_bytes:
            file.close()
            raise InputError(f"expected {shard.num_bytes} bytes in the shard {path}, got {size}; copy it again")
        return file


class ShardSource:
    """The pairs of some shards, in the order of the shards, as a `PairSource`.

    Args:
        labels: the label set of the maps.
        shards: at least one.
        store: their place.
        location: folder or url, for messages.
    """

    def __init__(self, labels: LabelSet, shards: Sequence[Shard], store: ShardStore, location: str) -> None:
        self._labels = labels
        self.shards = tuple(shards)
        self.store = store
        self.location = location
        self._places = [(shard, sample) for shard in self.shards for sample in shard.samples]

    @property
    def labels(self) -> LabelSet:
        """The label set of the maps."""
        return self._labels

    @property
    def has_instances(self) -> bool:
        """Whether the shards have instance maps."""
        return self._places[0][1].instances is not None

    @property
    def groups(self) -> tuple[int, ...]:
        """Samples per shard."""
        return tuple(len(shard.samples) for shard in self.shards)

    def __len__(self) -> int:
        return len(self._places)

    def name(self, index: int) -> str:
        """The stem that a pair had in the paired folder."""
        return self._places[index][1].name

    def fetch(self, group: int) -> None:
        """Download a shard into the cache; in a folder, only check that it exists."""
        self.store.open(self.shards[group]).close()

    def read(self, index: int) -> Pair:
        """Read a pair out of its shard.

        Raises:
            InputError: the shard cannot be opened or fetched, or a member is damaged, has illegal ids, or differs
                in size from its partner.
        """
        shard, sample = self._places[index]
        names = [f"{self.location}/{shard.name}:{key_of(sample.name)}.{member.suffix}" for member in sample.members]
        with self.store.open(shard) as file:
            members = [_member(file, *known) for known in zip(sample.members, names, strict=True)]
        instances = None if sample.instances is None else members[2]
        return read_pair(members[0], members[1], instances, self.labels)


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Both parts of a folder of shards; validation is None if no pairs were held out.

    Raises:
        InputError: nothing to train on.
    """

    labels: LabelSet
    training: ShardSource
    validation: ShardSource | None


def holds_shards(location: str | os.PathLike[str]) -> bool:
    """Whether this is a url, or a folder with an index of shards."""
    return is_url(location) or is_file(Path(location) / INDEX_NAME)


def open_shards(location: str | os.PathLike[str], *, cache_gb: float = DEFAULT_CACHE_GB) -> Shards:
    """Open the shards of `sean data shard`.

    Args:
        location: their folder, or its url (http, https, s3, or another protocol of fsspec).
        cache_gb: largest size, in GB of 10^9 bytes, of the cache for all urls on this machine. If two windows of
            `BatchSchedule` do not fit, shards are downloaded repeatedly.

    Raises:
        InputError: there is no index, it is damaged, or a shard of the folder is missing or cut.
    """
    store: ShardStore
    if is_url(location):
        place = str(location).rstrip("/")
        index = index_from_json(_decoded(read_url(f"{place}/{INDEX_NAME}")), f"{place}/{INDEX_NAME}")
        store = ShardCache(url=place, root=cache_root(), limit_bytes=round(cache_gb * 10**9))
    else:
        place = str(location)
        path = Path(location) / INDEX_NAME
        try:
            index = index_from_json(_decoded(path.read_bytes()), str(path))
        except OSError as error:
            raise InputError(f"expected an index of shards at {path}, cannot read it ({error.strerror})") from error
        store = LocalShards(folder=Path(location))
        for shard in index.shards:  # check now, not in the middle of a training
            store.open(shard).close()
    if not index.training:
        raise InputError(f"{place}/{INDEX_NAME} names no shards to train on; write them by `sean data shard`")
    return Shards(
        labels=index.labels,
        training=ShardSource(index.labels, index.training, store, place),
        validation=ShardSource(index.labels, index.validation, store, place) if index.validation else None,
    )


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")  # a binary file is not an index


def _member(file: BinaryIO, member: Member, name: str) -> EncodedPicture:
    try:
        file.seek(member.offset)
        data = file.read(member.size)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; check the disk, or copy the shard again") from error
    return EncodedPicture(name=name, data=data)
