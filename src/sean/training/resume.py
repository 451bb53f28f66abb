"""The history of a run: the changes of its settings.

`history.jsonl` in the run's folder has a line for the start and for every continuation with changes: the step, the
data, its labels, the device, and the changed settings as [old value, new value].
"""

import json
from pathlib import Path
from typing import Any

from sean.errors import InputError
from sean.files import parse_json, write_text_atomic
from sean.labels import LabelSet
from sean.training.config import Changes

NON_FINITE_ADVICE = (
    "resume with a lower rate or in 32-true precision; where that fails at once, the saved weights are spoilt, too: "
    "start a new run, from the run's best/ if there is one"
)
HISTORY_NAME = "history.jsonl"


def last_entry(run: Path) -> dict[str, Any] | None:
    """The last line of a run's history; None if the run has no history.

    Raises:
        InputError: the file is damaged.
    """
    entries = _entries(run)
    return entries[-1] if entries else None


def note(run: Path, step: int, *, data: str | None, labels: LabelSet, device: str, changes: Changes) -> None:
    """Add a line to a run's history, unless nothing has changed since the last line.

    Args:
        run: the run's folder.
        step: number of steps done. Lines of later steps, which a kill has undone, are dropped, as is an older line
            with the same changes.
        data: folder or url of the data; None for synthetic scenes.
        labels: label set of the data.
        device: type of the device, "cpu" or "cuda".
        changes: see `RunConfig.changes_of`.
    """
    last_kept = step - 1 if changes else step
    entries = [entry for entry in _entries(run) if entry["step"] <= last_kept or not entry["changes"]]
    entry = {"step": step, "data": data, "labels": list(labels.names), "device": device, "changes": changes}
    if entries and not changes and all(entries[-1][name] == entry[name] for name in ("data", "labels", "device")):
        return
    text = "".join(json.dumps(each, default=str) + "\n" for each in [*entries, entry])
    write_text_atomic(run / HISTORY_NAME, text)


def said(changes: Changes) -> str:
    """The changed settings as a line for the log."""
    return ", ".join(f"{name} {then} -> {now}" for name, (then, now) in changes.items())


def _entries(run: Path) -> list[dict[str, Any]]:
    path = run / HISTORY_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        entries = [parse_json(line) for line in lines]
        if not all(isinstance(entry.get("step"), int) for entry in entries):
            raise ValueError("a line names no step")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"cannot read {path} ({error}); remove it to go on without the run's history") from error
    return entries
