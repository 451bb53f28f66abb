"""Every command in a fresh installation of the wheel with each extra: it works, or one line names the extra it needs.

Builds the wheel, makes one environment after the other, runs everything small, prints a table, and exits with 1 when a
cell is neither. Takes about two minutes for each extra. `make extras` runs it for all that matter.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as photos

from sean.cli import NEEDS
from sean.data.synthetic.scenes import SyntheticScenes, write_paired

ROOT = Path(__file__).resolve().parents[1]
CHOICES = ("none", "photo", "web", "eval", "train")
SMALL = "--config.model.image-size 32 32 --config.num-workers 0 --config.batch-size 2"
# what every command is tried with; {work} has data/ and face.png, {out} is new for each environment
LINES: dict[str, str] = {
    "demo": "--output {out}/demo",
    "reconstruct": "--image {work}/face.png --segmap {work}/face_map.png --output {out}/reconstructed.png",
    "edit": "--image {work}/face.png --segmap {work}/face_map.png --style hair=bank:1 --output {out}/edited.png",
    "edit (no map)": "--image {work}/face.png --style hair=bank:1 --output {out}/pasted.png",
    "parse": "{work}/face.png --crop none -o {out}/map.png",
    "parse (finding the face)": "{work}/face.png -o {out}/map.png",
    "list": "-o {out}/bank.png",
    "interpolate": "--image {work}/face.png --segmap {work}/face_map.png --style-image {work}/face.png "
    "--style-segmap {work}/face_map.png --steps 2 --output {out}/strip.png",
    "crossover": "--image {work}/face.png --segmap {work}/face_map.png --style-image {work}/face.png "
    "--style-segmap {work}/face_map.png --output {out}/crossover.png",
    "web": "--port 0 --no-open",
    "train": f"--preset synthetic --output {{out}}/run {SMALL} --config.steps 2 --config.decay-steps 1 "
    "--config.model.base-channels 2",
    "train-parser": f"--output {{out}}/parser {SMALL} --config.steps 2 --config.warmup-steps 1",
    "curves": "{out}/run --output {out}/curves.png",
    "evaluate": "--data {work}/data --count 1 --validation 0.5 --output {out}/report.json",
    "experiment": "edit-benchmark --train --budget 2 --pairs 1 --models {out}/models --output {out}/results",
    "data speed": "--data {work}/data --preset mini-64 --workers 0 --batches 1 --steps 1",
    "data shard": "{work}/data {out}/shards",
    "data check": "{work}/data",
    "data mend-sides": "{work}/data --output {out}/mended",
    "data parse": "{work}/data/images --output {out}/parsed --crop none --least-score 0",
    "data convert": "{work}/masks {out}/converted --pattern {{stem}}_mask.png",
    "data export": "{work}/data {out}/exported --to voc",
    "data prepare": "cmp-facades {work}/none {out}/prepared",
    "export": "--model {bundled} --output {out}/onnx --checks 1",
    "import-official": "{work}/none.pth --output {out}/model",
    "augment": "--model {bundled} --data {work}/data --output {out}/augmented",
    "bench": "--base-channels 2 --size 64 --rounds 1 --no-training --no-growth",
    "style-bank": "--model {bundled} --data {work}/data --count 1 --output {out}/bank",
}
FINDS_FACES = {"edit (no map)", "parse (finding the face)"}
# these have nothing to work on here: one line says so
REFUSED = {"data prepare": "none", "import-official": "none.pth"}


def command_of(name: str) -> str:
    """The subcommand of a row of the table."""
    return name.partition(" (")[0]


def expected(name: str, extra: str) -> str:
    """What a cell has to be: "works", or the extra that the command asks for."""
    needed = "photo" if name in FINDS_FACES else NEEDS.get(command_of(name))
    brought = {"web": {"web", "photo"}, "train": {"train", "eval"}}.get(extra, {extra})
    return "works" if needed is None or needed in brought else needed


def run(*command: str | Path) -> None:
    """Run a step of the set-up."""
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT)


def made_environment(folder: Path, wheel: Path, extra: str) -> Path:
    """The folder of the programs of a new environment that holds the wheel with an extra and nothing else of ours."""
    run(sys.executable, "-m", "venv", folder)
    wanted = f"{wheel}" if extra == "none" else f"{wheel}[{extra}]"
    run(folder / "bin" / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wanted)
    return folder / "bin"


def outcome(binaries: Path, name: str, options: str) -> str:
    """What a command did: "works", the extra it asks for, or what went wrong."""
    command = [str(binaries / "sean"), *command_of(name).split()]
    help_text = subprocess.run([*command, "--help"], capture_output=True, text=True)
    if help_text.returncode or "Examples:" not in help_text.stdout:
        return f"FAILED: --help exits with {help_text.returncode}: {help_text.stderr[-200:]}"
    if name == "web":
        return served([*command, *options.split()])
    result = subprocess.run([*command, *options.split()], capture_output=True, text=True)
    return judged(name, result.returncode, result.stderr)


def judged(name: str, code: int, errors: str) -> str:
    """See `outcome`."""
    if code == 0:
        return "works"
    lines = errors.strip().splitlines()
    if code == 2 and len(lines) == 1 and lines[0].startswith("sean: "):
        if "pip install 'seankit[" in lines[0]:
            return lines[0].rpartition("pip install 'seankit[")[2].partition("]")[0]
        if name in REFUSED and REFUSED[name] in lines[0]:
            return "works"
    return f"FAILED: exit code {code}: {errors.strip()[-300:]}"


def served(command: list[str]) -> str:
    """Start the server until it says where it is, and stop it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        said = process.stdout.readline()
        if "the editor is at" not in said:
            errors = process.stderr.read()
            return judged("web", process.wait(), errors)
        process.terminate()
        code = process.wait()
    return "works" if code == 0 else f"FAILED: the server ends with {code}"


