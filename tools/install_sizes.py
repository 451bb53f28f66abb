"""The size of an installation with each extra: the files of every package that it brings, as they are installed here.

`python tools/install_sizes.py` prints the table of docs/how-to/install.md; run it where all extras are installed.
"""

import importlib.metadata as metadata
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "seankit"


def brought(extra: str) -> set[str]:
    """The distributions that an installation with an extra has, by their canonical names; "" for no extra."""
    found: set[tuple[str, str]] = set()
    left = [(PROJECT, extra)]
    while left:
        name, wanted = left.pop()
        if (name, wanted) in found:
            continue
        found.add((name, wanted))
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": wanted}):
                left += [(canonicalize_name(requirement.name), each) for each in ("", *requirement.extras)]
    return {name for name, _ in found}


def megabytes(names: Iterable[str]) -> float:
    """The size of all files of distributions."""
    paths = {Path(str(path.locate())) for name in names for path in metadata.files(name) or ()}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def main() -> None:
    """Print the table."""
    print("| installation | packages | MB | of them torch |\n|---|---|---|---|")
    torch = megabytes(["torch"])
    for extra in ("", "photo", "web", "eval", "train", "formats", "heic", "imagenet", "onnx"):
        names = brought(extra)
        shown = f"`seankit[{extra}]`" if extra else "`seankit`"
        print(f"| {shown} | {len(names)} | {megabytes(names):.0f} | {torch:.0f} |")


if __name__ == "__main__":
    sys.exit(main())
