"""The loop of every training: the run's folder, signals, checkpoints, logs, and the steps of a task.

A task (`sean.training.loop` for models, `sean.training.parser.loop` for parsers) defines its state, the step on a
batch, and the validation.
"""

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, ClassVar, Generic, TypeVar

from sean.data.loader import STOPPING_SIGNALS
from sean.data.splits import check_labels
from sean.data.synthetic.scenes import SyntheticScenes
from sean.errors import InputError, Interrupted
from sean.files import write_text_atomic
from sean.labels import LabelSet
from sean.training.checkpoints import (
    CHECKPOINTS_FOLDER,
    RunState,
    checkpoint_files,
    read_newest,
    save_checkpoint,
    sole_user,
)
from sean.training.config import CONFIG_NAME, Changes, RunConfig
from sean.training.data import TrainingData
from sean.training.distributed import (
    dead_workers_as_input_errors,
    device_line,
    largest,
    lost_processes_as_input_errors,
    on_first,
    start_processes,
)
from sean.training.log import METRICS_NAME, Log, TrainingLog
from sean.training.resume import last_entry, note, said

MODEL_FOLDER = "model"

Config = TypeVar("Config", bound=RunConfig)
State = TypeVar("State", bound=RunState)


# A background job of a script ignores Ctrl-C from the start; an explicit SIGINT must still stop it.
_ALWAYS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context manager that records the signals that stop a training; the loop checks them between steps.

    They are SIGINT (Ctrl-C), SIGTERM (sent by schedulers) and SIGHUP (sent by a closing terminal). A second signal
    interrupts at once. A SIGHUP that is ignored from the start, as under nohup, stays ignored.

    Attributes:
        signal: number of the received signal, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers there only
            for number in STOPPING_SIGNALS:
                if number in _ALWAYS or signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number


@dataclass(frozen=True, kw_only=True)
class _Continued:
    """The checkpoint that a run continues from: errors of damaged newer checkpoints, and changed settings."""

    problems: list[str]
    changes: Changes


