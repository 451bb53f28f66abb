"""Writing of paired folders as webdataset shards, tars that can be streamed from a web server or a bucket.

The bytes of a shard follow from the files, their names and the shard size alone. An interrupted run can therefore
continue: an existing shard is compared with the expected one, and kept.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from sean.data.folder import PairedFolder
from sean.data.manifest import file_checksum
from sean.data.shards.index import (
    INDEX_NAME,
    INSTANCE_SUFFIX,
    LABEL_SUFFIX,
    Member,
    Shard,
    ShardIndex,
    ShardSample,
    index_from_json,
    index_to_json,
    key_of,
    member_suffix,
)
from sean.errors import InputError
from sean.files import atomic_write, remove_unfinished, write_text_atomic
from sean.images import grey_levels, open_image

Progress = Callable[[int, int], None]


def write_shards(
    folder: PairedFolder,
    destination: str | os.PathLike[str],
    *,
    validation: float | str | None = None,
    training: str = "",
    shard_mb: float = 64.0,
    progress: Progress | None = None,
) -> ShardIndex:
    """Write the pairs of a folder as shards, and at the end index.json.

    The training pairs are shuffled (deterministically), because a batch takes its samples from a few shards, and
    neighbours by name are often similar, such as pictures of one city. The validation pairs stay sorted.

    Args:
        folder: the pairs. Their files are copied as they are; label maps of other formats become PNG.
        destination: a new folder, or one from an interrupted run with the same settings.
        validation, training: the split, see `PairedFolder.split`.
        shard_mb: size that a shard is filled up to, in MB of 10^6 bytes; a larger sample gets a shard of its own.
        progress: called with (pairs done, pairs in all) after every pair.

    Raises:
        InputError: the destination holds other files or other shards, a file cannot be read or written, or a bad size.
    """
    if not 0 < shard_mb <= 10**6:
        raise InputError(f"expected a shard size above 0 and up to 1000000 MB, got {shard_mb}")
    kept, held_out = folder.split(validation, training=training)
    limit = round(shard_mb * 10**6)
    plans = [*_plan(folder, _mixed(kept), "training", limit), *_plan(folder, held_out, "validation", limit)]
    root = Path(destination)
    _check_destination(root, {plan.name for plan in plans})
    done, total = 0, len(kept) + len(held_out)
    shards: list[Shard] = []
    for plan in plans:
        shards.append(_finished(root, plan, folder) or _written(root, plan))
        done += len(plan.samples)
        if progress is not None:
            progress(done, total)
    index = ShardIndex(
        labels=folder.labels,
        training=tuple(shard for shard in shards if shard.name.startswith("training")),
        validation=tuple(shard for shard in shards if shard.name.startswith("validation")),
    )
    write_text_atomic(root / INDEX_NAME, index_to_json(index))
    return index


@dataclass(frozen=True, kw_only=True)
class _ShardPlan:
    """A shard to write: the name of every sample, and the file for each suffix."""

    name: str
    samples: tuple[tuple[str, dict[str, Path]], ...]


class _Digest:
    """A file object that hashes the written bytes and passes them on to `file`, if there is one."""

    def __init__(self, file: BinaryIO | None) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()
        self.num_bytes = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.num_bytes += len(data)
        return len(data) if self.file is None else self.file.write(data)


def _mixed(stems: Sequence[str]) -> list[str]:
    """A pseudo-random order that depends on the names alone."""
    return sorted(stems, key=lambda stem: (hashlib.sha256(os.fsencode(stem)).digest(), stem))


def _plan(folder: PairedFolder, stems: Sequence[str], part: str, limit: int) -> Iterator[_ShardPlan]:
    """Divide the pairs into shards: a new one begins when the next pair would not fit."""
    current: list[tuple[str, dict[str, Path]]] = []
    filled, number = 0, 0
    for stem in stems:
        files = {member_suffix(folder.images[stem].suffix): folder.images[stem], LABEL_SUFFIX: folder.segmaps[stem]}
        if folder.instances is not None:
            files[INSTANCE_SUFFIX] = folder.instances[stem]
        size = sum(tarfile.BLOCKSIZE + _padded(_size_of(path)) for path in files.values())
        if current and filled + size > limit:
            yield _ShardPlan(name=f"{part}-{number:06d}.tar", samples=tuple(current))
            current, filled, number = [], 0, number + 1
        current.append((stem, files))
        filled += size
    if current:
        yield _ShardPlan(name=f"{part}-{number:06d}.tar", samples=tuple(current))


def _check_destination(root: Path, names: set[str]) -> None:
    """Refuse a folder with other files than these shards; remove the partial files of a killed run."""
    if root.exists() and not root.is_dir():
        raise InputError(f"expected a folder to write shards to, but {root} is a file")
    if not root.exists():
        return
    remove_unfinished(root)
    for path in sorted(root.iterdir()):
        if path.name == INDEX_NAME:
            index_from_json(path.read_text(encoding="utf-8", errors="replace"), str(path))  # raises for a foreign file
        elif path.name not in names and not path.name.startswith("."):
            raise InputError(
                f"{root} holds {path.name}, which is none of the shards to write; give an empty folder, or the same "
                "settings as before to finish one"
            )


def _finished(root: Path, plan: _ShardPlan, folder: PairedFolder) -> Shard | None:
    """The shard if an earlier run has written it; else None."""
    path = root / plan.name
    if not path.exists():
        return None
    expected = _write_tar(plan, None)
    if file_checksum(path) != expected.sha256:
        raise InputError(
            f"{path} is not the shard that {folder.root} gives with these settings; give the same files and settings "
            "as before, or an empty folder"
        )
    return expected


def _written(root: Path, plan: _ShardPlan) -> Shard:
    with atomic_write(root / plan.name) as temporary, temporary.open("wb") as file:
        return _write_tar(plan, file)


def _write_tar(plan: _ShardPlan, file: BinaryIO | None) -> Shard:
    """Write a shard or, without a file, only compute its index entry."""
    digest, samples = _Digest(file), []
    with tarfile.open(fileobj=digest, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for name, files in plan.samples:
            members = [_add(tar, f"{key_of(name)}.{suffix}", suffix, path) for suffix, path in files.items()]
            image, segmap, *instances = members
            samples.append(
                ShardSample(name=name, image=image, segmap=segmap, instances=instances[0] if instances else None)
            )
    return Shard(name=plan.name, num_bytes=digest.num_bytes, sha256=digest.sha256.hexdigest(), samples=tuple(samples))


def _add(tar: tarfile.TarFile, name: str, suffix: str, path: Path) -> Member:
    # A fresh TarInfo has time, user and group 0: the same files make the same bytes everywhere.
    entry, data = tarfile.TarInfo(name), _bytes_of(path)
    if suffix.endswith("png") and path.suffix.lower() != ".png":
        data = _as_png(path)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
    return Member(suffix=suffix, offset=tar.offset - _padded(len(data)), size=len(data))


def _as_png(path: Path) -> bytes:
    """A label map of another lossless format as PNG, to match the name of its member."""
    file, image = io.BytesIO(), open_image(path)
    if image.mode == "L":
        image = Image.fromarray(grey_levels(image).astype(np.uint8))
    image.save(file, format="PNG")
    return file.getvalue()


def _padded(size: int) -> int:
    """The bytes that a file of `size` takes in a tar, beside its header."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
