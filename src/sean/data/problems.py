"""What is wrong with many files: of each kind of problem the first few are kept word by word, the rest are counted."""

from collections import Counter
from dataclasses import dataclass

SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One kind of problem: how often, and the first occurrences in words (with file names)."""

    kind: str
    count: int
    examples: tuple[str, ...]

    def lines(self) -> list[str]:
        """The problem for a reader."""
        lines = [f"{self.count} {self.kind}:", *(f"  {example}" for example in self.examples)]
        if self.count > len(self.examples):
            lines.append(f"  ... and {self.count - len(self.examples)} more")
        return lines


class Problems:
    """Problems by kind, in the order in which the kinds turned up: counts, and the first `SHOWN` lines of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, kind: str, line: str) -> None:
        """Note one problem; `line` names the file."""
        self._counts[kind] += 1
        kept = self._examples.setdefault(kind, [])
        if len(kept) < SHOWN:
            kept.append(line)

    def found(self) -> tuple[Problem, ...]:
        """All kinds of problems noted so far."""
        return tuple(
            Problem(kind=kind, count=count, examples=tuple(self._examples[kind]))
            for kind, count in self._counts.items()
        )
