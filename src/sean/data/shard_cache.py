"""Shards of a url on this machine: each fetched whole when it is first wanted, checked, and kept while there is room.

All workers and processes of the machine share the folder `~/.cache/sean/shards` (SEAN_CACHE stands for `~/.cache/sean`
where it is set). A lock per shard sees to it that none is fetched twice at a time. The bound holds for the whole
folder: the shards unused for longest are removed, of whatever url. One that is open can still be read on POSIX.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sean.data.remote import RemoteError, chunks, patiently
from sean.data.shard_index import Shard
from sean.errors import InputError
from sean.files import atomic_write

try:
    import fcntl
except ImportError:  # Windows: two processes may fetch a shard twice, but never see half of one
    fcntl = None  # type: ignore[assignment]

DEFAULT_CACHE_GB = 50.0

# A download that has not grown for so many seconds was killed.
_STALE_SECONDS = 3600.0


def cache_root() -> Path:
    """Where fetched shards lie, of all urls."""
    root = os.environ.get("SEAN_CACHE")
    return (Path(root).expanduser() if root else Path.home() / ".cache" / "sean") / "shards"


@dataclass(frozen=True, kw_only=True)
class ShardCache:
    """The shards of one url.

    Attributes:
        url: the folder of the shards.
        root: the folder that all caches of this machine share.
        limit_bytes: at most so many bytes lie in `root`; a shard that is larger by itself is kept alone.
    """

    url: str
    root: Path
    limit_bytes: int

    def __post_init__(self) -> None:
        if self.limit_bytes < 1:
            raise InputError(f"expected a cache bound above 0 GB, got {self.limit_bytes / 10**9}")

    def open(self, shard: Shard) -> BinaryIO:
        """Open a shard, fetched before where it is not here.

        Raises:
            InputError: it cannot be fetched, is not what the index says, or the cache cannot be written.
        """
        path = self.path(shard)
        while True:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                self._fetch(shard, path)  # and once more: another process may have removed it to make room
                continue
            except OSError as error:
                raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
            if os.fstat(file.fileno()).st_size == shard.num_bytes:
                with suppress(OSError):
                    os.utime(path)  # used now
                return file
            file.close()
            path.unlink(missing_ok=True)  # someone has cut it

    def path(self, shard: Shard) -> Path:
        """Where a shard lies or will lie. The checksum is part of the name: shards made anew are others."""
        folder = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return self.root / folder / f"{Path(shard.name).stem}-{shard.sha256[:16]}.tar"

    def _fetch(self, shard: Shard, path: Path) -> None:
        with _locked(path.with_suffix(".lock")):
            if path.exists():
                return
            for leftover in path.parent.glob(f".{path.stem}.*"):  # of a killed process: this one has the lock
                leftover.unlink(missing_ok=True)
            self._make_room(shard.num_bytes)
            url = f"{self.url}/{shard.name}"
            patiently(lambda: _download(url, shard, path), url)

    def _make_room(self, num_bytes: int) -> None:
        """Remove the shards unused for longest until so many bytes more keep the bound."""
        found = []
        for path in self.root.glob("*/*.tar"):
            with suppress(FileNotFoundError):  # removed by another process meanwhile
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total = num_bytes + sum(size for _, size, _ in found)
        for used, size, path in sorted(found):
            is_download = path.name.startswith(".") and used / 1e9 > time.time() - _STALE_SECONDS
            if total > self.limit_bytes and not is_download:
                with suppress(OSError):  # Windows keeps what is open
                    path.unlink(missing_ok=True)
                    total -= size


def _download(url: str, shard: Shard, path: Path) -> None:
    """Read a url into a file and check it; the file is there in the end, and whole, or not at all."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        digest, received = hashlib.sha256(), 0
        for chunk in chunks(url):
            digest.update(chunk)
            received += len(chunk)
            file.write(chunk)
        if received != shard.num_bytes:
            raise RemoteError(f"got {received} bytes, index.json says {shard.num_bytes}; upload the shards again")
        if digest.hexdigest() != shard.sha256:
            raise RemoteError("its SHA-256 is not that of index.json; upload the shards again")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process or thread of this machine is inside, and keep them out."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; set SEAN_CACHE to a folder that can be written"
        ) from error
    with file:  # closing it opens the lock
        if fcntl is not None:
            with suppress(OSError):  # some network file systems have no locks; see the import
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
