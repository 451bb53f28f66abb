"""Times with and without another program that keeps one core busy."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from sean.bench.rendering import ENCODER, STROKE, encoder_cases, rendering_cases
from sean.bench.timing import now
from sean.bench.training import FAST, training_cases
from sean.models.sean.model import SEANModel

EDIT = "sean edit, from start to end"
STEP = "training step, batch 2"

_REPEATS = 4
# time for the other program to start and occupy its core
_SETTLING_SECONDS = 0.5


def busy_cases(model: SEANModel, segmaps: list[Tensor]) -> dict[str, Callable[[], Any]]:
    """The operations that users wait for, by name.

    Args:
        model: in evaluation mode; its generator is put into training mode for the training step only.
        segmaps: [1, h, w] each, of the model's size; two or more.
    """
    size = model.config.image_size
    pictures = rendering_cases(model, segmaps, size, dense=False)
    encoder = encoder_cases(model, segmaps[0], size)[ENCODER]
    step = training_cases(model, torch.cat(segmaps[:2]), size, floor=False)[FAST]

    def training_step() -> None:
        model.train()
        step()
        model.eval()

    names = ("new style", STROKE)
    return {**{name: pictures[name] for name in names}, ENCODER: encoder, STEP: training_step, EDIT: edit_a_photo}


def edit_a_photo() -> None:
    """Run `sean edit` on scikit-image's portrait as a separate process, including the face search."""
    from skimage.data import astronaut

    with tempfile.TemporaryDirectory() as folder:
        photo, output = Path(folder) / "photo.png", Path(folder) / "edited.png"
        Image.fromarray(astronaut()).save(photo)
        command = ["edit", "--image", str(photo), "--style", f"hair={photo}", "--output", str(output)]
        subprocess.run([sys.executable, "-m", "sean", *command], check=True, capture_output=True)


def quiet_and_busy_seconds(cases: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of every case without ("quiet") and with ("busy") another program on one core.

    Blocks of several runs alternate without and with it, as the system needs some time to spread the threads.

    Args:
        cases: functions by name; each runs once before the measurement.
        rounds: number of blocks of either kind.
    """
    times: dict[str, dict[str, float]] = {}
    for name, run in cases.items():
        run()
        seconds: dict[str, list[float]] = {"quiet": [], "busy": []}
        for _ in range(rounds):
            for state, values in seconds.items():
                with _busy_core() if state == "busy" else contextlib.nullcontext():
                    values += [_seconds_of(run) for _ in range(_REPEATS)]
        times[name] = {state: statistics.median(values) for state, values in seconds.items()}
    return times


@contextlib.contextmanager
def _busy_core() -> Iterator[None]:
    program = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        time.sleep(_SETTLING_SECONDS)
        yield
    finally:
        program.kill()
        program.wait()


def _seconds_of(run: Callable[[], Any]) -> float:
    start = now()
    run()
    return now() - start