class Training(ABC, Generic[Config, State]):
    """One training in its run's folder.

    Args:
        config: settings; the number of regions is replaced by that of the data.
        data: training and validation data.
        run: the run's folder.
        device: auto, cpu, cuda or cuda:1.

    Attributes:
        fabric: device, precision and processes.
        state: networks, optimizers and step, once `train` has begun.
        log: the log for the user; silent on all processes but the first.
    """

    noun: ClassVar[str]
    """The kind of network, for messages."""

    def __init__(self, config: Config, data: TrainingData, run: Path, device: str) -> None:
        self.config = replace(config, model=replace(config.model, num_regions=data.labels.num_regions))
        self.data = data
        self.run = run
        self.fabric = start_processes(config.precision, device)
        self.state: State
        self.log = Log()

    @property
    @abstractmethod
    def validate_every(self) -> int:
        """Steps between validations."""

    @abstractmethod
    def new_state(self, start_from: Path | None) -> State:
        """New networks, with the weights of a model folder if one is given."""

    @abstractmethod
    def batches(self) -> Generator[Any]:
        """An endless iterator over the batches from the state's step on."""

    @abstractmethod
    def step(self, batches: Generator[Any]) -> dict[str, float]:
        """Do one step; returns the loss terms."""

    @abstractmethod
    def validate(self) -> None:
        """Score, sample and export the averaged weights."""

    def prepare(self) -> None:
        """Preparation of the data before the first step; a signal interrupts it at once."""

    def remarks(self) -> list[str]:
        """Lines for the log before the first step."""
        return []

    def note_step(self, terms: dict[str, float]) -> None:
        """Log the loss terms of the last step."""
        self.log.step(self.state.step, terms)

    def train(self, *, resume: bool, start_from: Path | None) -> Path:
        """Train until `config.steps`; returns the model folder. See `sean.training.loop.train`."""
        with ExitStack() as stack:
            stack.enter_context(lost_processes_as_input_errors(self.fabric))
            on_first(self.fabric, lambda: self._enter(stack, resume))
            self.prepare()
            interruption = stack.enter_context(Interruption())
            self.state = self.new_state(start_from)
            continued = self._continue() if resume else None
            on_first(self.fabric, lambda: self._write_down({} if continued is None else continued.changes))
            if self.fabric.is_global_zero:
                config = self.config
                log = TrainingLog(self.run, self.state.step, config.steps, config.log_every, config.batch_size)
                self.log = stack.enter_context(log)
            self._announce(continued)
            with dead_workers_as_input_errors(self.state), closing(self.batches()) as batches:
                self._steps(batches, interruption)
            self.log.message(f"the {self.noun} is in {self.run / MODEL_FOLDER}")
        return self.run / MODEL_FOLDER

    def _steps(self, batches: Generator[Any], interruption: Interruption) -> None:
        state, config = self.state, self.config
        while state.step < config.steps:
            self.note_step(self.step(batches))
            is_last = state.step == config.steps
            signal = largest(interruption.signal, self.fabric)
            # the last step is validated in any case, as no continuation will do so
            if is_last or (not signal and state.step % self.validate_every == 0):
                self.validate()
            if signal or state.step % config.checkpoint_every == 0 or is_last:
                on_first(self.fabric, lambda: save_checkpoint(self.run, state, config))
            if signal and not is_last:
                # the export takes longer than a process that is to stop may have
                has_model = (self.run / MODEL_FOLDER).is_dir()
                model = f"the {self.noun} folder is of an earlier step" if has_model else f"no {self.noun} folder yet"
                raise Interrupted(
                    f"stopped at step {state.step}, which is saved; {model}; resume the run to go on",
                    signal,
                    setting="resume",
                )

    def _enter(self, stack: ExitStack, resume: bool) -> None:
        """Prepare the run's folder for this training."""
        begun = bool(checkpoint_files(self.run))
        if not resume and (begun or (self.run / METRICS_NAME).exists()):
            raise InputError(
                f"{self.run} already holds a training; resume it or choose another folder", setting="resume"
            )
        if isinstance(self.data.training, SyntheticScenes) and not begun:
            _refuse_unused(self.config)
        stack.enter_context(sole_user(self.run))
        trained = (last_entry(self.run) or {}).get("labels") if resume else None  # an older run has no history
        if trained is not None:
            labels = LabelSet(name=f"the run {self.run}", names=tuple(trained))
            check_labels(self.data.labels, labels, self.data.location or "the synthetic scenes")

    def _continue(self) -> _Continued | None:
        """Load the newest checkpoint into the state; None if there is no checkpoint."""

        def load_first() -> tuple[str, _Continued] | None:
            newest = read_newest(self.run)
            if newest is None:
                return None
            path, tree, problems = newest
            return path.name, _Continued(problems=problems, changes=self.state.restore(tree, path, self.config))

        loaded = on_first(self.fabric, load_first)
        if loaded is None:
            return None
        name, continued = loaded
        if not self.fabric.is_global_zero:
            self.state.load(self.run / CHECKPOINTS_FOLDER / name, self.config)
        return continued

    def _write_down(self, changes: Changes) -> None:
        """Write the settings, and their changes into the run's history."""
        write_text_atomic(self.run / CONFIG_NAME, self.config.to_json() + "\n")
        data, device = self.data, self.fabric.device.type
        note(self.run, self.state.step, data=data.location, labels=data.labels, device=device, changes=changes)

    def _announce(self, continued: _Continued | None) -> None:
        if continued is not None:
            for problem in continued.problems:
                self.log.message(f"{problem}; going on from the checkpoint before it")
            self.log.message(f"continuing {self.run} at step {self.state.step}")
            if continued.changes:
                self.log.message(f"from here on with other settings: {said(continued.changes)}")
        for line in (device_line(self.fabric), *self.remarks()):
            self.log.message(line)
        if not self.data.held_out:
            self.log.message("no pictures are held out: the scores are those of training pictures")


def _refuse_unused(config: RunConfig) -> None:
    """Raise InputError for settings that have no meaning for synthetic scenes, which are drawn at their final size."""
    for name, neutral in (("resize", 1.0), ("shrink", 1.0), ("recolor", 0.0)):
        value = getattr(config, name, neutral)
        if value != neutral:
            raise InputError(
                f"expected {name} {neutral:g} for synthetic scenes, which are drawn at their size and in all colours, "
                f"got {value:g}; leave the setting out or give photos",
                setting=f"config.{name}",
            )
