"""How a run goes on with settings of its own or with others, and the history that says what changed at which step.

`history.jsonl` in the run's folder has a line for the start and for every continuation that changed something: the
step, the data, its labels, the device, and the changed settings as [then, now].
"""

import json
from collections.abc import Callable, Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from sean.errors import InputError
from sean.files import write_text_atomic
from sean.labels import LabelSet

CONFIG_NAME = "config.json"
NON_FINITE_ADVICE = (
    "resume with a lower rate or in 32-true precision; where that fails at once, the saved weights are spoilt, too: "
    "start a new run, from the run's best/ if there is one"
)
HISTORY_NAME = "history.jsonl"
Config = TypeVar("Config")
Changes = dict[str, tuple[Any, Any]]


def changed_settings(saved: Config, now: Config, *, free: Collection[str], changeable: Collection[str]) -> Changes:
    """The settings that differ between a run and its continuation: name -> (then, now).

    Args:
        saved: of the run, a dataclass.
        now: of the continuation, likewise.
        free: settings of where and how a training runs, not of what it computes; they do not count.
        changeable: settings that a run may change on its way.

    Raises:
        InputError: another setting differs; names all of those.
    """
    wanted = replace(now, **{name: getattr(saved, name) for name in free})  # type: ignore[type-var]
    names = [field.name for field in fields(saved) if getattr(saved, field.name) != getattr(wanted, field.name)]  # type: ignore[arg-type]
    changes = {name: (getattr(saved, name), getattr(now, name)) for name in names}
    fixed = {name: pair for name, pair in changes.items() if name not in changeable}
    if fixed:
        raise InputError(
            f"the run was started with other settings ({listed(fixed)}); resume with the same, or start a new run. A "
            f"run that goes on may change {', '.join(changeable)}"
        )
    return changes


def read_run_config(run: Path, parse: Callable[[str], Config]) -> Config | None:
    """The config.json of a run, None where there is none; InputError where it cannot be read."""
    path = run / CONFIG_NAME
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"cannot read the settings of the run in {path} ({reason}); name its preset to go on"
        ) from error


def check_steps(done: int, steps: int) -> None:
    """Raise InputError where a run is to end before the step that it has reached."""
    if steps < done:
        raise InputError(f"expected at least {done} steps, as the run has done so many, got {steps}")


def check_labels(run: Path, labels: LabelSet) -> None:
    """Raise InputError unless data has the labels that a run's history tells; an older run has no history."""
    trained = (last_entry(run) or {}).get("labels")
    if trained is not None and trained != list(labels.names):
        raise InputError(
            f"the run {run} is for the labels {_names(trained)}, the data has {_names(labels.names)}; resume with the "
            "data of the run, or start a new run"
        )


def last_entry(run: Path) -> dict[str, Any] | None:
    """The last line of a run's history; None where there is none.

    Raises:
        InputError: the file is damaged.
    """
    entries = _entries(run)
    return entries[-1] if entries else None


def note(run: Path, step: int, *, data: str | None, labels: LabelSet, device: str, changes: Changes) -> None:
    """Add a line to a run's history, unless it says no more than the last one.

    Args:
        run: the run's folder.
        step: done so far. Lines of later steps, which a kill has undone, are dropped, and an older line of the same
            changes.
        data: folder or url of the data; None for synthetic scenes.
        labels: of the data.
        device: type of the device, "cpu" or "cuda".
        changes: see `changed_settings`.
    """
    last_kept = step - 1 if changes else step
    entries = [entry for entry in _entries(run) if entry["step"] <= last_kept or not entry["changes"]]
    entry = {"step": step, "data": data, "labels": list(labels.names), "device": device, "changes": changes}
    if entries and not changes and all(entries[-1][name] == entry[name] for name in ("data", "labels", "device")):
        return
    text = "".join(json.dumps(each, default=str) + "\n" for each in [*entries, entry])
    write_text_atomic(run / HISTORY_NAME, text)


def said(changes: Changes) -> str:
    """The changed settings in a line for the log."""
    return ", ".join(f"{name} {then} -> {now}" for name, (then, now) in changes.items())


def _entries(run: Path) -> list[dict[str, Any]]:
    path = run / HISTORY_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        if not all(isinstance(entry.get("step"), int) for entry in entries):
            raise ValueError("a line names no step")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"cannot read {path} ({error}); remove it to go on without the run's history") from error
    return entries


def listed(changes: Changes) -> str:
    """The changed settings in an error's words."""
    return "; ".join(f"{name}: {then} then, {now} now" for name, (then, now) in changes.items())


def _names(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:4])
    return f"{shown}, ..." if len(names) > 4 else shown
