"""sean: one style per region of a photo, and pictures of any segmap with any styles (SEAN, CVPR 2020).

The names below are loaded on first use, so that `import sean` and the help of every command stay light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from sean.threads import limit_spinning

if TYPE_CHECKING:
    from sean.editing.editor import Editor
    from sean.editing.pipeline import SEANPipeline
    from sean.editing.styles import StyleCodes
    from sean.errors import InputError
    from sean.evaluation.evaluate import evaluate
    from sean.labels import LabelSet
    from sean.parsing.photo import parse
    from sean.parsing.segmenter import Segmenter
    from sean.training.start import train

__version__ = "0.2.0.dev0"

limit_spinning()  # here, as this file runs before any module of the package loads torch

_HOMES = {
    "Editor": "sean.editing.editor",
    "InputError": "sean.errors",
    "LabelSet": "sean.labels",
    "SEANPipeline": "sean.editing.pipeline",
    "Segmenter": "sean.parsing.segmenter",
    "StyleCodes": "sean.editing.styles",
    "evaluate": "sean.evaluation.evaluate",
    "parse": "sean.parsing.photo",
    "train": "sean.training.start",
}

__all__ = [
    "Editor",
    "InputError",
    "LabelSet",
    "SEANPipeline",
    "Segmenter",
    "StyleCodes",
    "__version__",
    "evaluate",
    "parse",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "data":  # a package of its own, with sean.data.convert and others
        return importlib.import_module("sean.data")
    if name not in _HOMES:
        raise AttributeError(f"module 'sean' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
