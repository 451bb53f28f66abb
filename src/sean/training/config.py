"""The training config: everything a training depends on beside the data, and its JSON form."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.configs import CONFIGS, ModelConfig, SEANConfig, config_from_dict
from sean.training.resume import Changes, changed_settings, read_run_config

# The averaged weights stay in float32, so the trained ones must too.
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
VGG19 = "vgg19"
EFFICIENTNET_PREFIX = "efficientnet-"
_NON_FINITE = ("stop", "skip")
_COUNTS = (
    "discriminator_channels",
    "batch_size",
    "accumulate",
    "steps",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "keep_last",
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything a training depends on beside the data. The defaults are the paper's.

    Attributes:
        model: architecture and sizes of the networks; num_regions is taken from the data.
        losses: weights of the generator's loss terms.
        discriminator_channels: width of the discriminator's first layer.
        batch_size: pictures per step, over all processes and passes together.
        accumulate: passes that a process cuts its share of the batch into, to save memory. Batch norm sees one pass at
            a time.
        steps: optimizer steps of the whole training.
        decay_steps: the learning rates fall linearly to 0 over the last so many steps.
        generator_rate: Adam's learning rate of style encoder and generator.
        discriminator_rate: Adam's learning rate of the discriminator.
        beta1: Adam's decay of the mean; the paper says 0.
        beta2: Adam's decay of the square; the paper says 0.999, the released code uses 0.9.
        init_gain: of the Xavier initialization of style encoder and generator; the paper's is 0.02. With 1 the styles
            reach the picture from the first step on, which short trainings need.
        ema_decay: of the averaged weights, which are what is validated, sampled and exported.
        resize: pictures are scaled to cover this multiple of the size before the random crop.
        shrink: pictures are scaled at random from this to `resize` times the size, the smaller ones with a margin of
            their own reflection; 1 scales all alike.
        recolor: probability with which the regions of a picture get other colours, in the input and the target alike
            (see `sean.data.transforms`).
        flip: mirror half of the pictures, exchanging left and right labels.
        validation: held-out pairs: a fraction of the sorted names, or the prefix of their names. None takes the split
            of a prepared folder, and the last tenth of any other.
        training_prefix: train only on files whose names start so ("train_" where there is a test set, too).
        seed: of the initialization, the order and the crops of the data, and the noise.
        precision: 32-true, bf16-mixed or 16-mixed (lightning-fabric's names).
        num_workers: processes that read data ahead.
        perceptual_network: whose features the perceptual term compares: vgg19; efficientnet-lite0 or -lite1, whose
            weights come with the extra `imagenet`; or a model of ours (a bundled name or a model folder).
        vgg_weights: torchvision's vgg19-dcbb9e9d.pth; None downloads it once.
        non_finite: stop the training at a loss that is not finite, or skip the update and count it.
        log_every: steps between log lines.
        sample_every: steps between validations, sample sheets and exports of the model.
        checkpoint_every: steps between checkpoints.
        keep_last: how many of the newest checkpoints stay on the disk.
        keep_best: keep the model with the best PSNR on the held-out pairs beside the newest one.
    """

    model: ModelConfig = field(default_factory=SEANConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    discriminator_channels: int = 64
    batch_size: int = 32
    accumulate: int = 1
    steps: int = 87_500
    decay_steps: int = 43_750
    generator_rate: float = 1e-4
    discriminator_rate: float = 4e-4
    beta1: float = 0.0
    beta2: float = 0.999
    init_gain: float = 0.02
    ema_decay: float = 0.999
    resize: float = 1.0
    shrink: float = 1.0
    recolor: float = 0.0
    flip: bool = True
    validation: float | str | None = None
    training_prefix: str = ""
    seed: int = 0
    precision: str = "32-true"
    num_workers: int = 2
    perceptual_network: str = VGG19
    vgg_weights: str | None = None
    non_finite: str = "stop"
    log_every: int = 50
    sample_every: int = 1000
    checkpoint_every: int = 500
    keep_last: int = 2
    keep_best: bool = True

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise InputError(f"expected {name} of at least 1, got {getattr(self, name)}")
        if self.batch_size % self.accumulate:
            raise InputError(
                f"expected a batch_size that is a multiple of accumulate ({self.accumulate}), got {self.batch_size}"
            )
        if not 0 <= self.decay_steps <= self.steps:
            raise InputError(f"expected decay_steps in 0..steps ({self.steps}), got {self.decay_steps}")
        if self.num_workers < 0 or self.seed < 0 or not 0 <= self.ema_decay < 1:
            raise InputError(
                "expected num_workers and seed of at least 0 and ema_decay in [0, 1), got "
                f"{self.num_workers}, {self.seed} and {self.ema_decay}"
            )
        for name in ("generator_rate", "discriminator_rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"expected a {name} of at least 0, got {getattr(self, name)}")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise InputError(f"expected beta1 and beta2 in [0, 1), got {self.beta1} and {self.beta2}")
        for name, allowed in (("precision", _PRECISIONS), ("non_finite", _NON_FINITE)):
            if getattr(self, name) not in allowed:
                raise InputError(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)!r}")

    def with_steps(self, steps: int) -> "TrainConfig":
        """The same training in another number of steps: the rates fall over the same part of it."""
        return replace(self, steps=steps, decay_steps=round(self.decay_steps * steps / self.steps))

    def rate_factor(self, step: int) -> float:
        """What the learning rates are multiplied by at `step` (0, 1, ...): 1, then linearly down to 0."""
        if not self.decay_steps:
            return 1.0
        return min(1.0, (self.steps - step) / self.decay_steps)


# What may differ between a run and its continuation: where and how it runs, not what it computes.
_FREE_ON_RESUME = (
    "num_workers",
    "vgg_weights",
    "non_finite",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "keep_last",
    "keep_best",
)
# What a run may change on its way; it then goes on from its checkpoint with the new values.
_CHANGEABLE_ON_RESUME = (
    "steps",
    "decay_steps",
    "generator_rate",
    "discriminator_rate",
    "batch_size",
    "accumulate",
    "precision",
)


def check_resumable(saved: TrainConfig, now: TrainConfig) -> Changes:
    """What a run of config `saved` changes when it goes on under `now`; InputError where it cannot."""
    return changed_settings(saved, now, free=_FREE_ON_RESUME, changeable=_CHANGEABLE_ON_RESUME)


def config_to_json(config: TrainConfig) -> str:
    """The resolved config as JSON text."""
    values = asdict(config)
    values["model"] = {"architecture": config.model.architecture, **values["model"]}
    return json.dumps(values, indent=1)


def config_of_run(run: Path) -> TrainConfig | None:
    """The settings that a run was started or continued with; None where there is no run.

    Raises:
        InputError: its config.json is damaged, or of another kind of training.
    """
    return read_run_config(run, config_from_json)


def config_from_json(text: str) -> TrainConfig:
    """The config back from `config_to_json`."""
    values = json.loads(text)
    model = dict(values["model"])
    architecture = model.pop("architecture", SEANConfig.architecture)  # of checkpoints older than the setting
    values["model"] = config_from_dict(CONFIGS[architecture], model)
    values["losses"] = LossWeights(**values["losses"])
    return TrainConfig(**values)
