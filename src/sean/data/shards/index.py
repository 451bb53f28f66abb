"""index.json of a folder of shards: the label set, the split, and the place of every sample in its tar.

A shard is an uncompressed tar as webdataset reads it, of whole samples in a row: `KEY.jpg` or `KEY.png`,
`KEY.label.png` and perhaps `KEY.instance.png`, the bytes of the paired folder. The index gives every member's place, so
that a sample is read by one seek, in any order, and every shard's size and SHA-256, so that a copy can be checked.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sean.errors import InputError
from sean.files import parse_json
from sean.labels import LabelSet

INDEX_NAME = "index.json"
SHARD_NAME = re.compile(r"(training|validation)-\d{6}\.tar")
LABEL_SUFFIX = "label.png"
INSTANCE_SUFFIX = "instance.png"
IMAGE_MEMBERS = {"jpg", "png", "webp", "bmp", "tif", "avif", "heic"}
_SAME_FORMAT = {"jpeg": "jpg", "jfif": "jpg", "tiff": "tif", "heif": "heic"}
_FORMAT = "sean-shards-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """The place of a file in its tar: its suffix after the key, first byte and number of bytes."""

    suffix: str
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardSample:
    """A sample: its name (the stem in the paired folder) and its members; instances is None if there are none."""

    name: str
    image: Member
    segmap: Member
    instances: Member | None

    @property
    def members(self) -> tuple[Member, ...]:
        """The members of the sample, in the order of the tar."""
        return tuple(member for member in (self.image, self.segmap, self.instances) if member is not None)


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One tar: its file name, number of bytes, SHA-256 in hex, and its samples in order."""

    name: str
    num_bytes: int
    sha256: str
    samples: tuple[ShardSample, ...]


@dataclass(frozen=True, kw_only=True)
class ShardIndex:
    """The content of a folder of shards.

    Attributes:
        labels: the label set of the maps.
        training, validation: the shards of either part, in order.
    """

    labels: LabelSet
    training: tuple[Shard, ...]
    validation: tuple[Shard, ...]

    @property
    def shards(self) -> tuple[Shard, ...]:
        """All shards."""
        return self.training + self.validation


def key_of(name: str) -> str:
    """The key of a name in a tar: dots become %2E and % becomes %25, as readers split file names at the first dot."""
    return name.replace("%", "%25").replace(".", "%2E")


def member_suffix(file_suffix: str) -> str:
    """The suffix in a tar of a picture with the suffix of a file, as ".JPEG": one of `IMAGE_MEMBERS`."""
    suffix = file_suffix.lower().removeprefix(".")
    return _SAME_FORMAT.get(suffix, suffix)


def index_to_json(index: ShardIndex) -> str:
    """The index as JSON text, one sample a line; `index_from_json` reads it back."""
    parts = ",\n".join(
        f'"{part}": [' + ",".join(map(_shard_to_json, shards)) + "]"
        for part, shards in (("training", index.training), ("validation", index.validation))
    )
    return f'{{"format": "{_FORMAT}",\n"labels": {json.dumps(index.labels.to_dict())},\n{parts}}}\n'


def index_from_json(text: str, source: str) -> ShardIndex:
    """Read an index.

    Args:
        text: the JSON.
        source: the file or url, for the message.

    Raises:
        InputError: not an index, or one with impossible names or places.
    """
    try:
        raw = parse_json(text)
        if raw["format"] != _FORMAT:
            raise ValueError(f"format {raw['format']!r} instead of {_FORMAT!r}")
        index = ShardIndex(
            labels=LabelSet.from_dict(raw["labels"]),
            training=tuple(_shard_from(shard, "training") for shard in raw["training"]),
            validation=tuple(_shard_from(shard, "validation") for shard in raw["validation"]),
        )
        if len({sample.instances is None for shard in index.shards for sample in shard.samples}) > 1:
            raise ValueError("some samples have instance maps, others have none")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            f"expected an index of shards in {source}, got something else ({type(error).__name__}: {error}); "
            "write it by `sean data shard`"
        ) from error
    return index


def _shard_to_json(shard: Shard) -> str:
    head = f'\n {{"name": "{shard.name}", "bytes": {shard.num_bytes}, "sha256": "{shard.sha256}", "samples": ['
    return head + ",".join(map(_sample_to_json, shard.samples)) + "]}"


def _sample_to_json(sample: ShardSample) -> str:
    members = {member.suffix: [member.offset, member.size] for member in sample.members}
    return "\n  " + json.dumps({"key": sample.name, **members})


def _shard_from(raw: Mapping[str, Any], part: str) -> Shard:
    # The name becomes part of a path, and an index may be untrusted.
    name, sha256, num_bytes = str(raw["name"]), str(raw["sha256"]), int(raw["bytes"])
    if not SHARD_NAME.fullmatch(name) or not name.startswith(part) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"a shard {name!r} with the checksum {sha256!r}")
    samples = tuple(_sample_from(sample) for sample in raw["samples"])
    for sample in samples:
        if not all(0 <= member.offset <= member.offset + member.size <= num_bytes for member in sample.members):
            raise ValueError(f"sample {sample.name!r} lies outside the {num_bytes} bytes of {name}")
    if not samples:
        raise ValueError(f"{name} has no samples")
    return Shard(name=name, num_bytes=num_bytes, sha256=sha256, samples=samples)


def _sample_from(raw: Mapping[str, Any]) -> ShardSample:
    members = {
        suffix: Member(suffix=suffix, offset=int(place[0]), size=int(place[1]))
        for suffix, place in raw.items()
        if suffix != "key"
    }
    segmap, instances = members.pop(LABEL_SUFFIX), members.pop(INSTANCE_SUFFIX, None)
    if len(members) != 1 or not members.keys() <= IMAGE_MEMBERS:
        raise ValueError(f"sample {raw['key']!r} has {sorted(members)} where one picture was expected")
    return ShardSample(name=str(raw["key"]), image=members.popitem()[1], segmap=segmap, instances=instances)
