"""The published discriminator, losses and one training step."""

import pytest
import torch

from sean.losses.objective import discriminator_hinge, feature_matching, generator_hinge, split_fake_real
from sean.models.discriminator import Discriminator
from sean.models.sean.model import SEANModel
from sean.segmap import onehot

from .conftest import load_arrays, load_json


def _outputs(
    discriminator: Discriminator, golden: dict[str, torch.Tensor], fake: torch.Tensor
) -> list[list[torch.Tensor]]:
    segmap = onehot(golden["segmap"], 19).to(fake.dtype)
    return discriminator(torch.cat([segmap, segmap]), torch.cat([fake, golden["image"]]))


def _full_output(model: SEANModel, golden: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(golden["image"], golden["segmap"])


def test_discriminator_layers(model: SEANModel, discriminator: Discriminator, golden: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        outputs = _outputs(discriminator, golden, _full_output(model, golden))
    expected = load_arrays("discriminator")
    for s, scale in enumerate(outputs):
        for i, layer in enumerate(scale):
            want = expected[f"scale{s}_layer{i}"]
            # stored with stride 2 where wider than 70, and here with a further stride of 4 where still wider than 40
            stride = 1 if layer.shape[-1] <= 70 else 2
            got = layer[:, :4, ::stride, ::stride]
            got = got[:, :, ::4, ::4] if got.shape[-1] > 40 else got
            torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-5)


def test_losses(model: SEANModel, discriminator: Discriminator, golden: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        fake, real = split_fake_real(_outputs(discriminator, golden, _full_output(model, golden)))
    expected = load_json("losses")
    assert generator_hinge(fake).item() == pytest.approx(expected["G_GAN"], abs=1e-4)
    assert discriminator_hinge(fake, is_real=False).item() == pytest.approx(expected["D_fake"], abs=1e-4)
    assert discriminator_hinge(real, is_real=True).item() == pytest.approx(expected["D_real"], abs=1e-4)
    assert 10 * feature_matching(fake, real).item() == pytest.approx(expected["G_feature_matching_x10"], rel=1e-4)


@pytest.mark.parametrize(("dtype", "floor"), [(torch.float64, 1e-5), (torch.float32, 4e-5)])
def test_training_step(
    model: SEANModel,
    discriminator: Discriminator,
    golden: dict[str, torch.Tensor],
    dtype: torch.dtype,
    floor: float,
) -> None:
    """One forward and backward pass in training mode, without noise: losses, gradients, running statistics.

    The scalars alpha sum terms of either sign that are a thousand times larger, so that only their absolute error is
    small. The goldens, made in float32, are up to 1e-5 off what float64 gives; our float32 is up to 3e-5.
    """
    expected = load_json("train_step")
    model.to(dtype).train()
    discriminator.to(dtype).train()
    golden = {key: value.to(dtype) if value.is_floating_point() else value for key, value in golden.items()}
    output = model(golden["image"], golden["segmap"])
    fake, real = split_fake_real(_outputs(discriminator, golden, output))
    adversarial, matching = generator_hinge(fake), 10 * feature_matching(fake, real)
    (adversarial + matching).backward()

    want = load_arrays("train_step")["output"]
    torch.testing.assert_close(output.detach().float()[:, :, ::4, ::4], want, atol=1e-3, rtol=1e-3)
    assert adversarial.item() == pytest.approx(expected["G_GAN"], rel=1e-3)
    assert matching.item() == pytest.approx(expected["G_feature_matching_x10"], rel=1e-3)
    norm = model.generator.blocks[0].norm_0.norm
    torch.testing.assert_close(
        norm.running_mean[:8].float(), torch.tensor(expected["running_mean_after_head_0_ace_0"]), rtol=1e-3, atol=1e-5
    )
    torch.testing.assert_close(
        norm.running_var[:8].float(), torch.tensor(expected["running_var_after_head_0_ace_0"]), rtol=1e-3, atol=1e-5
    )
    for key, value in expected["grad_norms"].items():
        allowed = floor if "blending" in key else 1e-5
        assert _gradient(model, key).norm().item() == pytest.approx(value, rel=1e-3, abs=allowed), key


def _gradient(model: SEANModel, key: str) -> torch.Tensor:
    """The gradient that the authors' parameter `key` would have, from our stacked parameters."""
    parts = key.split(".")
    if parts[0] == "Zencoder":
        return model.style_encoder.features[int(parts[2])].get_parameter(parts[3]).grad
    if parts[0] == "conv_img":
        return model.generator.to_rgb.get_parameter(parts[1]).grad
    blocks = ["head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3"]
    block = model.generator.blocks[blocks.index(parts[0])]
    if parts[1] == "conv_0":
        return block.conv_0.parametrizations.weight.original.grad
    norm = {"ace_0": block.norm_0, "ace_1": block.norm_1, "ace_s": block.norm_shortcut}[parts[1]]
    half = 0 if "gamma" in key else 1
    name, leaf = parts[-2], parts[-1]
    if leaf == "noise_var":
        return norm.noise_scale.grad if norm.noise_scale.grad is not None else torch.zeros(1)
    if leaf.startswith("blending"):
        return norm.blend.grad[half]
    if name.startswith("fc_mu"):
        return norm.style.get_parameter(f"region_{leaf}").grad[int(name[5:])]
    if name.startswith("conv_"):
        return norm.style.get_parameter(leaf).grad.chunk(2)[half]
    if name.startswith("mlp_"):
        return norm.mask.gamma_beta.get_parameter(leaf).grad.chunk(2)[half]
    return norm.mask.hidden.get_parameter(leaf).grad
