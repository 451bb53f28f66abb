"""Decoding of uploaded pictures in a guarded process: `Decoder` is the server's side, `main` the process itself.

The process (`python -m sean.web.decoding`) has bounded memory, may write no file, accepts few picture formats, and
checks the size of a picture before it decodes it. If an upload breaks or overwhelms the decoder, this process dies and
the server lives on.

Requests arrive on standard input, answers leave on standard output. Each is a frame: the length of a JSON header
(4 bytes, big-endian), the header, and as many bytes as the header's "bytes" says. Requests are {"task": "image" |
"segmap" | "size", "labels": ..., "bytes": n}; answers are {"shape": [...], "bytes": n} (for a picture see `packed`) or
{"error": "one line", "bytes": 0}.
"""

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
import warnings
from functools import cache
from typing import IO, Any

import numpy as np
from PIL import Image

from sean.errors import InputError
from sean.images import EncodedPicture, SourcePhoto, read_photo, register_heic, unidentified
from sean.labels import LabelSet
from sean.segmap import read_segmap
from sean.web.limits import MIB, Limits

_BYTES_PER_PIXEL = 7  # sRGB, the colours of the file, and transparency
_METADATA_BYTES = 16 * MIB
_TOO_HARD = "the file could not be decoded within the limits of this server; save it anew as PNG or JPEG, or smaller"
_START_SECONDS = 60.0
# JPEG includes MPO, which many phones write; HEIF requires pillow-heif.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
_HEAD_BYTES = 32
_NAME = "the file"
_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 2**20
_PARTS = ("image", "own", "alpha", "profile", "exif")
_SHAPES: dict[str, tuple[int, ...]] = {"image": (3,), "own": (3,), "alpha": ()}
Answer = tuple[dict[str, Any], list[bytes | memoryview]]
"""The header of an answer, and the parts that follow it."""


