"""The sizes of all networks: the content of a folder's config.json, and the settings of a training. No torch."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar, get_args

from sean.errors import InputError

SIZE_MULTIPLE = 32
"""Height and width of a picture are multiples of this, as the generator doubles the size five times."""

NUM_STYLED_BLOCKS = 6
"""Number of SEAN ResBlks that take styles: the six of the paper's style-crossover figure (Fig. 7)."""

# (input width, output width) in units of base_channels, and whether the picture is doubled after the block
BLOCKS = (
    (16, 16, True),
    (16, 16, False),
    (16, 16, True),
    (16, 8, True),
    (8, 4, True),
    (4, 2, True),
    (2, 1, False),
)

EncoderLevel = Literal["unified", "resblk", "sean"]
"""The units that have a style encoder: the whole generator, every styled ResBlk, or every SEAN norm (Table 3)."""

EncoderNorm = Literal["instance", "group"]
"""The norms of the style encoder: instance norms as published, or group norms, which keep more of the colours."""

StyleKind = Literal["none", "vae", "regions"]
"""The style input of SPADE: nothing, one vector of its VAE, or a few features per region (SPADE++)."""

NORM_GROUPS = 8
"""Groups of the style encoder's group norms; fewer if this number does not divide the channels."""

COLOR_DIM = 3
"""Width of the part of a style code that holds the region's mean colour, in models with `mean_color`."""

LITE_VARIANTS = ("lite0", "lite1")
"""Sizes of EfficientNet-Lite."""

NUM_STAGES = 7
"""Stages of EfficientNet-Lite after its stem."""

LARGEST_SIZE = 2**16
"""Largest width, number of labels, or side of a picture: more is a damaged file, which PyTorch would stumble over."""

