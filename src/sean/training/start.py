"""Trainings by the names of preset, data and device: `sean.train` and `sean train`."""

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sean.devices import AUTO, named_device
from sean.errors import InputError
from sean.pretrained import find_model
from sean.training.config import TrainConfig
from sean.training.data import TrainingData, open_data
from sean.training.loop import train as run_training
from sean.training.methods import SEAN, with_method
from sean.training.presets import preset as find_preset
from sean.training.resume import last_entry


def train(
    data: str | os.PathLike[str] | None,
    output: str | os.PathLike[str],
    *,
    preset: str = "mini-128",
    method: str = SEAN,
    config: TrainConfig | None = None,
    resume: bool = False,
    start_from: str | os.PathLike[str] | None = None,
    device: str = AUTO,
    **settings: Any,
) -> Path:
    """Train a model, as `sean train` does.

    Args:
        data: folder with images/, labels/ and classes.txt, or folder or url of shards. None gives synthetic scenes, for
            the preset "synthetic", and with `resume` the data of the run.
        output: the run's folder: checkpoints, logs and, in model/ (the best one in best/), the model folder.
        preset: name of the settings, see `sean.training.presets.PRESETS`.
        method: one of `sean.training.methods.METHODS`: SEAN, its variants and the baselines.
        config: all settings at once, instead of preset and method.
        resume: continue the run in `output` from its newest checkpoint, with the run's own settings; start a run if
            there is none.
        start_from: model with the initial weights of a new run: a bundled name, a model folder, or a hub id.
        device: "auto" (a CUDA card if there is one, else the CPU), cpu, cuda, or cuda:1.
        settings: single settings to change, such as `steps=2000` or `batch_size=4`; see
            `sean.training.config.TrainConfig`. With another number of steps, the schedule of the rates is scaled too.

    Returns:
        The model folder, for `SEANPipeline.from_pretrained`.

    Raises:
        InputError: see `sean.training.loop.train`; an unknown preset, method or setting; malformed data.
        Interrupted: SIGINT, SIGTERM or SIGHUP was received; the checkpoint of the last step is written.
    """
    run = Path(output)
    where = named_device(device)
    if config is None and resume:
        config = TrainConfig.of_run(run)
    if config is None:
        config = with_method(find_preset(preset), method)
        if data is None and not resume and preset != "synthetic":
            raise InputError(f"expected a data folder for the preset {preset!r}, got none; or use the preset synthetic")
    config = _with_settings(config, settings)
    weights = None if start_from is None else find_model(os.fspath(start_from))
    opened = opened_data(config, data, run if resume else None)
    return run_training(config, opened, run, resume=resume, start_from=weights, device=where)


def opened_data(config: TrainConfig, data: str | os.PathLike[str] | None, run: Path | None) -> TrainingData:
    """The data of a training; without a name, the data of the run to continue.

    Raises:
        InputError: see `open_data`.
    """
    begun = None if run is None or data is not None else last_entry(run)
    return open_data(config, begun["data"] if begun is not None else None if data is None else os.fspath(data))


def _with_settings(config: TrainConfig, settings: dict[str, Any]) -> TrainConfig:
    names = {field.name for field in fields(config)}
    unknown = sorted(settings.keys() - names)
    if unknown:
        raise InputError(f"unknown setting {unknown[0]!r} of a training; expected some of {', '.join(sorted(names))}")
    if isinstance(settings.get("steps"), int):
        config = config.with_steps(settings["steps"])
    return replace(config, **settings)
