"""Configs: the paper's numbers, the JSON round trip, what may differ on resume, and values that make no sense."""

import json
from dataclasses import replace

import pytest

from sean.errors import InputError
from sean.losses.weights import LossWeights
from sean.models.configs import ModelConfig, SEANConfig
from sean.training.config import TrainConfig, check_start
from sean.training.presets import PRESETS, preset

from ..models.architectures import ARCHITECTURES


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json(name: str) -> None:
    text = preset(name).to_json()
    assert isinstance(json.loads(text), dict)
    back = TrainConfig.from_json(text)
    assert back == preset(name)
    assert hash(back) == hash(preset(name))  # tuples, not lists


def test_every_field_survives_json() -> None:
    config = TrainConfig(
        model=SEANConfig(num_regions=7, image_size=(64, 96), max_channels=24),
        losses=LossWeights(l1=0.1, perceptual=1 / 3),
        generator_rate=1e-4 / 3,
        beta2=0.9,
        validation="val_",
        flip=False,
        precision="bf16-mixed",
        vgg_weights="models/vgg19.pth",
    )
    assert TrainConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_survives_json(name: str) -> None:
    config = TrainConfig(model=ARCHITECTURES[name], losses=LossWeights(gan="least-squares", kl=0.5))
    text = config.to_json()
    assert json.loads(text)["model"]["architecture"] == config.model.architecture
    back = TrainConfig.from_json(text)
    assert back == config and type(back.model) is type(config.model)
    assert hash(back) == hash(config)


def test_a_config_without_architecture_is_for_sean() -> None:
    """So were the checkpoints written before there were others, and settings younger than they had one value."""
    config = TrainConfig(model=SEANConfig(num_regions=7, image_size=(64, 96), max_channels=24))
    values = json.loads(config.to_json())
    for younger in ("architecture", "encoders", "downsampling", "noise", "mask_branch"):
        del values["model"][younger]
    for younger in ("kl", "gan"):
        del values["losses"][younger]
    assert TrainConfig.from_json(json.dumps(values)) == config


def test_a_run_of_another_architecture_cannot_continue() -> None:
    def of(model: ModelConfig) -> TrainConfig:
        return TrainConfig(model=model)

    with pytest.raises(InputError, match=r"other settings \(model: SEANConfig.* then, SPADEConfig.* now") as error:
        of(ARCHITECTURES["spade++"]).changes_of(of(ARCHITECTURES["sean"]))
    assert "\n" not in str(error.value)
    of(ARCHITECTURES["pix2pixhd"]).changes_of(of(ARCHITECTURES["pix2pixhd"]))


def test_the_default_is_the_papers_training() -> None:
    config = preset("celebamask-hq")
    assert config == TrainConfig()
    assert (config.model.image_size, config.model.style_dim, config.model.num_regions) == ((256, 256), 512, 19)
    assert config.batch_size * config.steps == 100 * 28_000  # 100 epochs
    assert config.batch_size * config.decay_steps == 50 * 28_000  # the rates fall over the second half
    assert (config.generator_rate, config.discriminator_rate) == (1e-4, 4e-4)
    assert (config.beta1, config.beta2) == (0.0, 0.999)
    assert (config.losses.adversarial, config.losses.feature_matching, config.losses.perceptual) == (1.0, 10.0, 10.0)
    assert config.losses.l1 == 0.0


@pytest.mark.parametrize(("name", "size"), [("mini-64", 64), ("mini-128", 128), ("mini-256", 256), ("synthetic", 64)])
def test_small_presets_need_no_download(name: str, size: int) -> None:
    config = preset(name)
    assert config.model.image_size == (size, size)
    assert config.losses.perceptual == 0.0 and config.losses.l1 > 0.0


def test_the_comparison_has_the_papers_terms_in_its_ratio() -> None:
    terms, paper = preset("comparison-128").losses, preset("celebamask-hq").losses
    names = ("adversarial", "feature_matching", "perceptual")
    assert [getattr(terms, name) / terms.adversarial for name in names] == [getattr(paper, name) for name in names]
    assert preset("comparison-128").perceptual_network == "efficientnet-lite1"
    assert preset("comparison-128").model == preset("mini-128").model


