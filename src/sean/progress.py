"""Progress bars and messages of long work, on the error stream; bars are drawn if that is a terminal."""

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


_silent = False


@contextmanager
def silence() -> Iterator[None]:
    """No bars and no messages inside this context."""
    global _silent
    _silent = True
    try:
        yield
    finally:
        _silent = False


def is_silent() -> bool:
    """Whether messages are unwanted."""
    return _silent


def bars_are_shown() -> bool:
    """Whether bars are drawn."""
    return sys.stderr.isatty() and not _silent


def tracked(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Iterate over `items` with a bar."""
    return track(
        items, description, total=total, console=Console(stderr=True), transient=True, disable=not bars_are_shown()
    )


@contextmanager
def reporting(description: str) -> Iterator[Report]:
    """A bar for functions that report their progress by a callback."""
    with Progress(console=Console(stderr=True), transient=True, disable=not bars_are_shown()) as progress:
        task = progress.add_task(description, total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report
