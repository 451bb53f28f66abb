"""Runs modules of the page in node, with arrays in and out."""

import atexit
import base64
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sean.web
from sean.compositing.constants import CONSTANTS

SOURCES = Path(sean.web.__file__).parent / "standalone"

_PREAMBLE = """
import { readFileSync } from "node:fs";
const KINDS = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array };
const given = JSON.parse(readFileSync(0, "utf8"), (_, value) => {
    if (!value?.base64) return value;
    const bytes = Buffer.from(value.base64, "base64");
    const data = new KINDS[value.dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return { data, height: value.shape[0], width: value.shape[1] };
});
const packed = (_, value) => {
    if (!ArrayBuffer.isView(value)) return value;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { base64: bytes.toString("base64"), dtype: value.constructor.name.replace("Array", "").toLowerCase() };
};
"""


@cache
def modules() -> Path:
    """A folder with the modules and, as the page is built, the constants that they share with the package."""
    folder = Path(tempfile.mkdtemp(prefix="sean-page-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    shutil.copyfile(CONSTANTS, folder / "compositing" / CONSTANTS.name)
    return folder


def run(code: str, **given: Any) -> Any:
    """What a piece of JavaScript returns.

    Args:
        code: the body of an async function; `given` holds the arguments, arrays as {data, height, width}; imports are
            `await load("compositing/redraw.js")`.
        given: plain values, or arrays [h, w] and [h, w, 3].

    Returns:
        Plain values; typed arrays as flat arrays.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = f"""{_PREAMBLE}
const load = (name) => import({json.dumps(modules().as_uri())} + "/" + name);
const result = await (async () => {{ {code} }})();
process.stdout.write(JSON.stringify(result, packed));
"""
    done = subprocess.run(
        [node, "--input-type=module", "--eval", script],
        input=json.dumps(given, default=_described),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout, object_hook=_read)


def _described(value: object) -> dict[str, Any]:
    assert isinstance(value, np.ndarray), type(value)
    kinds = {np.dtype(bool): np.uint8, np.dtype(np.int64): np.int32, np.dtype(np.float64): np.float32}
    array = np.ascontiguousarray(value, dtype=kinds.get(value.dtype, value.dtype))
    return {
        "base64": base64.b64encode(array.tobytes()).decode(),
        "dtype": array.dtype.name,
        "shape": [int(extent) for extent in array.shape[:2]],
    }


def _read(value: dict[str, Any]) -> Any:
    if "base64" not in value:
        return value
    return np.frombuffer(base64.b64decode(value["base64"]), np.dtype(value["dtype"]))
