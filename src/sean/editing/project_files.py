"""The files of a project in a folder or a zip file: written atomically, and read from strangers.

The names of the files hold a hash of what is in them, and the index, project.json, is written last: so a folder always
holds the old project or the new one, and what has not changed is not written again.
"""

import hashlib
import json
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sean.errors import InputError
from sean.files import atomic_write, write_text_atomic

INDEX_NAME = "project.json"
_FILE = re.compile(r"(segmap|seen|photo)-[0-9a-f]{16}\.png|styles-[0-9a-f]{16}\.safetensors")
_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK = 1 << 20
# What zipfile raises on damage, encryption and files that are none; RuntimeError for unknown compression, too.
ZIP_ERRORS = (EOFError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class ProjectLimits:
    """What a project may be; a server sets less than the defaults.

    Attributes:
        max_bytes: of all files together, unpacked.
        max_pixels: of the photo.
        max_edits: done and undone together.
    """

    max_bytes: int = 1 << 30
    max_pixels: int = 178_000_000
    max_edits: int = 1_000_000


def store(path: Path, made: Path, index: dict[str, Any]) -> None:
    """Store the files in a folder as a project.

    Args:
        path: a folder, made when missing, or a file that ends in .zip; what project it held is replaced.
        made: folder with the files, named segmap.png and so on.
        index: what project.json holds, but for the names of the files.

    Raises:
        InputError: the place cannot be written or holds something else.
    """
    files = {}
    for file in sorted(made.iterdir()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        files[f"{file.stem}-{digest}{file.suffix}"] = file
    text = json.dumps({**index, "files": list(files)}) + "\n"
    if path.suffix.lower() == ".zip":
        with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(INDEX_NAME, text)
            for name, file in files.items():
                archive.write(file, name)
        return
    if path.is_dir() and any(path.iterdir()) and not (path / INDEX_NAME).is_file():
        raise InputError(f"expected a new folder or a project at {path}, found other files; choose another name")
    for name, file in files.items():
        if not (path / name).is_file() or (path / name).read_bytes() != file.read_bytes():
            with atomic_write(path / name) as temporary:
                shutil.copyfile(file, temporary)
    write_text_atomic(path / INDEX_NAME, text)
    for file in path.iterdir():
        if _FILE.fullmatch(file.name) and file.name not in files:
            file.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, limits: ProjectLimits) -> Iterator[Path]:
    """A folder with the files of a project while the block runs; a zip file is unpacked for that, as far as it is one.

    Raises:
        InputError: there is no project, it is damaged, names files outside, or is over the limits.
    """
    if not path.exists():
        raise InputError(f"expected a project, a folder or a .zip, at {path}, found none; check the path")
    if path.is_dir():
        yield _checked(path, path)
        return
    with tempfile.TemporaryDirectory() as name:
        try:
            _unpack(path, Path(name), limits)
        except InputError:
            raise
        except ZIP_ERRORS as error:
            raise InputError(f"{path} is no zip file of a project or is damaged ({type(error).__name__})") from error
        yield _checked(Path(name), path)


def check_png(path: Path, limits: ProjectLimits) -> None:
    """Refuse, before it is decoded, what is no PNG or has too many pixels."""
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or head[:8] != _PNG or head[12:16] != b"IHDR":
        raise InputError(f"expected a PNG in {path.name}; it is damaged")
    width, height = struct.unpack(">II", head[16:24])
    if width * height > limits.max_pixels:
        raise InputError(f"expected at most {limits.max_pixels} pixels in {path.name}, got {width} x {height}")


def _unpack(path: Path, folder: Path, limits: ProjectLimits) -> None:
    left = limits.max_bytes
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename != INDEX_NAME and not _FILE.fullmatch(info.filename):
                continue  # nothing of ours, wherever it wants to go
            with archive.open(info) as packed, (folder / info.filename).open("wb") as file:
                while chunk := packed.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise InputError(f"{path} unpacks to more than the {limits.max_bytes} bytes allowed")
                    file.write(chunk)


def _checked(folder: Path, path: Path) -> Path:
    """The folder, after a look at whether its index names files that may be a project's."""
    try:
        names = json.loads((folder / INDEX_NAME).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError as error:
        raise InputError(f"expected a project with a {INDEX_NAME} at {path}, found none in it") from error
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{path} has a damaged {INDEX_NAME} ({type(error).__name__})") from error
    if not isinstance(names, list) or not all(isinstance(name, str) and _FILE.fullmatch(name) for name in names):
        raise InputError(f"{path} has a damaged {INDEX_NAME}: it names files that are none of a project")
    return folder
