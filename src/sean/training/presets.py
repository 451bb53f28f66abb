"""Presets of models' trainings: functions that return a config. The paper's four trainings, and small ones.

The presets of parsers are in `sean.training.parser.config`.
"""

from collections.abc import Callable
from dataclasses import replace

from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.configs import SEANConfig
from sean.training.config import TrainConfig

_EPOCHS = 100  # as in the paper: half of them with constant learning rates, half with falling ones


def celebamask_hq() -> TrainConfig:
    """The paper's training on CelebAMask-HQ: 256 px, batch 32, 100 epochs of 28 000 pictures."""
    return TrainConfig()


def ade20k() -> TrainConfig:
    """The paper's training on ADE20K: 256 px, 150 labels and instance edges, 100 epochs of 20 210 pictures."""
    return _for_epochs(20_210, SEANConfig(num_regions=150, instance_edges=True))


def cityscapes() -> TrainConfig:
    """The paper's training on Cityscapes: 512 x 256, 35 labels and instance edges, 100 epochs of 2 975 pictures."""
    return _for_epochs(2_975, SEANConfig(num_regions=35, image_size=(256, 512), instance_edges=True))


def facades() -> TrainConfig:
    """The paper's training on facades, with the labels of CMP Facades: 256 px, 100 epochs of its 546 pictures.

    The paper's 30 000 labelled street views were never published.
    """
    return _for_epochs(546, SEANConfig(num_regions=12))


def _for_epochs(num_images: int, model: SEANConfig) -> TrainConfig:
    config = TrainConfig(model=model)
    steps = -(-_EPOCHS * num_images // config.batch_size)
    return replace(config, steps=steps, decay_steps=steps // 2)


def mini(size: int) -> TrainConfig:
    """Small networks for small machines and data sets of about a thousand pictures; no VGG19 needed.

    Narrow layers (16 channels at full size, at most 128), an L1 term instead of the perceptual term, and higher rates:
    about three quarters of an hour on two CPU cores at 128 px.
    """
    return TrainConfig(
        model=SEANConfig(
            image_size=(size, size),
            style_dim=96,
            base_channels=16,
            max_channels=128,
            mask_dim=32,
            encoder_channels=16,
        ),
        losses=LossWeights(adversarial=0.25, feature_matching=2.5, perceptual=0.0, l1=20.0),
        discriminator_channels=32,
        batch_size=4,
        steps=3000,
        decay_steps=1800,
        generator_rate=5e-4,
        discriminator_rate=5e-4,
        init_gain=1.0,
        ema_decay=0.998,
        resize=1.05,
        num_workers=1,
        sample_every=600,
        checkpoint_every=200,
    )


def comparison(size: int) -> TrainConfig:
    """The comparison of the paper's methods on two CPU cores: `mini` with a perceptual term as all of them had.

    The adversarial, feature matching and perceptual terms stand to each other as in the paper (1 : 10 : 10), with
    EfficientNet-Lite1's features in place of VGG19's; half of the L1 term of `mini` stays for the short trainings.
    """
    config = mini(size)
    return replace(
        config,
        losses=replace(config.losses, perceptual=2.5, l1=10.0),
        perceptual_network="efficientnet-lite1",
        precision="bf16-mixed",
        checkpoint_every=100,
    )


def portraits(size: int) -> TrainConfig:
    """The bundled model's training: faces with true colours, from some thousand pictures on one CPU core.

    Reconstruction terms only (L1 and EfficientNet-Lite features), first at 128 px, then at 256 px with `start_from`;
    the adversarial terms follow last, see the model's card. Wide layers at low resolutions cost little.
    """
    config = mini(size)
    model = SEANConfig(
        image_size=(size, size),
        style_dim=96,
        base_channels=16,
        max_channels=256,
        mask_dim=32,
        encoder_channels=24,
        encoder_norm="group",
        mean_color=True,
        match_color=True,
    )
    return replace(
        config,
        model=model,
        losses=LossWeights(adversarial=0.0, feature_matching=0.0, perceptual=1.0, l1=10.0),
        perceptual_network="efficientnet-lite1",
        batch_size=8,
        steps=20_000,
        decay_steps=5_000,
        beta1=0.5,
        shrink=0.75,
        recolor=0.35,
        sample_every=500,
        checkpoint_every=100,
    )


def synthetic() -> TrainConfig:
    """A few minutes at 64 px on synthetic scenes: no data to download."""
    config = mini(64)
    return replace(
        config, resize=1.0, steps=1000, decay_steps=500, sample_every=250, checkpoint_every=100, num_workers=0
    )


PRESETS: dict[str, Callable[[], TrainConfig]] = {
    "celebamask-hq": celebamask_hq,
    "ade20k": ade20k,
    "cityscapes": cityscapes,
    "facades": facades,
    "mini-64": lambda: mini(64),
    "mini-128": lambda: mini(128),
    "mini-256": lambda: mini(256),
    "comparison-128": lambda: comparison(128),
    "portraits-128": lambda: portraits(128),
    "portraits-256": lambda: portraits(256),
    "synthetic": synthetic,
}


def preset(name: str) -> TrainConfig:
    """The preset of a name; InputError lists the names if it is unknown."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; expected one of: {', '.join(PRESETS)}")
    return PRESETS[name]()