NUM_LEVELS = 6
"""Full size, and five halvings."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Settings common to all networks that are stored in folders.

    Attributes:
        num_regions: labels k.
        image_size: height and width in pixels the network is trained for, multiples of 32.
    """

    num_regions: int = 19
    image_size: tuple[int, int] = (256, 256)

    architecture: ClassVar[str]
    """The name in the config.json of a folder."""

    always_written: ClassVar[tuple[str, ...]] = ("num_regions", "image_size")
    """Keys every config.json must have. Other settings may be missing from older files and take their defaults."""

    def __post_init__(self) -> None:
        if len(self.image_size) != 2 or any(s < SIZE_MULTIPLE or s % SIZE_MULTIPLE for s in self.image_size):
            raise InputError(
                f"expected an image_size of two positive multiples of {SIZE_MULTIPLE}, got {self.image_size}"
            )
        sizes = [value for value in vars(self).values() if type(value) is int]
        if not 1 <= min(sizes) <= max(*sizes, *self.image_size) <= LARGEST_SIZE:
            raise InputError(f"expected positive sizes of at most {LARGEST_SIZE}, got {self}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(NetworkConfig):
    """Settings common to all models.

    Attributes:
        instance_edges: whether the networks also take the edges of instances, as the paper's networks do for data sets
            with instances (Cityscapes, ADE20K).
    """

    instance_edges: bool = False

    uses_plan: ClassVar[bool] = True
    """Whether the generator works on patch plans, which the data loader can prepare."""


@dataclass(frozen=True, kw_only=True)
class SEANConfig(ModelConfig):
    """Sizes of a SEAN model; the defaults are the paper's for CelebAMask-HQ.

    Attributes:
        style_dim: width d of a style code.
        base_channels: NF, channels of the generator's last block; its first have 16 NF.
        max_channels: upper bound on the width of generator blocks; None as in the paper.
        mask_dim: hidden width of the mask branches.
        encoder_channels: channels of the style encoder's first layer.
        encoders: one style encoder for all (unified, the paper's choice), one for each ResBlk, or one for each SEAN
            norm (Table 3).
        encoder_norm: norms of the style encoders. Instance norms (as published) remove every channel's mean from the
            features, and with it much of the picture's colours; group norms (8 groups) keep more.
        mean_color: whether the first three numbers of a code are the region's mean colour, RGB in [-1, 1]; the network
            computes the other numbers only.
        match_color: whether the generator shifts every region of its picture to the mean colour in the region's code;
            needs mean_color.
        downsampling: whether the style encoders have their bottleneck (Table 3).
        noise: whether the norms add learned noise (Table 3).
        mask_branch: whether norms with a style branch are modulated by the segmap as well.
    """

    style_dim: int = 512
    base_channels: int = 64
    max_channels: int | None = None
    mask_dim: int = 128
    encoder_channels: int = 32
    encoders: EncoderLevel = "unified"
    encoder_norm: EncoderNorm = "instance"
    mean_color: bool = False
    match_color: bool = False
    downsampling: bool = True
    noise: bool = True
    mask_branch: bool = True

    architecture: ClassVar[str] = "sean"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, allowed in (("encoders", get_args(EncoderLevel)), ("encoder_norm", get_args(EncoderNorm))):
            if getattr(self, name) not in allowed:
                raise InputError(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.mean_color and self.style_dim <= COLOR_DIM:
            raise InputError(
                f"expected a style_dim above {COLOR_DIM}, as the mean colour takes {COLOR_DIM} numbers of a code, got "
                f"{self.style_dim}"
            )
        if self.match_color and not self.mean_color:
            raise InputError("expected mean_color with match_color, which takes the colours from the codes; set both")

    @property
    def color_window(self) -> int | None:
        """Side of the window over which the shifts of match_color are averaged; None without match_color.

        In pixels: odd, and about a sixteenth of the picture.
        """
        return 2 * (min(self.image_size) // 32) + 1 if self.match_color else None


@dataclass(frozen=True, kw_only=True)
class SPADEConfig(ModelConfig):
    """Sizes of a SPADE model; the defaults are the published ones.

    Attributes:
        style: "none", "vae" (one vector for the picture) or "regions" (SPADE++).
        base_channels: NF, channels of the generator's last block; its first have 16 NF.
        max_channels: upper bound on the width of generator blocks; None as published.
        mask_dim: hidden width of the norms' convolutions of the segmap.
        latent_dim: width of the VAE's vector.
        feature_dim: features of a region (SPADE++).
        encoder_channels: channels of the encoder's first layer; published: as base_channels for the VAE, 16 for the
            feature encoder.
    """

    style: StyleKind = "vae"
    base_channels: int = 64
    max_channels: int | None = None
    mask_dim: int = 128
    latent_dim: int = 256
    feature_dim: int = 3
    encoder_channels: int = 64

    architecture: ClassVar[str] = "spade"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.style not in get_args(StyleKind):
            raise InputError(f"expected style to be one of {', '.join(get_args(StyleKind))}, got {self.style!r}")


@dataclass(frozen=True, kw_only=True)
class Pix2PixHDConfig(ModelConfig):
    """Sizes of a pix2pixHD model; the defaults are the published ones.

    Attributes:
        base_channels: channels of the global generator's outermost layers; its innermost have 16 times as many.
        num_blocks: residual blocks in the middle of the global generator.
        num_downsamplings: convolutions of stride 2, in generator and encoder.
        encoder_channels: channels of the feature encoder's outermost layers.
        feature_dim: features of a region.
    """

    base_channels: int = 64
    num_blocks: int = 9
    num_downsamplings: int = 4
    encoder_channels: int = 16
    feature_dim: int = 3

    architecture: ClassVar[str] = "pix2pixhd"
    uses_plan: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class ParserConfig(NetworkConfig):
    """Settings common to all parsers. A parser accepts any multiples of 32, not only its own size."""


@dataclass(frozen=True, kw_only=True)
class UNetParserConfig(ParserConfig):
    """Sizes of the small parser, which is trained from random weights.

    Attributes:
        widths: channels of the six levels, from full size to a 32nd; the last is the width of the features.
    """

    image_size: tuple[int, int] = (64, 64)
    widths: tuple[int, int, int, int, int, int] = (24, 48, 96, 128, 160, 192)

    architecture: ClassVar[str] = "parser"
    always_written: ClassVar[tuple[str, ...]] = (*NetworkConfig.always_written, "widths")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != NUM_LEVELS or not 1 <= min(self.widths) <= max(self.widths) <= LARGEST_SIZE:
            raise InputError(f"expected {NUM_LEVELS} positive widths of at most {LARGEST_SIZE}, got {self.widths}")


@dataclass(frozen=True, kw_only=True)
class PyramidParserConfig(ParserConfig):
    """Sizes of the parser whose training starts from ImageNet features.

    Attributes:
        encoder: the variant of EfficientNet-Lite, lite0 or lite1.
        widths: channels of the pyramid's five levels, from a half of the size to a 32nd.
    """

    encoder: str = "lite1"
    widths: tuple[int, int, int, int, int] = (32, 64, 96, 128, 160)

    architecture: ClassVar[str] = "pyramid-parser"
    always_written: ClassVar[tuple[str, ...]] = (*NetworkConfig.always_written, "encoder", "widths")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder not in LITE_VARIANTS:
            raise InputError(f"expected an encoder of {', '.join(LITE_VARIANTS)}, got {self.encoder!r}")
        if len(self.widths) != NUM_LEVELS - 1 or not 1 <= min(self.widths) <= max(self.widths) <= LARGEST_SIZE:
            raise InputError(f"expected {NUM_LEVELS - 1} positive widths of at most {LARGEST_SIZE}, got {self.widths}")


PARSER_CONFIGS: dict[str, type[ParserConfig]] = {
    config.architecture: config for config in (UNetParserConfig, PyramidParserConfig)
}
"""Parser configs by the architecture name in a parser folder's config.json."""

CONFIGS: dict[str, type[ModelConfig]] = {
    config.architecture: config for config in (SEANConfig, SPADEConfig, Pix2PixHDConfig)
}
"""Model configs by the architecture name in a model folder's config.json."""

Config = TypeVar("Config", bound=NetworkConfig)


def config_from_dict(cls: type[Config], values: dict[str, Any]) -> Config:
    """A config from its JSON form. Settings that an older file lacks take their defaults; the sizes are required.

    Raises:
        InputError: an unknown setting, a value of another type, or sizes that do not fit.
    """
    defaults = {field.name: field.default for field in fields(cls)}
    unknown = values.keys() - defaults.keys()
    if unknown:
        raise InputError(f"unknown model settings {', '.join(sorted(unknown))}")
    missing = [name for name in cls.always_written if name not in values]
    if missing:
        raise InputError(f"the model settings lack {', '.join(missing)}")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults[name]
        if isinstance(default, tuple):
            right, kind = isinstance(value, (list, tuple)) and all(type(n) is int for n in value), "whole numbers"
        elif isinstance(default, bool):
            right, kind = type(value) is bool, "true or false"
        elif isinstance(default, str):
            right, kind = type(value) is str, "a word"
        else:
            right, kind = type(value) is int or (default is None and value is None), "whole numbers"
        if not right:
            raise InputError(f"expected {kind} as {name}, got {value!r}")
        checked[name] = tuple(value) if isinstance(default, tuple) else value
    return cls(**checked)


def block_width(multiple: int, base_channels: int, max_channels: int | None) -> int:
    """Channels of a block of so many times the base width."""
    return min(multiple * base_channels, max_channels or multiple * base_channels)


def num_encoders(level: EncoderLevel, base_channels: int, max_channels: int | None) -> int:
    """The number of style encoders of a model. The widths (see `Backbone`) decide which shortcuts have a norm."""
    if level not in get_args(EncoderLevel):
        raise ValueError(f"expected encoders to be one of {', '.join(get_args(EncoderLevel))}, got {level!r}")
    widths = [[block_width(each, base_channels, max_channels) for each in block[:2]] for block in BLOCKS]
    num_norms = sum(2 if in_dim == out_dim else 3 for in_dim, out_dim in widths[:NUM_STYLED_BLOCKS])
    return {"unified": 1, "resblk": NUM_STYLED_BLOCKS, "sean": num_norms}[level]
