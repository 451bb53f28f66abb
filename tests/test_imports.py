"""The import direction of the package: one table says which layer may import which, and every file is read.

A layer is a module or folder directly under src/sean. Imports inside functions and under TYPE_CHECKING count
too. Two further tables say which files may do more, and which third-party packages a layer must do without.
"""

import ast
import functools
import graphlib
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"

# layer -> the layers it may import (itself always).
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "devices": {"errors"},
    "extras": {"errors"},
    "files": {"errors"},
    "label_tables": set(),
    "labels": {"errors", "files", "label_tables"},
    "icc": set(),
    "images": {"errors", "files", "icc"},
    "photo_output": {"errors", "files", "icc", "images"},
    "segmap": {"errors", "files", "labels", "images"},
    "contact_sheet": {"errors", "files", "labels", "images", "segmap"},
    "plan": {"errors", "labels", "segmap"},
    "compositing": {"errors"},
    "data": {"errors", "files", "labels", "images", "segmap", "contact_sheet", "plan"},
    "ops": {"errors", "labels", "segmap", "plan"},
    "hub": {"errors"},
    "pretrained": {"errors", "files", "hub"},
    "allocator": set(),
    "progress": set(),
    "threads": set(),
    "models": {"errors", "labels", "segmap", "plan", "ops"},
    "inference": {"errors", "labels", "segmap", "plan", "ops", "models"},
    "losses": {"errors", "labels", "segmap", "ops", "models"},
}
ALLOWED["parsing"] = {"devices", "icc", "compositing", *ALLOWED["data"], "data", "ops", "models", "hub", "pretrained"}
ALLOWED["evaluation"] = {*ALLOWED["parsing"], "parsing"}
ALLOWED["editing"] = {*ALLOWED["parsing"], "parsing", "compositing", "inference", "photo_output"}
ALLOWED["onnx"] = {*ALLOWED["parsing"], "parsing", "inference"}
ALLOWED["augmentation"] = {*ALLOWED["editing"], *ALLOWED["evaluation"], "editing", "evaluation"}
ALLOWED["training"] = {"devices", *ALLOWED["evaluation"], "losses", "evaluation", "progress"}
ALLOWED["web"] = {*ALLOWED["editing"], "editing", "allocator"}
ALLOWED["__init__"] = {*ALLOWED["editing"], "editing", "evaluation", "training", "threads"}
ALLOWED["bench"] = {*ALLOWED["evaluation"], "inference"}
ALLOWED["experiments"] = {*ALLOWED["training"], *ALLOWED["augmentation"], "training", "augmentation"}
ALLOWED["commands"] = {
    "devices",
    *ALLOWED["experiments"],
    "experiments",
    "inference",
    "bench",
    "extras",
    "onnx",
    "web",
    "augmentation",
    "photo_output",
}
ALLOWED["completion"] = {"commands", "errors", "files"}
ALLOWED["cli"] = set(ALLOWED)
ALLOWED["__main__"] = {"cli"}

# Files that may import more than their layer: these read and write model folders, or name the version.
EXTRA: dict[str, set[str]] = {
    "data/__init__.py": {"augmentation"},  # a name for it, loaded on first use
    "commands/export.py": {"__init__"},
    "training/card.py": {"__init__"},
    "evaluation/evaluate.py": {"__init__"},
    "experiments/report.py": {"__init__"},
    "models/weights.py": {"files", "pretrained"},
    "web/app.py": {"__init__"},
}

# layer -> third-party or standard modules it must do without.
FLAGS = {"argparse", "tyro"}
TRAINING_ONLY = {"lightning", "lightning_fabric", "tensorboard", "torch.utils.tensorboard"}
FILES = {"io", "json", "os", "pathlib", "shutil", "tempfile", "PIL"}
BANNED: dict[str, set[str]] = {
    "labels": {"torch"},
    "compositing": {"torch"},
    "contact_sheet": {"torch"},
    "models": FILES,
    "ops": FILES,
}
MAY_TRAIN = {"training"}
MAY_HAVE_FLAGS = {"cli", "completion"}
# These hold what is on disk: our model folders, and checkpoints of others (which are only read).
BANNED_EXCEPT: dict[str, set[str]] = {
    "models/weights.py": FILES,
    "models/efficientnet.py": {"pathlib"},
    "models/official.py": {"pathlib"},
}

