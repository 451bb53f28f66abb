"""The server's side of decoding uploads: a process of its own that is started when needed, and again when it dies."""

import contextlib
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np

from sean.errors import InputError
from sean.images import SourcePhoto
from sean.labels import LabelSet
from sean.web.decoding import read_frame, unpacked, write_frame
from sean.web.limits import MIB, Limits

_BYTES_PER_PIXEL = 7  # in sRGB, in the colours of the file, and transparency
_METADATA_BYTES = 16 * MIB
_TOO_HARD = "the file could not be decoded within the limits of this server; save it anew as PNG or JPEG, or smaller"
_START_SECONDS = 60.0


class Decoder:
    """Decodes pictures in a guarded process, one after the other; see `sean.web.decoding`.

    Args:
        limits: of bytes, pixels, memory and time.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_fresh = True  # has answered nothing yet: it may still be starting

    def start(self) -> None:
        """Start the process if there is none, without waiting for it."""
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
            InputError: as in `image`, or not a label map of these labels.
        """
        header, ids = self._ask({"task": "segmap", "labels": labels.to_dict()}, data)
        return np.frombuffer(ids, dtype=np.uint16).reshape(header["shape"]).astype(np.int64)

    def check(self, data: bytes) -> None:
        """Raise InputError unless `data` is a picture file of a size that is allowed."""
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
            except (EOFError, OSError, ValueError, KeyError):  # it died, or was killed for taking too long
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
                # a Ctrl+C in the terminal is the server's to answer
                start_new_session=True,
            )
            self._is_fresh = True
        return self._process

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent any more
                    stream.close()
        self._process = None