def test_an_unknown_preset_lists_the_names() -> None:
    with pytest.raises(InputError) as caught:
        preset("mini-512")
    assert str(caught.value) == f"unknown preset 'mini-512'; expected one of: {', '.join(PRESETS)}"


def test_the_rates_by_hand() -> None:
    config = TrainConfig(steps=10, decay_steps=4)
    factors = [config.rate_factor(step) for step in range(11)]
    assert factors == [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert [replace(config, decay_steps=0).rate_factor(step) for step in (0, 9)] == [1, 1]
    assert [replace(config, decay_steps=10).rate_factor(step) for step in (0, 5)] == [1, 0.5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0, "decay_steps": 0}, "expected steps of at least 1, got 0"),
        ({"batch_size": 0}, "expected batch_size of at least 1, got 0"),
        ({"discriminator_channels": 0}, "expected discriminator_channels of at least 1, got 0"),
        ({"log_every": 0}, "expected log_every"),
        ({"sample_every": 0}, "expected sample_every"),
        ({"checkpoint_every": -1}, "expected checkpoint_every"),
        ({"steps": 5, "decay_steps": 6}, r"decay_steps in 0\.\.steps \(5\), got 6"),
        ({"decay_steps": -1}, "decay_steps"),
        ({"num_workers": -1}, "num_workers"),
        ({"seed": -1}, "seed of at least 0"),
        ({"ema_decay": 1.0}, "ema_decay in"),
        ({"ema_decay": float("nan")}, "ema_decay in"),
        ({"generator_rate": -1e-4}, "generator_rate of at least 0"),
        ({"discriminator_rate": float("nan")}, "discriminator_rate of at least 0, got nan"),
        ({"beta1": 1.0}, "beta1 and beta2 in"),
        ({"beta2": -0.1}, "beta1 and beta2 in"),
        ({"precision": "fp16"}, "precision to be one of 32-true, bf16-mixed, 16-mixed, got 'fp16'"),
        ({"precision": "64-true"}, "precision"),
        ({"discriminator": "unet"}, "expected discriminator to be one of patch, projected, got 'unet'"),
    ],
)
def test_bad_values_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TrainConfig(**values)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_run_continues_with_other_surroundings_or_another_schedule() -> None:
    saved = TrainConfig()
    elsewhere = replace(saved, num_workers=7, vgg_weights="vgg.pth", log_every=3, sample_every=4, checkpoint_every=5)
    assert elsewhere.changes_of(saved) == {}
    assert replace(elsewhere, batch_size=8).changes_of(saved) == {"batch_size": (32, 8)}
    with pytest.raises(InputError) as caught:
        replace(saved, batch_size=8, losses=LossWeights(l1=2.0), log_every=3).changes_of(saved)
    message = str(caught.value)
    assert "losses: " in message and "l1=2.0" in message
    assert "batch_size:" not in message and "log_every" not in message and "\n" not in message


@pytest.mark.parametrize("field", ["seed", "ema_decay", "model", "validation"])
def test_what_is_computed_may_not_change(field: str) -> None:
    changes = {
        "seed": 1,
        "ema_decay": 0.9,
        "model": SEANConfig(style_dim=64),
        "validation": "val_",
    }
    with pytest.raises(InputError, match=field):
        replace(TrainConfig(), **{field: changes[field]}).changes_of(TrainConfig())  # type: ignore[arg-type]


def test_a_start_may_differ_in_settings_without_weights() -> None:
    start = SEANConfig(mean_color=True, image_size=(128, 128))
    check_start(start, replace(start, match_color=True, image_size=(256, 256)), "a folder")
    with pytest.raises(InputError, match=r"\(mean_color True there, False here\)"):
        check_start(start, replace(start, mean_color=False), "a folder")
