"""The process that decodes uploaded pictures: `python -m sean.web.decoding`, started by `sean.web.decoder`.

It has bounded memory, may write no file, knows few picture formats, and looks at a picture's size before it decodes
it. A decoder that is broken or overwhelmed by an upload dies here, and the server lives on.

On standard input comes a request, on standard output goes the answer; each is a frame: the length of a JSON header
(4 bytes, big-endian), the header, and as many bytes as its "bytes" says. Requests are {"task": "image" | "segmap" |
"size", "labels": ..., "bytes": n}, answers {"shape": [...], "bytes": n} or {"error": "one line", "bytes": 0}.
"""

import io
import json
import struct
import sys
import warnings
from typing import IO, Any

import numpy as np
from PIL import Image

from sean.errors import InputError
from sean.images import EncodedPicture, read_image
from sean.labels import LabelSet
from sean.segmap import read_segmap

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF")
_NAME = "the file"
_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 2**20


def write_frame(stream: IO[bytes], header: dict[str, Any], data: bytes | memoryview = b"") -> None:
    """Write a request or an answer; see the module."""
    encoded = json.dumps({**header, "bytes": len(data)}).encode()
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    stream.write(data)
    stream.flush()


def read_frame(stream: IO[bytes], max_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Read what `write_frame` wrote.

    Raises:
        EOFError: the other side has ended, or sends something else.
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


def decode(task: str, data: bytes, max_pixels: int, labels: dict[str, Any] | None = None) -> np.ndarray:
    """What a request asks for.

    Args:
        task: "image": uint8 [h, w, 3]; "segmap": uint16 [h, w] of label ids; "size": nothing but the checks, [0].
        data: the bytes of a picture file.
        max_pixels: a picture of more is refused before it is decoded.
        labels: for "segmap", the label set as a dictionary.

    Raises:
        InputError: not such a picture, or too large.
    """
    _check_header(data, max_pixels)
    picture = EncodedPicture(name=_NAME, data=data)
    if task == "segmap":
        return read_segmap(picture, LabelSet.from_dict(labels or {})).astype(np.uint16)
    return read_image(picture) if task == "image" else np.empty(0, dtype=np.uint8)


def _check_header(data: bytes, max_pixels: int) -> None:
    if not data:
        raise InputError("expected a picture, but the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
    except Exception as error:  # decoders raise almost anything on a damaged header
        raise InputError("expected a picture (PNG, JPEG, WebP, ...), but the file is none") from error
    if width * height > max_pixels:
        raise InputError(
            f"the picture has {width} x {height} pixels ({width * height / 1e6:.0f} million), but this server takes "
            f"{max_pixels / 1e6:g} million at most; make it smaller"
        )


def _confine(memory_bytes: int) -> None:
    """Bound this process, where the system can: its memory beyond what it has now, and no file to write."""
    Image.init()
    Image.ID[:] = [name for name in Image.ID if name in FORMATS]
    Image.MAX_IMAGE_PIXELS = None  # `_check_header` knows the limit
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
            result = decode(header["task"], data, max_pixels, header.get("labels"))
        except InputError as error:
            write_frame(answers, {"error": str(error)})
        except MemoryError:
            write_frame(answers, {"error": "the picture takes too much memory to decode; save it anew, or smaller"})
        else:
            write_frame(answers, {"shape": result.shape}, np.ascontiguousarray(result).data.cast("B"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
