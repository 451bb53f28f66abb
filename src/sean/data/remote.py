"""Reading files behind urls from beginning to end, with patience: http(s) by the standard library, the rest by fsspec.

The standard library serves http because it needs no package beside fsspec, and no event loop in every worker of a
loader; fsspec would want aiohttp for it.
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

from sean.errors import InputError

Result = TypeVar("Result")

# Seconds to wait before each further attempt. A list, so that tests need not wait.
PAUSES = [0.5, 1.0, 2.0]

_CHUNK = 2**20
_TIMEOUT = 60.0
# Answers of 400 and above that may be another the next time: timeout, too early, too many requests.
_PASSING = (408, 425, 429)


class RemoteError(Exception):
    """A url could not be read. The message says why and what to do.

    Args:
        message: what came; one line.
        permanent: another attempt would end no better.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


def is_url(location: object) -> bool:
    """Whether this names something behind a protocol, as http://..., and no file."""
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
        error.close()  # it holds the connection
        message = f"the server answers {error.code} ({error.reason}); check the url"
        permanent = 400 <= error.code < 500 and error.code not in _PASSING
        raise RemoteError(message, permanent=permanent) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise RemoteError(f"{_said(error)}; check the url and your rights", permanent=True) from error
    except Exception as error:  # every protocol has its own
        raise RemoteError(f"{_said(error)}; check the url and the network") from error


def read_url(url: str) -> bytes:
    """The content of a small file.

    Raises:
        InputError: see `patiently`.
    """
    return patiently(lambda: b"".join(chunks(url)), url)


def patiently(action: Callable[[], Result], url: str) -> Result:
    """What `action` returns, which reads the url; a failed attempt is repeated after each of `PAUSES`.

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
    """The file behind a url, and its number of bytes where the server says so."""
    if url.startswith(("http://", "https://")):
        request = urllib.request.Request(url, headers={"User-Agent": "sean"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            length = response.headers["Content-Length"]
            yield response, None if length is None else int(length)
        return
    import fsspec

    protocol = url.split("://")[0]
    try:
        # Made anew every time: a file system of one process cannot be used in its forks.
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
