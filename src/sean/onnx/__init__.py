"""A SEAN model as ONNX files: written from a model folder, checked, and run without torch.

The names below are loaded on first use; they need numpy, onnxruntime and Pillow alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sean.onnx.pipeline import Pipeline
    from sean.onnx.styles import StyleCodes

_HOMES = {"Pipeline": "sean.onnx.pipeline", "StyleCodes": "sean.onnx.styles"}

__all__ = ["Pipeline", "StyleCodes"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sean.onnx' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
