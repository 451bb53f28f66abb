"""The command that measures speed and memory: bench."""

import json
import os
from pathlib import Path
from typing import Literal

from sean.errors import InputError
from sean.extras import require
from sean.files import write_text_atomic
from sean.progress import tracked


def bench(
    *,
    model: str | None = None,
    labels: int = 19,
    size: int = 256,
    base_channels: int = 64,
    data: Path | None = None,
    rounds: int = 5,
    training: bool = True,
    growth: bool = True,
    device: str = "auto",
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    busy: bool = False,
    output: Path | None = None,
) -> None:
    """Measure the fast formulation against the published, dense one and against the convolutions alone.

    Everything is measured in one run: compare the ratios, and run no other program at the same time. The default sizes
    are the paper's; they need 16 GB of memory and some minutes. Prints tables in markdown.

    Examples:
      sean bench
      sean bench --model portraits-256 --no-growth
      sean bench --model portraits-256 --dtype bfloat16 --no-growth --no-training
      sean bench --base-channels 16 --size 128 --rounds 3 --output bench.json
      sean bench --model portraits-256 --busy

    Args:
        model: a bundled name, a model folder, or a hub id; without it, random weights of the following sizes.
        labels: number of labels.
        size: height and width of the pictures, a multiple of 32.
        base_channels: base width NF.
        data: paired folder whose label maps to use; without it, drawn faces.
        rounds: of every comparison; the medians are given.
        training: also training steps and their memory.
        growth: also pictures of 128 to 1024 pixels and models of 19 to 150 labels.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
        dtype: a 16-bit type; also measure pictures in it: their time and their difference from float32.
        busy: measure only the times with and without another program on one core, among them `sean edit` as a separate
            command, which needs the extra photo.
        output: JSON file for all figures.
    """
    import torch

    from sean.bench.precision import comparison
    from sean.bench.report import as_markdown
    from sean.bench.suite import BenchSettings, phases
    from sean.devices import chosen_device
    from sean.editing.pipeline import SEANPipeline, check_dtype
    from sean.models.build import build_model
    from sean.models.configs import SEANConfig
    from sean.models.sean.model import SEANModel

    if rounds < 1:
        raise InputError(f"expected at least 1 round, got {rounds}")
    if output is not None and not (output.parent.is_dir() and os.access(output.parent, os.W_OK)):
        raise InputError(f"cannot write {output}: {output.parent} is no folder that can be written to")
    where, precision = chosen_device(device), getattr(torch, dtype)
    check_dtype(precision, where)
    if busy and dtype != "float32":
        raise InputError(f"expected --busy or --dtype {dtype}, got both; measure one after the other")
    if busy:
        require("photo", "sean bench --busy")
    torch.manual_seed(0)
    if model is None:
        network = build_model(
            SEANConfig(num_regions=labels, image_size=(size, size), base_channels=base_channels), init_gain=1.0
        )
    else:
        loaded = SEANPipeline.from_pretrained(model).model
        if not isinstance(loaded, SEANModel):
            raise InputError(f"expected a SEAN model to measure, got {loaded.config.architecture} in {model}")
        network = loaded
    network = network.to(where)
    settings = BenchSettings(data=data, rounds=rounds, training=training, growth=growth, busy=busy)
    parts = list(phases(network, settings))
    if precision != torch.float32:
        parts.append(("precision", lambda: comparison(network.eval(), settings.data, precision, rounds)))
    result = {name: measure() for name, measure in tracked(parts, "measuring", total=len(parts))}
    if output is not None:
        write_text_atomic(output, json.dumps(result, indent=1) + "\n")
    print(as_markdown(result))
