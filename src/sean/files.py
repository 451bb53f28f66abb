"""Files: atomic writing, and reading with one-line errors."""

import codecs
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sean.errors import InputError

Value = TypeVar("Value")

_UMASK_LOCK = threading.Lock()
# Temporary names: those of tempfile.mkstemp in atomic_write, and those of safetensors during a write.
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}(\.[A-Za-z0-9]+)?|\.tmp[A-Za-z0-9]{6}")


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file; False, unlike in pathlib, for names that no file can have, such as very long ones."""
    return os.path.isfile(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder; see `is_file`."""
    return os.path.isdir(path)


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block ends, delete it when it fails.

    Where `path` is a symbolic link, its target is written, and the link stays.
    The temporary name keeps the suffix of `path` (image writers choose the format by it). The data is
    flushed to the disk before the move, so that after a power cut either the old or the new file is there.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose a writable folder") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~current_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file of a user: UTF-8, or UTF-8 or UTF-16 with a byte order mark, as Windows programs write it.

    Raises:
        OSError: it cannot be read.
        InputError: it is in another encoding.
    """
    data = Path(path).read_bytes()
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (see byte {error.start}); save it as UTF-8") from error


def read_json(path: str | os.PathLike[str], kind: type[Value], what: str) -> Value:
    """Read a JSON file and check it.

    Args:
        path: the file.
        kind: what its content must be: a pydantic model or a dataclass.
        what: the kind of file in words with an article, for messages: "a mapping of labels".

    Raises:
        InputError: the file is missing, cannot be read, or holds something else; one line with the first fault.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(read_text(path))
    except FileNotFoundError as error:
        raise InputError(f"expected {what} at {path}, found no file; check the path") from error
    except InputError as error:
        raise InputError(f"{path} is not readable JSON (it is not UTF-8); expected {what}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; expected {what}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        message = " ".join(first["msg"].split())
        if first["type"] == "json_invalid":
            raise InputError(f"{path} is not readable JSON ({message}); expected {what}") from error
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} is not {what} ({f'{place}: ' if place else ''}{message[:200]})") from error


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; ValueError if the text is not JSON, or is nested too deeply for Python."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def write_text_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_unfinished(folder: Path) -> None:
    """Delete the temporary files of killed processes in a folder; no process may be writing there."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def current_umask() -> int:
    """The umask of this process."""
    with _UMASK_LOCK:  # it can only be read by setting it, for all threads
        mask = os.umask(0)
        os.umask(mask)
    return mask


def link_or_copy(source: Path, destination: Path) -> None:
    """Make `destination` a hard link to `source`, or a copy if the file system has no links.

    An existing file is replaced. The link does not endanger the source: this package replaces files and never writes
    into them.

    Raises:
        InputError: the source cannot be read, or the destination cannot be written.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {destination}: {error.strerror}; choose a writable folder") from error
    with suppress(OSError):  # another file system, or no support for links
        os.link(source.resolve(), destination)
        return
    with atomic_write(destination) as temporary:
        shutil.copyfile(source, temporary)
