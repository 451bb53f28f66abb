"""The state of a parser's training, and its checkpoints."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import nn

from sean.models.configs import ParserConfig
from sean.models.efficientnet import load_efficientnet
from sean.models.parsers import Parser, PyramidParser, new_parser
from sean.training.checkpoints import RunState
from sean.training.config import check_start
from sean.training.parser.config import ParserTrainConfig


@dataclass(kw_only=True)
class ParserState(RunState):
    """The state of a parser's training: the network, its average, and the optimizer.

    Attributes:
        parser: the network, wrapped by Fabric for device and precision; `average` is not wrapped.
    """

    parser: _FabricModule
    average: Parser
    optimizer: torch.optim.Optimizer

    config_type = ParserTrainConfig
    config_key = "parser_config"

    def parts(self) -> dict[str, Any]:
        """See `RunState`."""
        return {"parser": self.parser, "average": self.average, "optimizer": self.optimizer}


def new_parser_state(config: ParserTrainConfig, fabric: Fabric, start: Parser | None = None) -> ParserState:
    """A new network, drawn from the config's seed except for an ImageNet encoder, and its optimizer.

    Args:
        config: sizes and rates.
        fabric: device and precision.
        start: parser with the initial weights.

    Raises:
        InputError: the package with the weights of the encoder is not installed, or `start` has other sizes.
    """
    parser = drawn_parser(config.model, config.seed, pretrained=start is None)
    pretrained: set[nn.Parameter] = set()
    if isinstance(parser, PyramidParser):
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


def drawn_parser(config: ParserConfig, seed: int, *, pretrained: bool = True) -> Parser:
    """A new parser with weights drawn from a seed, and with those of ImageNet where it has an encoder for them.

    Args:
        config: the sizes.
        seed: of the weights; torch's global generator stays as it is.
        pretrained: whether the encoder takes the weights of ImageNet.

    Raises:
        InputError: the package with the weights of the encoder is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parser = new_parser(config)
    if pretrained and isinstance(parser, PyramidParser):
        parser.encoder = load_efficientnet(parser.config.encoder)
    return parser


def _copy_weights(start: Parser, parser: Parser) -> None:
    check_start(start.config, parser.config, "the parser")
    parser.load_state_dict(start.state_dict())