class Decoder:
    """Decodes pictures in a guarded process, one at a time; see the module.

    Args:
        limits: limits on bytes, pixels, memory and time.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_fresh = True  # no answer yet: the process may still be starting

    def start(self) -> None:
        """Start the process if it is not running, without waiting for it."""
        with self._lock:
            self._running()

    def image(self, data: bytes) -> SourcePhoto:
        """Decode a picture file, see `sean.images.read_photo`.

        Raises:
            InputError: not a picture, too large, or more than the limits allow.
        """
        return unpacked(*self._ask({"task": "image"}, data))

    def segmap(self, data: bytes, labels: LabelSet) -> np.ndarray:
        """Decode a label map: int64 [h, w] of ids of `labels`, as `sean.segmap.read_segmap` does.

        Raises:
            InputError: see `image`, or not a label map with these labels.
        """
        header, ids = self._ask({"task": "segmap", "labels": labels.to_dict()}, data)
        return np.frombuffer(ids, dtype=np.uint16).reshape(header["shape"]).astype(np.int64)

    def check(self, data: bytes) -> None:
        """Raise InputError unless `data` is a picture file of an allowed size."""
        self._ask({"task": "size"}, data)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._end(self._process)

    def _ask(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            process = self._running()
            assert process.stdin is not None and process.stdout is not None
            seconds = self._limits.decode_seconds + (_START_SECONDS if self._is_fresh else 0.0)
            watchdog = threading.Timer(seconds, process.kill)
            watchdog.start()
            try:
                write_frame(process.stdin, request, data)
                most = self._limits.picture_pixels * _BYTES_PER_PIXEL + _METADATA_BYTES
                header, answer = read_frame(process.stdout, most)
            except (EOFError, OSError, ValueError, KeyError):  # the process died, or the watchdog killed it
                self._end(process)
                raise InputError(_TOO_HARD) from None
            finally:
                watchdog.cancel()
            self._is_fresh = False
        if "error" in header:
            raise InputError(str(header["error"]))
        return header, answer

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            if self._process is not None:
                self._end(self._process)
            limits = self._limits
            numbers = (limits.picture_pixels, limits.upload_bytes, limits.decode_bytes)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sean.web.decoding", *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
                # Ctrl+C in the terminal is for the server only
                start_new_session=True,
            )
            self._is_fresh = True
        return self._process

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # unsent data
                    stream.close()
        self._process = None


def write_frame(stream: IO[bytes], header: dict[str, Any], *parts: bytes | memoryview) -> None:
    """Write a request or an answer; see the module."""
    encoded = json.dumps({**header, "bytes": sum(len(part) for part in parts)}).encode()
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    for part in parts:
        stream.write(part)
    stream.flush()


def read_frame(stream: IO[bytes], max_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Read what `write_frame` wrote.

    Raises:
        EOFError: the other process has ended, or sent something else.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > _LONGEST_HEADER:
        raise EOFError
    header = json.loads(_exactly(stream, length))
    if not 0 <= header["bytes"] <= max_bytes:
        raise EOFError
    return header, _exactly(stream, header["bytes"])


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def decode(task: str, data: bytes, max_pixels: int, labels: dict[str, Any] | None = None) -> Answer:
    """The answer to a request.

    Args:
        task: "image": see `packed`; "segmap": uint16 [h, w] of label ids; "size": checks only.
        data: the bytes of a picture file.
        max_pixels: larger pictures are refused before they are decoded.
        labels: for "segmap", the label set as a dictionary.

    Raises:
        InputError: not a picture or label map, or too large.
    """
    _check_header(data, max_pixels)
    picture = EncodedPicture(name=_NAME, data=data)
    if task == "segmap":
        ids = read_segmap(picture, LabelSet.from_dict(labels or {})).astype(np.uint16)
        return {"shape": ids.shape}, [_bytes_of(ids)]
    return packed(read_photo(picture)) if task == "image" else ({"shape": [0]}, [])


def packed(photo: SourcePhoto) -> Answer:
    """A photo as an answer for `unpacked`: size, orientation, lengths of its parts, and the parts."""
    values = [getattr(photo, name) for name in _PARTS]
    parts = [_bytes_of(value) if isinstance(value, np.ndarray) else value for value in values]
    lengths = [None if part is None else len(part) for part in parts]
    header = {"shape": photo.size, "orientation": photo.orientation, "lengths": lengths}
    return header, [part for part in parts if part is not None]


def unpacked(header: dict[str, Any], data: bytes) -> SourcePhoto:
    """The photo of an answer. Its arrays are views of `data`.

    Raises:
        ValueError, KeyError, TypeError: this is not an answer of `packed`.
    """
    height, width = map(int, header["shape"])
    values: dict[str, Any] = {}
    start = 0
    for name, length in zip(_PARTS, header["lengths"], strict=True):
        if length is None:
            values[name] = None
            continue
        part = memoryview(data)[start : start + length]
        start += length
        if name in _SHAPES:
            values[name] = np.frombuffer(part, dtype=np.uint8).reshape(height, width, *_SHAPES[name])
        else:
            values[name] = bytes(part)
    return SourcePhoto(**values, orientation=int(header["orientation"]))


def _bytes_of(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).data.cast("B")


def _check_header(data: bytes, max_pixels: int) -> None:
    if not data:
        raise InputError("expected a picture, but the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_known_formats()) as image:
                width, height = image.size
    except Exception as error:  # decoders raise almost anything on a damaged header
        raise InputError(unidentified(_NAME, data[:_HEAD_BYTES])) from error
    if width * height > max_pixels:
        raise InputError(
            f"the picture has {width} x {height} pixels ({width * height / 1e6:.0f} million), but this server takes "
            f"{max_pixels / 1e6:g} million at most; make it smaller"
        )


@cache
def _known_formats() -> tuple[str, ...]:
    """The `FORMATS` that this Pillow supports; it raises an error for other names."""
    register_heic()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _confine(memory_bytes: int) -> None:
    """Limit the memory of this process and forbid writing files, if the system supports it."""
    Image.ID[:] = _known_formats()
    Image.MAX_IMAGE_PIXELS = None  # `_check_header` applies the limit
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            own_bytes = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (own_bytes + memory_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(max_pixels: int, max_bytes: int, memory_bytes: int) -> None:
    """Answer requests until standard input ends."""
    _confine(memory_bytes)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            header, data = read_frame(requests, max_bytes)
        except EOFError:
            return
        try:
            answer, parts = decode(header["task"], data, max_pixels, header.get("labels"))
        except InputError as error:
            write_frame(answers, {"error": str(error)})
        except MemoryError:
            write_frame(answers, {"error": "the picture takes too much memory to decode; save it anew, or smaller"})
        else:
            write_frame(answers, answer, *parts)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
