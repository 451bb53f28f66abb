"""Shards behind a url: read with repeated attempts, cached on this machine.

http(s) is read by the standard library, other protocols by fsspec; fsspec would need aiohttp for http, and an event
loop in every worker of a loader.

Each shard is downloaded as a whole on first use, checked, and kept while there is room. All processes of the machine
share the folder `~/.cache/sean/shards` (SEAN_CACHE replaces `~/.cache/sean`). A lock per shard prevents simultaneous
downloads of it. The bound holds for the whole folder: the least recently used shards of any url are removed. A removed
shard that is open can still be read on POSIX.
"""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from filelock import FileLock

from sean.data.shards.index import Shard
from sean.errors import InputError
from sean.files import atomic_write

DEFAULT_CACHE_GB = 50.0
# Seconds without growth after which a partial download counts as abandoned.
_STALE_SECONDS = 3600.0

Result = TypeVar("Result")

# Seconds to wait before each further attempt. A list, so that tests need not wait.
PAUSES = [0.5, 1.0, 2.0]

_CHUNK = 2**20
_TIMEOUT = 60.0
# HTTP errors below 500 that another attempt may cure: timeout, too early, too many requests.
_PASSING = (408, 425, 429)


class RemoteError(Exception):
    """A url cannot be read. The message has the reason and what to do.

    Args:
        message: what came; one line.
        permanent: whether another attempt would fail as well.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


def is_url(location: object) -> bool:
    """Whether a location is a url, such as http://..., and not a file."""
    return "://" in str(location)


def chunks(url: str) -> Iterator[bytes]:
    """The content of a url, in pieces.

    Raises:
        RemoteError: it cannot be opened, or breaks off.
        InputError: no installed package reads this protocol.
    """
    try:
        with _opened(url) as (file, expected):
            received = 0
            while chunk := file.read(_CHUNK):
                received += len(chunk)
                yield chunk
        if expected is not None and received != expected:
            raise RemoteError(f"got {received} of {expected} bytes; check the network")
    except (RemoteError, InputError):
        raise
    except urllib.error.HTTPError as error:
        error.close()  # the response holds the connection
        message = f"the server answers {error.code} ({error.reason}); check the url"
        permanent = 400 <= error.code < 500 and error.code not in _PASSING
        raise RemoteError(message, permanent=permanent) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise RemoteError(f"{_said(error)}; check the url and your rights", permanent=True) from error
    except Exception as error:  # every protocol raises its own errors
        raise RemoteError(f"{_said(error)}; check the url and the network") from error


def read_url(url: str) -> bytes:
    """The content of a small file.

    Raises:
        InputError: see `patiently`.
    """
    return patiently(lambda: b"".join(chunks(url)), url)


def patiently(action: Callable[[], Result], url: str) -> Result:
    """The result of `action`, which reads the url; a failed attempt is repeated after each of `PAUSES`.

    Raises:
        InputError: the last attempt failed as well, or one that is not worth repeating; names the url.
    """
    for pause in (*PAUSES, None):
        try:
            return action()
        except RemoteError as error:
            if error.permanent or pause is None:
                raise InputError(f"cannot read {url}: {error}") from error
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def _opened(url: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file of a url, and its number of bytes if the server reports it."""
    if url.startswith(("http://", "https://")):
        request = urllib.request.Request(url, headers={"User-Agent": "sean"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            length = response.headers["Content-Length"]
            yield response, None if length is None else int(length)
        return
    import fsspec

    protocol = url.split("://")[0]
    try:
        # Created for every call, as fsspec's file systems cannot be used in forks of their process.
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = "'seankit[s3]'" if protocol in ("s3", "s3a") else "the package that fsspec wants for it"
        raise InputError(f"cannot read {url}: {_said(error)}; pip install {package}") from error
    except ValueError as error:
        raise InputError(f"cannot read {url}: {_said(error)}; give a url of http, https or s3, or a folder") from error
    with system.open(path, "rb") as file:
        yield file, None


def _said(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        return " ".join(str(error.reason).split())
    if isinstance(error, http.client.IncompleteRead):
        return f"got {len(error.partial)} bytes of an answer"
    return f"{type(error).__name__} {' '.join(str(error).split())}".strip()


def cache_root() -> Path:
    """The folder of cached shards of all urls."""
    root = os.environ.get("SEAN_CACHE")
    return (Path(root).expanduser() if root else Path.home() / ".cache" / "sean") / "shards"


@dataclass(frozen=True, kw_only=True)
class ShardCache:
    """The shards of one url.

    Attributes:
        url: the folder of the shards.
        root: the folder that all caches of this machine share.
        limit_bytes: largest number of bytes in `root`; a larger shard is kept alone.
    """

    url: str
    root: Path
    limit_bytes: int

    def __post_init__(self) -> None:
        if self.limit_bytes < 1:
            raise InputError(f"expected a cache bound above 0 GB, got {self.limit_bytes / 10**9}")

    def open(self, shard: Shard) -> BinaryIO:
        """Open a shard; downloads it if it is not in the cache.

        Raises:
            InputError: it cannot be downloaded, differs from the index, or the cache cannot be written.
        """
        path = self.path(shard)
        while True:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                self._fetch(shard, path)  # and again, as another process may have removed it to make room
                continue
            except OSError as error:
                raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
            if os.fstat(file.fileno()).st_size == shard.num_bytes:
                with suppress(OSError):
                    os.utime(path)  # marks the shard as recently used
                return file
            file.close()
            path.unlink(missing_ok=True)  # the file was truncated

    def path(self, shard: Shard) -> Path:
        """The path of a shard in the cache. Its name has the checksum, so that rewritten shards are distinct."""
        folder = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return self.root / folder / f"{Path(shard.name).stem}-{shard.sha256[:16]}.tar"

    def _fetch(self, shard: Shard, path: Path) -> None:
        with _locked(path.with_suffix(".lock")):
            if path.exists():
                return
            for leftover in path.parent.glob(f".{path.stem}.*"):  # left by a killed process, as this one has the lock
                leftover.unlink(missing_ok=True)
            self._make_room(shard.num_bytes)
            url = f"{self.url}/{shard.name}"
            patiently(lambda: _download(url, shard, path), url)

    def _make_room(self, num_bytes: int) -> None:
        """Remove the least recently used shards until this many more bytes fit."""
        found = []
        for path in self.root.glob("*/*.tar"):
            with suppress(FileNotFoundError):  # another process has removed it
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total = num_bytes + sum(size for _, size, _ in found)
        for used, size, path in sorted(found):
            is_download = path.name.startswith(".") and used / 1e9 > time.time() - _STALE_SECONDS
            if total > self.limit_bytes and not is_download:
                with suppress(OSError):  # Windows does not remove open files
                    path.unlink(missing_ok=True)
                    total -= size


def _download(url: str, shard: Shard, path: Path) -> None:
    """Download a url to a file and check it; the file is written completely or not at all."""
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
    """Lock a file against other processes and threads of this machine; waits for the lock."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(NotImplementedError):  # without file locks two processes may download the same shard
            lock.acquire()
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; set SEAN_CACHE to a folder that can be written"
        ) from error
    try:
        yield
    finally:
        lock.release()
