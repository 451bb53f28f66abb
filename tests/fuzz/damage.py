"""Damage of files, as hypothesis strategies: truncated, flipped, spliced bytes; JSON with other values and names;
safetensors with another header. And the one rule for whatever reads them: a result, or one line for the user.
"""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from sean.errors import InputError

Value = TypeVar("Value")

_IN_TESTS = settings.get_profile("sean").max_examples
few = settings(
    max_examples=_IN_TESTS // 8 if settings.default.max_examples == _IN_TESTS else settings.default.max_examples
)
"""Fewer examples, for what takes long and has many kinds; all of them in `make fuzz`."""

DEEP = 100_000
"""Brackets within brackets: more than Python's stack has frames."""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.sampled_from([2**31, 2**63, -(2**70), 10**40]),
    st.floats(),
    st.sampled_from(["", "a", "0", "-1", "hair", "../x", "\0", "\ud800", "é" * 300]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=4,
)


def read(reader: Callable[[], Value]) -> Value | None:
    """What a reader makes of damaged input; None where it says, in one line, what is wrong."""
    try:
        return reader()
    except InputError as error:
        said = str(error)
        assert said.strip() and len(said.splitlines()) == 1, f"not one line: {said!r}"
        return None


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with one to three faults."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.sampled_from([1, 2, 8, 64]))
        match draw(st.sampled_from(["truncate", "flip", "zero", "ones", "insert", "remove", "repeat"])):
            case "truncate":
                data = data[:at]
            case "flip":
                data = data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :] if data else data
            case "zero":
                data = data[:at] + bytes(len(data[at : at + length])) + data[at + length :]
            case "ones":
                data = data[:at] + b"\xff" * len(data[at : at + length]) + data[at + length :]
            case "insert":
                data = data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
            case "remove":
                data = data[:at] + data[at + length :]
            case "repeat":
                data = data[: at + length] + data[at:]
    return data


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with one to three nodes replaced, removed, renamed or doubled."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(_places(value)))
        if not place:
            if draw(st.integers(0, 9)) == 0:
                value = draw(VALUES)
            continue
        node = value
        for key in place[:-1]:
            node = node[key]
        match draw(st.sampled_from(["replace", "remove", "rename", "swap"])):
            case "replace":
                node[place[-1]] = draw(VALUES)
            case "remove":
                del node[place[-1]]
            case "rename" if isinstance(node, dict):
                node[draw(st.text(max_size=4))] = node.pop(place[-1])
            case _:
                other = draw(st.sampled_from(_places(value)))
                found = value
                with suppress(KeyError, IndexError, TypeError):
                    for key in other:
                        found = found[key]
                    node[place[-1]] = json.loads(json.dumps(found))
    return value


@st.composite
def damaged_json(draw: st.DrawFn, value: Any) -> bytes:
    """The bytes of a JSON file with other content, or with damaged bytes, or too deep for a parser."""
    match draw(st.sampled_from(["changed", "changed", "changed", "bytes", "deep"])):
        case "changed":
            return json.dumps(draw(changed(value))).encode()
        case "bytes":
            return draw(damaged(json.dumps(value).encode()))
    return b"[" * DEEP + b"]" * DEEP


@st.composite
def damaged_safetensors(draw: st.DrawFn, data: bytes) -> bytes:
    """A safetensors file with damaged bytes, another header, or a header of another length."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + length], data[8 + length :]
    match draw(st.sampled_from(["bytes", "header", "length", "header bytes"])):
        case "bytes":
            return draw(damaged(data))
        case "header":
            header = json.dumps(draw(changed(json.loads(header)))).encode()
        case "header bytes":
            header = draw(damaged(header))
        case "length":
            length = draw(st.sampled_from([0, 1, length - 1, length + 1, 100_000_001, 2**40, 2**63, 2**64 - 1]))
            return struct.pack("<Q", length) + header + body
    return struct.pack("<Q", len(header)) + header + body