def main() -> int:
    """Print the table; 1 when a cell is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="*", default=CHOICES, help="none, or an extra; all when left out")
    extras = list(parser.parse_args().extras)
    table: dict[str, dict[str, str]] = {name: {} for name in LINES}
    with tempfile.TemporaryDirectory(prefix="sean-extras-") as name:
        work = Path(name)
        # of a copy: setuptools would pack what earlier builds left in build/, as modules that have moved since
        left_out = shutil.ignore_patterns("build", "dist", "runs", "site", "demo", "*.egg-info", "__pycache__", ".*")
        shutil.copytree(ROOT, work / "source", ignore=left_out)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", work, work / "source")
        (wheel,) = work.glob("seankit-*.whl")
        write_paired(work / "data", SyntheticScenes(size=(128, 128), length=4, seed=0, layouts=["faces"]))
        Image.fromarray(photos.astronaut()).save(work / "face.png")
        stripes = np.repeat((np.arange(512) * 19 // 512).astype(np.uint8)[None], 512, axis=0)
        Image.fromarray(stripes).save(work / "face_map.png")
        (work / "masks").mkdir()
        shutil.copy(work / "data" / "classes.txt", work / "masks")
        for image in (work / "data" / "images").iterdir():
            shutil.copy(image, work / "masks")
            shutil.copy(work / "data" / "labels" / f"{image.stem}.png", work / "masks" / f"{image.stem}_mask.png")
        for extra in extras:
            began = time.monotonic()
            binaries = made_environment(work / f"venv-{extra}", wheel, extra)
            bundled = next((binaries.parent / "lib").glob("python*/site-packages/sean/bundled/portraits-256"))
            out = work / f"out-{extra}"
            for row, options in LINES.items():
                table[row][extra] = outcome(binaries, row, options.format(work=work, out=out, bundled=bundled))
            run("rm", "-rf", binaries.parent)
            print(f"{extra}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    wrong = 0
    print("| command | " + " | ".join(extras) + " |")
    print("|---" * (len(extras) + 1) + "|")
    for row, cells in table.items():
        shown = []
        for extra, cell in cells.items():
            right = cell == expected(row, extra)
            wrong += not right
            text = cell if cell == "works" else f"asks for `{cell}`"
            shown.append(text if right else f"WRONG: {cell}")
        print(f"| `sean {row}` | " + " | ".join(shown) + " |")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
