"""Training data: folders and shards of pairs, their transforms, and conversion from other formats.

The names below are loaded on first use, so that importing this package stays light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sean.augmentation.loader import Restyle
    from sean.data.formats.conversion import convert
    from sean.data.formats.export import export

_HOMES = {
    "Restyle": "sean.augmentation.loader",
    "convert": "sean.data.formats.conversion",
    "export": "sean.data.formats.export",
}

__all__ = ["Restyle", "convert", "export"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sean.data' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
