"""Progress bars of the commands, on the error stream; silent if that is not a terminal."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import Progress, track

Item = TypeVar("Item")


class Report(Protocol):
    """Called with the number of items done and their total."""

    def __call__(self, done: int, total: int, /) -> None: ...


_shown = True


@contextmanager
def no_progress() -> Iterator[None]:
    """Hide all bars inside this context."""
    global _shown
    _shown = False
    try:
        yield
    finally:
        _shown = True


def _is_shown() -> bool:
    return _shown and sys.stderr.isatty()


def tracked(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Iterate over `items` with a bar."""
    return track(items, description, total=total, console=Console(stderr=True), transient=True, disable=not _is_shown())


@contextmanager
def reporting(description: str) -> Iterator[Report]:
    """A bar for functions that report their progress by a callback."""
    with Progress(console=Console(stderr=True), transient=True, disable=not _is_shown()) as progress:
        task = progress.add_task(description, total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report
