"""ICC profiles made by code: wide-gamut RGB, as phones and cameras embed, and a linear grey."""

import io
import struct

from PIL import ImageCms

_WHITE = (0.9642, 1.0, 0.8249)


def _fixed(values: tuple[float, ...]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    name = b"test\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    white = b"XYZ \0\0\0\0" + _fixed(_WHITE)
    tags = [(b"desc", description), (b"cprt", b"text\0\0\0\0CC0\0"), (b"wtpt", white), *tags]
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags:
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"\0\0\0\0", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(_WHITE) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def _primaries(*colors: tuple[float, float, float]) -> list[tuple[bytes, bytes]]:
    return [(tag, b"XYZ \0\0\0\0" + _fixed(xyz)) for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colors, strict=True)]


# The primaries of Adobe RGB (1998): greens far outside sRGB.
WIDE_GAMUT = _profile(
    b"RGB ",
    [
        *_primaries((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        *((tag, _curve(2.2)) for tag in (b"rTRC", b"gTRC", b"bTRC")),
    ],
)
GREY_GAMMA = _profile(b"GRAY", [(b"kTRC", _curve(1.0))])


def opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    """The profile as Pillow takes it."""
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))
