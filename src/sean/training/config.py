"""The settings of a training, which with the data determine its result; their JSON form; their changes in a run."""

import json
import math
from abc import abstractmethod
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sean.errors import InputError
from sean.files import parse_json
from sean.losses.weights import LossWeights
from sean.models.configs import CONFIGS, ModelConfig, NetworkConfig, SEANConfig, config_from_dict

VGG19 = "vgg19"
EFFICIENTNET_PREFIX = "efficientnet-"
_DISCRIMINATORS = ("patch", "projected")
_NON_FINITE = ("stop", "skip")
CONFIG_NAME = "config.json"

Config = TypeVar("Config", bound="RunConfig")
Changes = dict[str, tuple[Any, Any]]
"""Settings that changed during a run: name -> (old value, new value)."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings common to all trainings.

    Attributes:
        model: architecture and sizes of the networks; num_regions is taken from the data.
        batch_size: pictures per step.
        steps: optimizer steps of the whole training.
        ema_decay: decay of the averaged weights, which are validated, sampled and exported.
        flip: mirror half of the pictures and exchange left and right labels.
        validation: held-out pairs: a fraction of the sorted names, or the prefix of their names. None takes the split
            of a prepared folder, and the last tenth of any other.
        training_prefix: train only on files whose names start with this prefix, such as "train_" beside a test set.
        seed: seed of the initialization, the order of the data, its augmentation, and the noise.
        precision: 32-true, bf16-mixed or, for models, 16-mixed (lightning-fabric's names).
        num_workers: processes that read data ahead.
        log_every: steps between log lines.
        checkpoint_every: steps between checkpoints.
        keep_last: number of newest checkpoints to keep on the disk.
    """

    model: Any
    batch_size: int
    steps: int
    ema_decay: float
    flip: bool = True
    validation: float | str | None = None
    training_prefix: str = ""
    seed: int = 0
    precision: str = "32-true"
    num_workers: int = 0
    log_every: int = 50
    checkpoint_every: int = 500
    keep_last: int = 2

    # at least 1
    counts: ClassVar[tuple[str, ...]] = ("batch_size", "steps", "log_every", "checkpoint_every", "keep_last")
    # The averaged weights are float32, so the trained weights must be as well.
    precisions: ClassVar[tuple[str, ...]] = ("32-true", "bf16-mixed")
    # name of the setting for a part of the training whose length grows with `steps`
    ramp: ClassVar[str]
    # settings that may differ in a continuation, as they do not affect the result
    free_on_resume: ClassVar[tuple[str, ...]] = ("num_workers", "log_every", "checkpoint_every", "keep_last")
    # settings that a continuation may change; the run continues from its checkpoint with the new values
    changeable_on_resume: ClassVar[tuple[str, ...]] = ("steps", "batch_size", "precision")

    def __post_init__(self) -> None:
        for name in self.counts:
            if getattr(self, name) < 1:
                raise InputError(f"expected {name} of at least 1, got {getattr(self, name)}")
        if not 0 <= getattr(self, self.ramp) <= self.steps:
            raise InputError(f"expected {self.ramp} in 0..steps ({self.steps}), got {getattr(self, self.ramp)}")
        if self.num_workers < 0 or self.seed < 0 or not 0 <= self.ema_decay < 1:
            raise InputError(
                "expected num_workers and seed of at least 0 and ema_decay in [0, 1), got "
                f"{self.num_workers}, {self.seed} and {self.ema_decay}"
            )
        self._check_choice("precision", self.precisions)

    def _check_choice(self, name: str, allowed: tuple[str, ...]) -> None:
        if getattr(self, name) not in allowed:
            raise InputError(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)!r}")

    def with_steps(self: Config, steps: int) -> Config:
        """The same training in another number of steps; the schedule of the rates is scaled with it."""
        return replace(self, steps=steps, **{self.ramp: round(getattr(self, self.ramp) * steps / self.steps)})

    def to_json(self) -> str:
        """The resolved settings as JSON text."""
        values = asdict(self)
        values["model"] = {"architecture": self.model.architecture, **values["model"]}
        return json.dumps(values, indent=1)

    @classmethod
    @abstractmethod
    def from_json(cls: type[Config], text: str) -> Config:
        """Parse the settings from `to_json`; ValueError, KeyError or TypeError for any other text."""

    @classmethod
    def of_run(cls: type[Config], run: Path) -> Config | None:
        """The settings of a run when it was last started or continued; None if there is no run.

        Raises:
            InputError: config.json is damaged, or belongs to another kind of training.
        """
        path = run / CONFIG_NAME
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"cannot read the settings of the run in {path} ({reason}); name its preset to go on"
            ) from error

    def changes_of(self, saved: "RunConfig") -> Changes:
        """The changes when a run that was started under `saved` continues under these settings: name -> (old, new).

        Raises:
            InputError: settings differ that a run cannot change; the message lists them.
        """
        wanted = replace(self, **{name: getattr(saved, name) for name in self.free_on_resume})
        names = [each.name for each in fields(saved) if getattr(saved, each.name) != getattr(wanted, each.name)]
        changes = {name: (getattr(saved, name), getattr(self, name)) for name in names}
        fixed = {name: pair for name, pair in changes.items() if name not in self.changeable_on_resume}
        if fixed:
            raise InputError(
                f"the run was started with other settings ({listed(fixed)}); resume with the same, or start a new run. "
                f"A run that goes on may change {', '.join(self.changeable_on_resume)}"
            )
        return changes


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """The settings of a model's training. The defaults are the paper's.

    Attributes:
        losses: weights of the generator's loss terms.
        discriminator: "patch" as in the paper, or "projected" on frozen features of EfficientNet-Lite1 (Sauer et al.
            2021), which needs the extra `imagenet`.
        discriminator_channels: width of the discriminator's first layer.
        discriminator_augment: change colours and position of the discriminator's input and cut parts out (Zhao et al.
            2020), against overfitting on a small data set.
        accumulate: number of passes into which a process divides its share of the batch, to save memory. Batch-norm
            statistics are those of a single pass.
        decay_steps: number of last steps over which the learning rates fall linearly to 0.
        generator_rate: Adam's learning rate of style encoder and generator.
        discriminator_rate: Adam's learning rate of the discriminator.
        beta1: Adam's decay of the mean; the paper says 0.
        beta2: Adam's decay of the square; the paper says 0.999, the released code uses 0.9.
        init_gain: gain of the Xavier initialization of style encoder and generator; 0.02 in the paper. With 1 the
            styles affect the picture from the first step on, which short trainings need.
        resize: pictures are scaled to cover this multiple of the size before the random crop.
        shrink: pictures are scaled at random between this and `resize` times the size; smaller ones get a margin by
            reflection. 1 scales all pictures alike.
        recolor: probability with which the regions of a picture are recoloured, in input and target alike (see
            `sean.data.transforms`).
        perceptual_network: network whose features the perceptual term compares: vgg19; efficientnet-lite0 or -lite1,
            which need the extra `imagenet`; or a SEAN model (a bundled name or a model folder).
        vgg_weights: path of torchvision's vgg19-dcbb9e9d.pth; None downloads it once.
        non_finite: "stop" ends the training at a loss that is not finite, "skip" skips the update and counts it.
        sample_every: steps between validations, sample sheets and exports of the model.
        keep_best: whether to keep the model with the best PSNR on the held-out pairs besides the newest model.
    """

    model: ModelConfig = field(default_factory=SEANConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    discriminator: str = "patch"
    discriminator_channels: int = 64
    discriminator_augment: bool = False
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
    num_workers: int = 2
    perceptual_network: str = VGG19
    vgg_weights: str | None = None
    non_finite: str = "stop"
    sample_every: int = 1000
    keep_best: bool = True

    counts = (*RunConfig.counts, "discriminator_channels", "accumulate", "sample_every")
    precisions = (*RunConfig.precisions, "16-mixed")
    ramp = "decay_steps"
    free_on_resume = (*RunConfig.free_on_resume, "vgg_weights", "non_finite", "sample_every", "keep_best")
    changeable_on_resume = (
        "steps",
        "decay_steps",
        "generator_rate",
        "discriminator_rate",
        "batch_size",
        "accumulate",
        "precision",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % self.accumulate:
            raise InputError(
                f"expected a batch_size that is a multiple of accumulate ({self.accumulate}), got {self.batch_size}"
            )
        for name in ("generator_rate", "discriminator_rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"expected a {name} of at least 0, got {getattr(self, name)}")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise InputError(f"expected beta1 and beta2 in [0, 1), got {self.beta1} and {self.beta2}")
        self._check_choice("non_finite", _NON_FINITE)
        self._check_choice("discriminator", _DISCRIMINATORS)

    def rate_factor(self, step: int) -> float:
        """Factor of the learning rates at `step` (0, 1, ...): 1, then falling linearly to 0."""
        if not self.decay_steps:
            return 1.0
        return min(1.0, (self.steps - step) / self.decay_steps)

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """See `RunConfig`."""
        values = parse_json(text)
        model = dict(values["model"])
        architecture = model.pop("architecture", SEANConfig.architecture)  # of checkpoints older than the setting
        values["model"] = config_from_dict(CONFIGS[architecture], model)
        values["losses"] = LossWeights(**values["losses"])
        return cls(**values)


def check_steps(done: int, steps: int) -> None:
    """Raise InputError if a run is to end before the step that it has reached."""
    if steps < done:
        raise InputError(f"expected at least {done} steps, as the run has done so many, got {steps}")


WEIGHTLESS = ("image_size", "match_color")
"""Settings of a network that no weight depends on."""


def check_start(start: NetworkConfig, wanted: NetworkConfig, place: str) -> None:
    """Check that the weights of a network fit the network of a new training, which may differ in `WEIGHTLESS` settings.

    Args:
        start: config of the network whose weights are taken.
        wanted: config of the new network.
        place: name of the former for the message, such as its folder.

    Raises:
        InputError: the networks differ; the message lists the differences.
    """
    if type(start) is not type(wanted):
        difference = f"architecture {start.architecture} there, {wanted.architecture} here"
    else:
        names = [each.name for each in fields(wanted) if each.name not in WEIGHTLESS]
        pairs = [(name, getattr(start, name), getattr(wanted, name)) for name in names]
        difference = "; ".join(f"{name} {there} there, {here} here" for name, there, here in pairs if there != here)
    if difference:
        raise InputError(
            f"expected the same network in {place} to start from, found another ({difference}); take the preset and "
            "the method that it was trained with, or its values as settings of the model"
        )


def listed(changes: Changes) -> str:
    """The changed settings as text for an error."""
    return "; ".join(f"{name}: {then} then, {now} now" for name, (then, now) in changes.items())
