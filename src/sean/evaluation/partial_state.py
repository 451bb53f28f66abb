"""Partial evaluations on disk, beside the report that is being made: what a process knows after some of its batches."""

import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from sean.errors import InputError
from sean.evaluation.settings import EvaluationRun, Sums
from sean.models.weights import write_safetensors


@dataclass(frozen=True, kw_only=True)
class PartialState:
    """The file of one process and one pass over data, e.g. report.json.model.part-0-of-2.safetensors.

    Attributes:
        path: of the file; None keeps nothing.
        fingerprint: of all that the sums depend on; a file with another one is of another evaluation.
    """

    path: Path | None
    fingerprint: str

    @classmethod
    def of(cls, run: EvaluationRun, stage: str, fingerprint: str) -> "PartialState":
        """The file of this process for a pass over data that is called `stage`."""
        if run.partial is None:
            return cls(path=None, fingerprint=fingerprint)
        name = f"{run.partial.name}.{stage}.part-{run.rank}-of-{run.world_size}.safetensors"
        return cls(path=run.partial.with_name(name), fingerprint=fingerprint)

    def load(self) -> tuple[int, Sums]:
        """Number of batches done and their sums; (0, {}) where there is no file, or one of another evaluation.

        Raises:
            InputError: the file is damaged.
        """
        if self.path is None or not self.path.exists():
            return 0, {}
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("fingerprint") != self.fingerprint:
                    return 0, {}
                return int(metadata["batches"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.path} is a damaged partial evaluation ({reason}); delete it, and its pictures are scored again"
            ) from error

    def save(self, batches: int, sums: Sums) -> None:
        """Write, atomically, what is known after so many batches; nothing is written for none."""
        if self.path is not None and batches:
            write_safetensors(self.path, sums, {"fingerprint": self.fingerprint, "batches": str(batches)})


def remove_partial_states(report: Path) -> None:
    """Delete all partial evaluations beside a report that has been written."""
    pattern = re.compile(re.escape(report.name) + r"\.\w+\.part-\d+-of-\d+\.safetensors")
    for path in report.parent.iterdir():
        if pattern.fullmatch(path.name):
            path.unlink(missing_ok=True)