# What `import sean` must not load, and the modules that must stay light themselves.
HEAVY = ("torch", "lightning", "lightning_fabric", "tensorboard", "tyro")
LIGHT_MODULES = (
    "sean",
    "sean.labels",
    "sean.images",
    "sean.segmap",
    "sean.contact_sheet",
    "sean.models.configs",
    "sean.training.presets",
)


def layer_of(path: PurePosixPath) -> str:
    """The layer of a file given by its path below src/sean."""
    return path.parts[0].removesuffix(".py")


def imported_modules(path: PurePosixPath, source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, full dotted name) of everything imported, with `from a import b` as `a.b`."""
    package = ("sean", *path.parts[:-1])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # level 1 is the file's own package, each further dot one package up
            base = package[: len(package) - node.level + 1] if node.level else ()
            prefix = ".".join((*base, node.module) if node.module else base)
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


def violations(path: PurePosixPath, source: str) -> list[str]:
    """One line per import in this file that the tables do not allow."""
    layer = layer_of(path)
    if layer not in ALLOWED:
        return [f"sean/{path}: '{layer}' is a new layer; add it to ALLOWED in tests/test_imports.py"]
    allowed = ALLOWED[layer] | EXTRA.get(str(path), set()) | {layer}
    banned = BANNED.get(layer, set()) - BANNED_EXCEPT.get(str(path), set())
    banned = banned | (set() if layer in MAY_TRAIN else TRAINING_ONLY)
    banned = banned | (set() if layer in MAY_HAVE_FLAGS else FLAGS)
    found = []
    for line, name in imported_modules(path, source):
        if name == "sean" or name.startswith("sean."):
            target = target_layer(name)
            if target not in allowed:
                found.append(f"sean/{path}:{line}: layer '{layer}' must not import '{name}' (layer '{target}')")
        elif any(name == module or name.startswith(f"{module}.") for module in banned):
            found.append(f"sean/{path}:{line}: layer '{layer}' must do without '{name}'")
    return found


def target_layer(name: str) -> str:
    """The layer of a dotted name below sean; what is no layer is an export of the package itself."""
    first = name.split(".")[1] if "." in name else ""
    is_module = (SOURCE / "sean" / first).is_dir() or (SOURCE / "sean" / f"{first}.py").is_file()
    return first if first and (first in ALLOWED or is_module) else "__init__"


def sources() -> list[Path]:
    return sorted((SOURCE / "sean").rglob("*.py"))


def test_every_file_imports_downwards() -> None:
    found = []
    for file in sources():
        path = PurePosixPath(file.relative_to(SOURCE / "sean").as_posix())
        found += violations(path, file.read_text(encoding="utf-8"))
    assert sources(), "no source file found"
    assert not found, "\n" + "\n".join(found)


def test_the_table_has_no_cycle() -> None:
    graphlib.TopologicalSorter(ALLOWED).prepare()


def test_data_and_ops_never_see_each_other() -> None:
    assert "ops" not in ALLOWED["data"]
    assert "data" not in ALLOWED["ops"]


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("data/paired.py", "from sean.ops.pooling import pool", "must not import 'sean.ops.pooling.pool'"),
        ("data/paired.py", "import sean.ops.pooling", "(layer 'ops')"),
        ("data/paired.py", "from sean import ops", "(layer 'ops')"),
        ("data/paired.py", "from ..ops import pooling", "(layer 'ops')"),
        ("data/paired.py", "def f():\n    from sean.models import build", "sean/data/paired.py:2"),
        ("data/paired.py", 'import importlib\nimportlib.import_module("sean.ops")', "(layer 'ops')"),
        ("models/sean/generator.py", "from sean.losses import objective", "(layer 'losses')"),
        ("models/sean/generator.py", "from sean.files import atomic_write", "(layer 'files')"),
        ("models/sean/generator.py", "from pathlib import Path", "must do without 'pathlib.Path'"),
        ("models/sean/generator.py", "from sean import SEANPipeline", "(layer '__init__')"),
        ("editing/pipeline.py", "from sean.training.loop import train", "(layer 'training')"),
        ("editing/pipeline.py", "import tyro", "must do without 'tyro'"),
        ("evaluation/fid.py", "from torch.utils.tensorboard import SummaryWriter", "must do without"),
        ("labels.py", "import torch.nn as nn", "must do without 'torch.nn'"),
        ("surprise.py", "", "add it to ALLOWED"),
        ("surprise/__init__.py", "", "add it to ALLOWED"),
    ],
)
def test_a_wrong_import_is_found(path: str, source: str, complaint: str) -> None:
    found = violations(PurePosixPath(path), source)
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "data/paired.py",
            "from sean.segmap import onehot\nfrom .transforms import flip\nfrom . import check",
        ),
        ("models/weights.py", "from pathlib import Path\nfrom sean.files import atomic_write"),
        (
            "models/sean/generator.py",
            "import torch\nfrom sean.ops.pooling import pool\nfrom ..errors import InputError",
        ),
        (
            "training/log.py",
            "from torch.utils.tensorboard import SummaryWriter\nfrom sean.contact_sheet import sheet",
        ),
        ("cli.py", "import tyro\nfrom sean.training.loop import train\nfrom sean import SEANPipeline"),
        ("__main__.py", "from sean.cli import main"),
    ],
)
def test_a_right_import_passes(path: str, source: str) -> None:
    assert violations(PurePosixPath(path), source) == []


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


def test_the_baselines_are_imported_on_first_use() -> None:
    code = (
        "import sys, sean.editing.pipeline; print(*[name for name in sys.modules if name.startswith('sean.models.')])"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("sean.models.") for name in result.stdout.split()}
    assert "sean.generator" in loaded and not {"spade", "pix2pixhd", "discriminator"} & loaded


def test_opening_a_model_imports_no_compiler() -> None:
    """Initialized on the device "meta", a model would import torch's compiler and sympy, which take two seconds."""
    code = (
        "import sys; from sean.editing.editor import Editor; Editor.from_pretrained().parser; "
        "print(*[name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_every_import_of_ours_is_there() -> None:
    """Imports inside functions run late, and type checkers pass over modules that are gone."""
    missing = []
    for file in sources():
        path = PurePosixPath(file.relative_to(SOURCE / "sean").as_posix())
        for line, name in imported_modules(path, file.read_text(encoding="utf-8")):
            if name.startswith("sean.") and not _is_there(name):
                missing.append(f"sean/{path}:{line}: {name}")
    assert not missing, "\n" + "\n".join(missing)


def _is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        place = SOURCE.joinpath(*parts[:count])
        if place.is_dir() or place.with_suffix(".py").is_file():
            if count == len(parts):
                return True
            return count == len(parts) - 1 and _defines(".".join(parts[:count]), place, parts[-1])
    return False


def _defines(module: str, place: Path, name: str) -> bool:
    """Whether a module defines a name; only modules that make names on first use are imported to see."""
    defined = names_of(place / "__init__.py" if place.is_dir() else place.with_suffix(".py"))
    return name in defined or ("__getattr__" in defined and hasattr(importlib.import_module(module), name))


@functools.cache
def names_of(file: Path) -> set[str]:
    """The names that a file defines outside of functions and classes."""
    names: set[str] = set()
    statements: list[ast.AST] = list(ast.parse(file.read_text(encoding="utf-8")).body) if file.is_file() else []
    while statements:
        node = statements.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        else:
            names |= {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
            statements += ast.iter_child_nodes(node)
    return names


def test_names_of_a_file(tmp_path: Path) -> None:
    code = "import a.b\nfrom c import d as e\nif f:\n    g, h = 1, 2\nclass I:\n    j = 1\ndef k(): l = 1\nm: int = 1\n"
    (tmp_path / "code.py").write_text(code)
    assert names_of(tmp_path / "code.py") == {"a", "e", "g", "h", "I", "k", "m"}
