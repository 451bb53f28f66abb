"""The settings of a parser's training, which with the data determine its result; their JSON form, and presets."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sean.errors import InputError
from sean.files import parse_json
from sean.models.configs import (
    NUM_STAGES,
    PARSER_CONFIGS,
    ParserConfig,
    PyramidParserConfig,
    UNetParserConfig,
    config_from_dict,
)
from sean.training.config import RunConfig

_PARTS = ("grey", "blur", "compression", "occlusion")


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Strength of the augmentation; each amount is drawn uniformly from minus to plus the setting.

    Attributes:
        oversampling: factor of the size at which training pairs are read, so that enlarged parts stay sharp.
        zoom: range of the logarithm of the scale: 0.25 draws between 0.78 and 1.28 times the size.
        shift: range of the shift, as a fraction of the picture's extent.
        rotation: range of the angle, in degrees.
        brightness: range of the offset of values in [-1, 1].
        contrast: range of the logarithm of the factor of the differences from mid-grey.
        saturation: range of the logarithm of the factor of the colours' distance from grey.
        hue: range of the rotation of the colours in the IQ plane, in degrees.
        grey: fraction of the pictures that lose their colour.
        blur: fraction of the pictures that are blurred, as generated pictures often are.
        compression: fraction of the pictures that are compressed as JPEG of quality 20 to 90.
        occlusion: fraction of the pictures in which an ellipse covers a part, which is left unlabelled.
    """

    oversampling: int = 2
    zoom: float = 0.25
    shift: float = 0.08
    rotation: float = 12.0
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.4
    hue: float = 15.0
    grey: float = 0.05
    blur: float = 0.15
    compression: float = 0.0
    occlusion: float = 0.0

    def __post_init__(self) -> None:
        if self.oversampling < 1:
            raise InputError(f"expected oversampling of at least 1, got {self.oversampling}")
        amounts = {name: value for name, value in vars(self).items() if name != "oversampling"}
        for name, value in amounts.items():
            if not 0 <= value < math.inf or (name in _PARTS and value > 1):
                raise InputError(f"expected {name} of at least 0 ({', '.join(_PARTS)}: at most 1), got {value}")


@dataclass(frozen=True, kw_only=True)
class SelfTraining:
    """How pictures without label maps are used (Lee 2013, "Pseudo-Label"; Tarvainen and Valpola 2017, "Mean teachers").

    The averaged weights label each original picture; the network is trained to find the same labels in the augmented
    picture.

    Attributes:
        start_step: first step with self-training; before it, the teacher is too weak.
        batch_size: number of such pictures per step, besides the labelled ones.
        confidence: least probability of a label; pixels below it are left unlabelled.
    """

    start_step: int = 1500
    batch_size: int = 4
    confidence: float = 0.9

    def __post_init__(self) -> None:
        if self.start_step < 0 or self.batch_size < 1 or not 0 <= self.confidence <= 1:
            raise InputError(
                "expected self-training with a start_step of at least 0, a batch_size of at least 1 and a confidence "
                f"in 0..1, got {self.start_step}, {self.batch_size} and {self.confidence}"
            )


