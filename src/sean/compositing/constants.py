"""Constants of composites that the page without a server shares: its JavaScript imports the same file."""

import json
from pathlib import Path
from typing import Any

CONSTANTS = Path(__file__).parent / "constants.json"


def shared_constants(module: str) -> dict[str, Any]:
    """The constants of a module of this package, by name; comments on them are in that module."""
    values: dict[str, Any] = json.loads(CONSTANTS.read_text(encoding="utf-8"))[module]
    return values
