"""All that a parser's training is at one moment, and its checkpoints."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import nn

from sean.errors import InputError
from sean.models.efficientnet import load_efficientnet
from sean.models.parsers import Parser, PyramidParser, new_parser
from sean.training.checkpoints import checkpoint_files, checkpoint_path, read_newest
from sean.training.parser.config import ParserTrainConfig, check_resumable, config_from_json, config_to_json
from sean.training.resume import Changes, check_steps
from sean.training.tree_file import save_tree


@dataclass(kw_only=True)
class ParserState:
    """Network, its average and optimizer, and how many steps are done; all else follows from the step.

    Attributes:
        parser: wrapped by Fabric for device and precision; `average` is not.
        step: optimizer steps done.
    """

    parser: _FabricModule
    average: Parser
    optimizer: torch.optim.Optimizer
    step: int = 0

    def _parts(self) -> dict[str, Any]:
        return {"parser": self.parser, "average": self.average, "optimizer": self.optimizer}

    def save(self, run: Path, config: ParserTrainConfig) -> None:
        """Write a checkpoint, atomically, then remove all but the newest `config.keep_last`."""
        tree = {name: dict(part.state_dict()) for name, part in self._parts().items()}
        save_tree(checkpoint_path(run, self.step), {**tree, "step": self.step, "parser_config": config_to_json(config)})
        for old in checkpoint_files(run)[config.keep_last :]:
            old.unlink(missing_ok=True)

    def continue_from(self, run: Path, config: ParserTrainConfig) -> tuple[list[str], Changes] | None:
        """Load the newest checkpoint of a run.

        Returns:
            What is wrong with newer ones, and the settings that change from here on; None where there is no checkpoint.

        Raises:
            InputError: none can be read, or it is of a run with other settings or of another kind.
        """
        newest = read_newest(run)
        if newest is None:
            return None
        path, tree, problems = newest
        try:
            saved = config_from_json(tree["parser_config"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a checkpoint of a parser's training in this version of sean") from error
        changes = check_resumable(saved, config)
        try:
            check_steps(tree["step"], config.steps)
            for name, part in self._parts().items():
                part.load_state_dict(tree[name])
            self.step = tree["step"]
        except InputError:
            raise
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} does not fit the network of this version of sean ({reason})") from error
        return problems, changes


def new_parser_state(config: ParserTrainConfig, fabric: Fabric, start: Parser | None = None) -> ParserState:
    """A fresh network, drawn from the config's seed but for an encoder of ImageNet, and its optimizer.

    Args:
        config: sizes and rates.
        fabric: device and precision.
        start: a parser whose weights it begins with.

    Raises:
        InputError: the package with the weights of the encoder is not installed, or `start` has other sizes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        parser = new_parser(config.model)
    pretrained: set[nn.Parameter] = set()
    if isinstance(parser, PyramidParser):
        if start is None:
            parser.encoder = load_efficientnet(parser.config.encoder)
        pretrained = set(parser.encoder.parameters())
        if config.frozen_stages:
            for part in (parser.encoder.stem, *parser.encoder.stages[: config.frozen_stages]):
                part.requires_grad_(False)
    if start is not None:
        _copy_weights(start, parser)
    parser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(parser).requires_grad_(False).eval()
    fabric.to_device(average)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in parser.parameters():
        if parameter.requires_grad:
            rate_factor = config.encoder_rate if parameter in pretrained else 1.0
            weight_decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate_factor, weight_decay), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {"params": members, "rate_factor": rate_factor, "weight_decay": weight_decay}
            for (rate_factor, weight_decay), members in groups.items()
        ],
        lr=config.rate,
    )
    wrapped, wrapped_optimizer = fabric.setup(parser, optimizer)
    return ParserState(parser=wrapped, average=average, optimizer=wrapped_optimizer)


def _copy_weights(start: Parser, parser: Parser) -> None:
    if replace(start.config, image_size=parser.config.image_size) != parser.config:
        raise InputError(f"expected a parser of {parser.config} to start from, got one of {start.config}")
    parser.load_state_dict(start.state_dict())
