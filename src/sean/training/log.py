"""The log of a training: progress bar, log lines, JSON lines, TensorBoard and sample sheets."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from sean.errors import InputError
from sean.files import parse_json, write_text_atomic
from sean.progress import bars_are_shown, is_silent

METRICS_NAME = "metrics.jsonl"


class Log:
    """Interface of a log. This one is silent: the log of all processes but the first."""

    def step(self, step: int, terms: dict[str, float]) -> None:
        """Record the loss terms of step number `step` (1, 2, ...), without those of a skipped update."""

    def record(self, kind: str, step: int, values: dict[str, float]) -> None:
        """Record values that belong to a step."""

    def message(self, text: str, *, quiet: bool = False) -> None:
        """Print a line for the user; a quiet line only if no progress bar shows the same."""


class TrainingLog(Log):
    """Context manager over the outputs of a run; terms are averaged between log lines.

    Args:
        run: the run's folder.
        start_step: steps already done; older records are kept, records of later steps (undone by a kill) are dropped.
        total_steps: steps of the whole training.
        log_every: steps between records.
        batch_size: pictures per step, for the speed.

    Raises:
        InputError: from any method, if the run's folder cannot be written.
    """

    def __init__(self, run: Path, start_step: int, total_steps: int, log_every: int, batch_size: int = 1) -> None:
        self.path = run / METRICS_NAME
        self.batch_size = batch_size
        self.log_every = log_every
        self.console = Console(stderr=True, soft_wrap=True)
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=self.console,
            disable=not bars_are_shown(),
        )
        self.task = self.progress.add_task("training", total=total_steps, completed=start_step, terms="")
        self.total_steps = total_steps
        with self._writing():
            self.writer = SummaryWriter(str(run / "tensorboard"), purge_step=start_step + 1)
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)
        self.count = 0
        self.last_time = time.perf_counter()
        self._drop_records_after(start_step)

    def __enter__(self) -> "TrainingLog":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        try:
            self.writer.close()
        except OSError as failure:
            if error is None:  # otherwise already printed
                raise InputError(self._cannot_write(failure)) from failure

    def step(self, step: int, terms: dict[str, float]) -> None:
        """See `Log`."""
        for name, value in terms.items():
            self.sums[name] += value
            self.counts[name] += 1
        self.count += 1
        if step % self.log_every and step != self.total_steps:
            self.progress.advance(self.task)
            return
        now = time.perf_counter()
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        seconds = (now - self.last_time) / self.count
        text = " ".join(f"{name} {value:.3f}" for name, value in means.items())
        self.progress.update(self.task, completed=step, terms=text)
        left = seconds * (self.total_steps - step) / 60
        self.message(
            f"step {step}/{self.total_steps}: {text} ({seconds:.2f} s a step, "
            f"{self.batch_size / seconds:.1f} pictures a second, {left:.0f} min left)",
            quiet=True,
        )
        self.record("train", step, {**means, "seconds_per_step": seconds})
        self.sums.clear()
        self.counts.clear()
        self.count = 0
        self.last_time = now

    def record(self, kind: str, step: int, values: dict[str, float]) -> None:
        """Append one JSON line and write the same values to TensorBoard."""
        with self._writing():
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
            for name, value in values.items():
                self.writer.add_scalar(f"{kind}/{name}", value, step)

    def message(self, text: str, *, quiet: bool = False) -> None:
        """Print a line; a quiet line only if no progress bar shows the same."""
        if not (is_silent() or (quiet and bars_are_shown())):
            self.console.print(text, highlight=False, markup=False)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(self._cannot_write(error)) from error

    def _cannot_write(self, error: OSError) -> str:
        return (
            f"cannot write the logs in {self.path.parent}: {error.strerror or error}; free some space or make the "
            "folder writable, then resume the run"
        )

    def _drop_records_after(self, step: int) -> None:
        if not self.path.is_file():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                record = parse_json(line)
            except ValueError:  # a line cut off by a kill
                continue
            if record["step"] <= step:
                kept.append(line + "\n")
        write_text_atomic(self.path, "".join(kept))