@dataclass(frozen=True, kw_only=True)
class ParserTrainConfig(RunConfig):
    """The settings of a parser's training.

    Attributes:
        augmentation: strength of the augmentation.
        self_training: use of pictures without label maps, if there are any.
        warmup_steps: number of steps over which the learning rate rises; then it falls to 0 along a cosine.
        rate: AdamW's largest learning rate.
        encoder_rate: learning rate of an ImageNet encoder, as a fraction of `rate`.
        frozen_stages: number of first stages of the encoder that are not trained.
        weight_decay: AdamW's weight decay of the convolutions; other parameters have none.
        dice: weight of the Dice term relative to the cross-entropy.
        class_weight_power: the weight of a label is its frequency to the power of minus this; 0 weights all labels
            alike.
        largest_class_weight: upper bound on the weights of rare labels.
        loss_stride: the loss uses every n-th pixel of a row and of a column, with another phase in each step.
        gradient_norm: upper bound on the norm of the gradients.
        test_fraction: fraction of the pairs, the last by sorted name, kept for a test and used neither for training
            nor for validation. `validation` divides the others.
        validate_every: steps between validations, sample sheets and exports of the model.
    """

    model: ParserConfig = field(default_factory=UNetParserConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    self_training: SelfTraining = field(default_factory=SelfTraining)
    batch_size: int = 8
    steps: int = 4000
    warmup_steps: int = 200
    rate: float = 5e-3
    encoder_rate: float = 0.15
    frozen_stages: int = 0
    weight_decay: float = 0.02
    dice: float = 1.0
    class_weight_power: float = 0.5
    largest_class_weight: float = 5.0
    loss_stride: int = 1
    gradient_norm: float = 5.0
    ema_decay: float = 0.995
    test_fraction: float = 0.0
    validate_every: int = 500

    counts = (*RunConfig.counts, "loss_stride", "validate_every")
    ramp = "warmup_steps"
    free_on_resume = (*RunConfig.free_on_resume, "validate_every")
    changeable_on_resume = ("steps", "warmup_steps", "rate", "encoder_rate", "batch_size", "precision")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.frozen_stages <= NUM_STAGES or not 0 <= self.test_fraction < 1:
            raise InputError(
                f"expected frozen_stages in 0..{NUM_STAGES} and test_fraction in [0, 1), got {self.frozen_stages} and "
                f"{self.test_fraction}"
            )
        for name in ("rate", "encoder_rate", "weight_decay", "dice", "class_weight_power"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"expected {name} of at least 0, got {getattr(self, name)}")
        for name in ("largest_class_weight", "gradient_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"expected {name} above 0, got {getattr(self, name)}")
        # batch normalization at the coarsest level, a 32nd of the size, needs the values of two pixels
        if self.batch_size == 1 and self.model.image_size == (32, 32):
            raise InputError("expected a batch_size of at least 2 for pictures of 32 x 32 pixels, got 1")

    def rate_at(self, step: int) -> float:
        """The learning rate of `step` (0, 1, ...): a linear rise, then half a cosine down to 0."""
        if step < self.warmup_steps:
            return self.rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.rate * 0.5 * (1 + math.cos(math.pi * progress))

    @classmethod
    def from_json(cls, text: str) -> "ParserTrainConfig":
        """See `RunConfig`."""
        values = parse_json(text)
        model = dict(values["model"])
        architecture = model.pop("architecture", UNetParserConfig.architecture)  # of checkpoints older than the setting
        nested: dict[str, Any] = {
            "model": config_from_dict(PARSER_CONFIGS[architecture], model),
            "augmentation": Augmentation(**values["augmentation"]),
            "self_training": SelfTraining(**values.get("self_training", {})),
        }
        return cls(**{**values, **nested})


def mini(size: int) -> ParserTrainConfig:
    """Data sets of about a thousand pictures: about 20 minutes on one CPU core at 64 px, four times that at 128 px."""
    oversampling = 1 if size > 128 else 2  # these data sets have 256 px
    return ParserTrainConfig(
        model=UNetParserConfig(image_size=(size, size)), augmentation=Augmentation(oversampling=oversampling)
    )


def pyramid(size: int) -> ParserTrainConfig:
    """The parser that starts from ImageNet, for faces in photos: turned, near and far, partly covered."""
    return ParserTrainConfig(
        model=PyramidParserConfig(image_size=(size, size)),
        augmentation=Augmentation(
            oversampling=1 if size > 128 else 2,
            zoom=0.48,
            rotation=30.0,
            blur=0.2,
            compression=0.3,
            occlusion=0.3,
        ),
        rate=2e-3,
        frozen_stages=2,
        class_weight_power=0.25,
        loss_stride=2 if size > 128 else 1,
        precision="bf16-mixed",
    )


PRESETS: dict[str, Callable[[], ParserTrainConfig]] = {
    "mini-64": lambda: mini(64),
    "mini-128": lambda: mini(128),
    "mini-256": lambda: mini(256),
    "pyramid-128": lambda: pyramid(128),
    "pyramid-256": lambda: pyramid(256),
}


def preset(name: str) -> ParserTrainConfig:
    """The preset of a name; InputError lists the names if it is unknown."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; expected one of: {', '.join(PRESETS)}")
    return PRESETS[name]()
