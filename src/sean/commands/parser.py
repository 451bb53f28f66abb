"""The command that trains a parser."""

from pathlib import Path

from sean.training.parser.config import ParserTrainConfig


def train_parser(
    *,
    output: Path,
    config: ParserTrainConfig,
    preset: str = "mini-64",
    data: Path | None = None,
    resume: bool = False,
) -> None:
    """Train a parser: a small network that makes label maps of photos.

    The run's folder gets the checkpoints, the logs (JSON lines, TensorBoard), sample sheets, and in model/ the parser.
    Ctrl-C and SIGTERM save a checkpoint first.

    Examples:
      sean train-parser --output runs/parser
      sean train-parser --preset mini-128 --data faces/ --output runs/parser
      sean train-parser --preset mini-128 --data faces/ --output runs/parser --resume
      sean train-parser --preset mini-256 --data faces/ --output runs/large --config.steps 4000

    Args:
        output: the run's folder.
        config: single settings that differ from the preset's.
        preset: where the settings come from; --help shows those of the preset given before it.
        data: folder with images/, labels/ and classes.txt; without it, synthetic scenes.
        resume: continue the run in `output` from its newest checkpoint.
    """
    from sean.training.parser.data import open_parser_data
    from sean.training.parser.loop import train_parser as run_training

    run_training(config, open_parser_data(config, data), output, resume=resume)
