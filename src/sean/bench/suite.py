"""The whole benchmark in one run: compared cases are timed in turns, in this process."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from sean.bench.busy import busy_cases, quiet_and_busy_seconds
from sean.bench.growth import by_labels, by_size
from sean.bench.rendering import BOTH, DENSE, encoder_cases, rendering_cases
from sean.bench.segmaps import default_segmaps, noise_segmap
from sean.bench.timing import median_seconds, peak_memory
from sean.bench.training import DENSE as DENSE_STEP
from sean.bench.training import FAST as FAST_STEP
from sean.bench.training import one_step, training_cases
from sean.models.sean.model import SEANModel

Result = dict[str, Any]

_SEGMAPS = 6
_TRAINING_BATCH = 2
_TRAINING_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """Settings of the benchmark.

    Attributes:
        data: paired folder to take label maps from; None draws faces.
        rounds: of every comparison; results are medians over the rounds.
        training: also training steps and their memory.
        growth: also other sizes and numbers of labels.
        busy: measure only the effect of another program on one core.
    """

    data: Path | None = None
    rounds: int = 5
    training: bool = True
    growth: bool = True
    busy: bool = False


def phases(model: SEANModel, settings: BenchSettings) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The parts of the result, each by its name and the function that measures it."""
    config, rounds = model.config, settings.rounds
    size, device = config.image_size, next(model.parameters()).device
    model.eval()
    segmaps = default_segmaps(settings.data, size, _SEGMAPS, config.num_regions)
    noise = noise_segmap(size, config.num_regions)

    def step_seconds(which: Any, floor: bool) -> dict[str, float]:
        model.train()
        seconds = median_seconds(training_cases(model, which, size, floor=floor), min(rounds, _TRAINING_ROUNDS))
        model.eval()
        return seconds

    def noise_seconds() -> dict[str, float]:
        cases = rendering_cases(model, [noise], size)
        return median_seconds({name: cases[name] for name in (BOTH, DENSE)}, rounds)

    yield (
        "machine",
        lambda: {**_machine(device), **asdict(config), "rounds": rounds, "segmaps": str(settings.data or "drawn")},
    )
    if settings.busy:
        yield "busy", lambda: quiet_and_busy_seconds(busy_cases(model, segmaps), rounds)
        return
    yield "rendering", lambda: median_seconds(rendering_cases(model, segmaps, size), rounds)
    yield "encoder", lambda: median_seconds(encoder_cases(model, segmaps[0], size), rounds)
    yield "noise", noise_seconds
    yield "gmac", lambda: _arithmetic(model, segmaps[0], size)
    if settings.training:
        batch = torch.cat(segmaps[:_TRAINING_BATCH])
        yield "training", lambda: step_seconds(batch, True)
        yield "noise training", lambda: step_seconds(torch.cat([noise, noise.flip(2)]), False)
        yield (
            "memory",  # memory of the process, without that of a GPU
            lambda: (
                {}
                if device.type != "cpu"
                else {name: peak_memory(one_step, config, batch.tolist(), name) for name in (FAST_STEP, DENSE_STEP)}
            ),
        )
    if settings.growth:
        yield "sizes", lambda: [asdict(point) for point in by_size(model, settings.data, rounds)]
        yield "labels", lambda: [asdict(point) for point in by_labels(config, rounds, device)]


def _arithmetic(model: SEANModel, segmap: torch.Tensor, size: tuple[int, int]) -> dict[str, float]:
    """Multiply-adds, in 10^9, of the matrix products and convolutions of one picture, as torch counts them."""
    cases = {**rendering_cases(model, [segmap], size), **encoder_cases(model, segmap, size)}
    counted = {}
    for name, run in cases.items():
        run()  # results that are cached between pictures are not counted again
        with FlopCounterMode(display=False) as counter:
            run()
        counted[name] = counter.get_total_flops() / 2e9
    return counted


def _machine(device: torch.device) -> dict[str, str | int]:
    names = [line for line in _cpu_lines() if line.startswith("model name")]
    return {
        "processor": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else names[0].split(":")[1].strip()
        if names
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
