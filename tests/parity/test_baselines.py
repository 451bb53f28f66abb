"""The published SPADE, with and without its VAE, and pix2pixHD: encoders and pictures."""

import torch

from sean.models.build import new_model
from sean.models.configs import Pix2PixHDConfig, SPADEConfig
from sean.models.official import convert_pix2pixhd, convert_spade, infer_pix2pixhd_config, infer_spade_config
from sean.segmap import onehot

from .conftest import load_arrays, reference_state

OUTPUT_STRIDE = 4
FEATURE_STRIDE = 8


def test_spade_without_styles(golden: dict[str, torch.Tensor]) -> None:
    state = reference_state("spade", "generator")
    config = infer_spade_config(state, None)
    assert config == SPADEConfig(style="none", base_channels=8)
    model = new_model(config)
    model.load_state_dict(convert_spade(state, None))
    model.eval()
    with torch.no_grad():
        output = model(golden["image"], golden["segmap"])[:, :, ::OUTPUT_STRIDE, ::OUTPUT_STRIDE]
    torch.testing.assert_close(output, load_arrays("spade")["output"], atol=1e-4, rtol=0)


def test_spade_with_its_vae(golden: dict[str, torch.Tensor]) -> None:
    state, encoder = reference_state("spade_vae", "generator"), reference_state("spade_vae", "encoder")
    config = infer_spade_config(state, encoder)
    assert config == SPADEConfig(style="vae", base_channels=8, encoder_channels=8)
    model = new_model(config)
    model.load_state_dict(convert_spade(state, encoder))
    model.eval()
    want = load_arrays("spade_vae")
    with torch.no_grad():
        mean, log_variance = model.style_encoder(golden["image"])
        output = model(golden["image"], golden["segmap"])[:, :, ::OUTPUT_STRIDE, ::OUTPUT_STRIDE]
    torch.testing.assert_close(mean, want["mu"], atol=1e-4, rtol=0)
    torch.testing.assert_close(log_variance, want["logvar"], atol=1e-4, rtol=0)
    torch.testing.assert_close(output, want["output"], atol=1e-4, rtol=0)


def test_pix2pixhd(golden: dict[str, torch.Tensor]) -> None:
    state, encoder = reference_state("pix2pixhd", "generator"), reference_state("pix2pixhd", "encoder")
    config = infer_pix2pixhd_config(state, encoder)
    assert config == Pix2PixHDConfig(base_channels=8)
    model = new_model(config)
    model.load_state_dict(convert_pix2pixhd(state, encoder))
    model.eval()
    want = load_arrays("pix2pixhd")
    with torch.no_grad():
        codes, _ = model.encode(golden["image"], golden["segmap"])
        features = torch.einsum("bkhw,bkf->bfhw", onehot(golden["segmap"], config.num_regions), codes)
        output = model(golden["image"], golden["segmap"])[:, :, ::OUTPUT_STRIDE, ::OUTPUT_STRIDE]
    torch.testing.assert_close(features[:, :, ::FEATURE_STRIDE, ::FEATURE_STRIDE], want["features"], atol=1e-3, rtol=0)
    torch.testing.assert_close(output, want["output"], atol=1e-3, rtol=0)
