"""Builds the editor's page that needs no server: the page of `sean web`, with a model that the browser runs.

    python tools/build_page.py site/edit [--model portraits-256] [--precision int8]

Any web server of static files can offer the folder; `python -m http.server --directory site` tries it out. The runtime,
onnxruntime-web, comes from npm (`npm pack`), in the version and with the checksum below, and is kept in build/.
"""

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sean
import sean.onnx.plan
import sean.web
from sean.compositing.constants import CONSTANTS
from sean.data.faces.drawing import can_draw_faces
from sean.editing.pipeline import SEANPipeline
from sean.onnx.export import export_model
from sean.onnx.manifest import DENSE_NAME
from sean.pretrained import BUNDLED, DEFAULT_MODEL, find_model, find_parser, folder_title
from sean.web.service import available_samples, first_segmap, sample_photo

WEB = Path(sean.web.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
RUNTIME = "onnxruntime-web-1.30.0"
RUNTIME_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# The first three compute with WebAssembly, the others with WebGPU; a browser loads one of the two sets.
RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
FIRST_MAP = "first_map.bin"
MOST_MODEL_BYTES = 30_000_000
# Of everything that the page and its workers load: its own host, and nothing else.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: "
    "data:; connect-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the page, and say how large it is."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("output", type=Path, help="the folder to write; what was in it goes")
    reader.add_argument("--model", default=DEFAULT_MODEL, help="a bundled model, a model folder, or a hub id")
    reader.add_argument("--parser", default=BUNDLED, help="a parser's folder, or none")
    reader.add_argument("--precision", default="int8", choices=["fp32", "fp16", "int8"], help="of the weights")
    given = reader.parse_args(arguments)
    folder = find_model(given.model)
    parser = None if given.parser == "none" else find_parser(given.parser, other="none")
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(temporary) / "page"
        _copy_page(page)
        models = _add_models(page, folder, parser, given.precision)
        num_bytes = sum((page / name).stat().st_size for name in models.values())
        if num_bytes > MOST_MODEL_BYTES:
            raise SystemExit(f"the models take {num_bytes / 1e6:.1f} MB, expected at most 30; take a smaller model")
        _add_runtime(page)
        _describe(page, folder, models)
        _list_files(page, list(models.values()))
        if given.output.exists():
            shutil.rmtree(given.output)
        shutil.copytree(page, given.output)
    print(f"{given.output}: models of {num_bytes / 1e6:.1f} MB, {len(list(given.output.rglob('*')))} files")


def _copy_page(page: Path) -> None:
    """The page of the server, with the other backend, and what starts it."""
    shutil.copytree(WEB / "static", page)
    shutil.copytree(WEB / "standalone", page / "standalone")
    for name in ("backend.js", "sw.js", "app.webmanifest"):  # a service worker is for the folder that it lies in
        shutil.move(page / "standalone" / name, page / name)
    shutil.copyfile(Path(sean.onnx.plan.__file__).with_name("plan.js"), page / "standalone" / "plan.js")
    shutil.copyfile(CONSTANTS, page / "standalone" / "compositing" / CONSTANTS.name)
    index = page / "index.html"
    text = index.read_text(encoding="utf-8")
    for old, new in (
        ('src="main.js"', 'src="standalone/install.js"'),
        ("</title>", '</title>\n<link rel="manifest" href="app.webmanifest">'),
        ('charset="utf-8">', f'charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    index.write_text(text, encoding="utf-8")


def _add_models(page: Path, folder: Path, parser: Path | None, precision: str) -> dict[str, str]:
    """The networks and what belongs to them; gives the path in the page of each, which changes with what is in it."""
    (page / "models").mkdir()
    with tempfile.TemporaryDirectory() as temporary:
        export = Path(temporary)
        export_model(folder, export, parser=parser, precision=precision, version=sean.__version__)
        (export / DENSE_NAME).unlink()
        pipeline = SEANPipeline.from_pretrained(folder, "cpu")
        (export / FIRST_MAP).write_bytes(first_segmap(pipeline).astype("<u2").tobytes())
        paths = {}
        for file in sorted(export.iterdir()):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
            paths[file.name] = f"models/{file.stem}-{digest}{file.suffix}"
            shutil.move(file, page / paths[file.name])
    return paths


def _add_runtime(page: Path) -> None:
    archive = ROOT / "build" / f"{RUNTIME}.tgz"
    if not archive.is_file():
        archive.parent.mkdir(exist_ok=True)
        name, _, version = RUNTIME.rpartition("-")
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=archive.parent, check=True)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != RUNTIME_SHA512:
        raise SystemExit(f"{archive} is not {RUNTIME} (SHA-512 {digest}); delete it and try again")
    (page / RUNTIME).mkdir()
    with tarfile.open(archive) as package:
        for name in RUNTIME_FILES:
            file = package.extractfile(f"package/dist/{name}")
            assert file is not None, name
            (page / RUNTIME / name).write_bytes(file.read())


def _describe(page: Path, folder: Path, models: dict[str, str]) -> None:
    """page.json: what the page has to know of its model."""
    pipeline = SEANPipeline.from_pretrained(folder, "cpu")
    for name in available_samples():
        (page / "samples").mkdir(exist_ok=True)
        (page / "samples" / name).write_bytes(sample_photo(name) or b"")
    described: dict[str, Any] = {
        "name": folder_title(folder),
        "files": models,
        "runtime": f"{RUNTIME}/",
        "groups": pipeline.labels.groups,
        "faces": can_draw_faces(pipeline.labels),
        "samples": available_samples(),
        "mean_color": bool(getattr(pipeline.model.config, "mean_color", False)),
    }
    (page / "page.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _list_files(page: Path, models: list[str]) -> None:
    """build.js: what the service worker keeps."""
    runtime = [f"{RUNTIME}/{name}" for name in RUNTIME_FILES]
    names = sorted(path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file())
    shell = [name for name in names if name not in {*models, *runtime, "sw.js"}]
    version = hashlib.sha256(b"".join((page / name).read_bytes() for name in names)).hexdigest()[:12]
    build = {"version": version, "policy": POLICY, "shell": shell, "models": models, "runtime": runtime}
    (page / "build.js").write_text(f"const BUILD = {json.dumps(build, indent=1)};\n", encoding="utf-8")


if __name__ == "__main__":
    main()
