"""SPADE's kinds: the VAE by hand, the norm of SPADE++ against plain convolutions, and what each kind may depend on."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sean.models.base import StyledModel
from sean.models.configs import SPADEConfig
from sean.models.sean.norm import ModulatedNorm, SEANNorm, synchronize_batch_norms
from sean.models.spade import FeatureModulation, FeatureNorm, VAEEncoder
from sean.plan.patch_plan import PatchPlan
from sean.plan.planner import plan_segmap

from ..ops.reference import assert_same_with_gradients, onehot, randn
from .architectures import ARCHITECTURES, SIZE, K, generators, random_images, random_model, random_segmaps, refusal
from .reference import randomize


@pytest.fixture
def vae() -> StyledModel:
    return random_model(ARCHITECTURES["spade with vae"])


def halves() -> Tensor:
    """Region 0 on the left half of the picture, region 1 on a quarter, region 2 on another."""
    segmap = torch.zeros(1, *SIZE, dtype=torch.long)
    segmap[:, :, SIZE[1] // 2 :] = 1
    segmap[:, SIZE[0] // 2 :, SIZE[1] // 2 :] = 2
    return segmap


def plan_of(segmap: Tensor, edges: Tensor | None = None) -> PatchPlan:
    return plan_segmap(segmap, scales=(1,), edges=edges).levels[0]


def test_defaults_are_the_published_sizes() -> None:
    config = SPADEConfig()
    assert (config.style, config.base_channels, config.mask_dim, config.latent_dim) == ("vae", 64, 128, 256)
    with torch.device("meta"):
        encoder = VAEEncoder()
    widths = [layer.out_channels for layer in encoder.layers if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 512, 512]
    assert encoder.mean.in_features == 512 * 4 * 4
    assert encoder.log_variance.out_features == 256


def test_an_unknown_kind_of_style_is_one_line() -> None:
    assert refusal(SPADEConfig(), style="gan") == "expected style to be one of none, vae, regions, got 'gan'"


def test_without_styles_there_is_no_encoder() -> None:
    model = random_model(ARCHITECTURES["spade without styles"])
    assert model.style_encoder is None
    assert not any(key.startswith("style_encoder") for key in model.state_dict())


@torch.no_grad()
def test_all_regions_of_a_vae_have_its_mean(vae: StyledModel) -> None:
    image, segmap = random_images(), random_segmaps()
    codes, present = vae.encode(image, segmap)
    mean, _ = vae.style_encoder(image)
    assert torch.equal(codes, torch.stack([mean] * K, dim=1))
    assert present.all()
    assert torch.equal(vae.encode(image, segmap.flip(1))[0], codes)


@torch.no_grad()
def test_a_vaes_vectors_mix_by_the_regions_pixels(vae: StyledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Region 0 has half of the picture, the others a quarter each; then a quarter of the picture has no region."""
    seen: list[Tensor] = []
    forward = vae.generator.forward
    monkeypatch.setattr(
        vae.generator, "forward", lambda segmap, style, plan: seen.append(style) or forward(segmap, style, plan)
    )
    codes = torch.arange(3.0).double().view(1, 3, 1).expand(1, 3, 6)  # 0, 1 and 2
    segmap = halves()
    vae.render(segmap, codes)
    segmap[segmap == 2] = K
    vae.render(segmap, codes)
    torch.testing.assert_close(seen[0], torch.full((1, 6), 0.5 * 0 + 0.25 * 1 + 0.25 * 2).double())
    torch.testing.assert_close(seen[1], torch.full((1, 6), (2 * 0 + 1 * 1) / 3).double(), atol=1e-6, rtol=0)


@torch.no_grad()
def test_exchanging_half_of_the_picture_moves_a_vaes_vector_half_way(vae: StyledModel) -> None:
    segmap, (one, other) = halves(), torch.randn(2, 1, 1, 6).double()
    mixed = one.repeat(1, K, 1)
    mixed[:, 0] = other[:, 0]
    middle = ((one + other) / 2).expand(1, K, 6)
    torch.testing.assert_close(vae.render(segmap, mixed), vae.render(segmap, middle), atol=1e-6, rtol=0)


@torch.no_grad()
def test_kl_divergence_by_hand(vae: StyledModel) -> None:
    """Both heads constant: KL(N(m, e^l) || N(0, 1)) = (m^2 + e^l - 1 - l) / 2, summed over 6 numbers."""
    for head, value in ((vae.style_encoder.mean, 2.0), (vae.style_encoder.log_variance, 1.0)):
        head.weight.zero_()
        head.bias.fill_(value)
    _, own = vae.training_pass(random_images(), random_segmaps())
    assert own["kl"].item() == pytest.approx(6 * (4 + 2.718281828 - 1 - 1) / 2)
    vae.style_encoder.mean.bias.zero_()
    vae.style_encoder.log_variance.bias.zero_()
    assert vae.training_pass(random_images(), random_segmaps())[1]["kl"].item() == pytest.approx(0, abs=1e-12)


@torch.no_grad()
def test_kl_divergence_equals_torchs(vae: StyledModel) -> None:
    """Of pictures that differ: the sum over the vector, the mean over the pictures."""
    image = random_images(3)
    mean, log_variance = vae.style_encoder(image)
    each = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.exp(log_variance / 2)),
        torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean)),
    )
    _, own = vae.training_pass(image, random_segmaps(3))
    torch.testing.assert_close(own["kl"], each.sum() / 3)


@torch.no_grad()
def test_the_drawn_vector_has_the_vaes_mean_and_deviation(vae: StyledModel) -> None:
    """mean + e^(l / 2) times a number of the sample's own generator: that picture, rendered from that vector."""
    image, segmap = random_images(), random_segmaps()
    mean, log_variance = vae.style_encoder(image)
    drawn = [torch.randn(1, 6, generator=generator, dtype=torch.float64) for generator in generators(3, 4)]
    vector = mean + torch.cat(drawn) * torch.exp(log_variance).sqrt()
    fake, _ = vae.training_pass(image, segmap, rng=generators(3, 4))
    want = vae.render(segmap, vector.unsqueeze(1).repeat(1, K, 1))
    torch.testing.assert_close(fake, want, atol=1e-6, rtol=0)
    assert (fake - vae(image, segmap)).abs().max() > 1e-3


@torch.no_grad()
def test_the_drawn_vector_depends_on_the_samples_generator_only(vae: StyledModel) -> None:
    image, segmap = random_images(), random_segmaps()
    together, _ = vae.training_pass(image, segmap, rng=generators(3, 4))
    for index, seed in enumerate((3, 4)):
        one = slice(index, index + 1)
        alone, _ = vae.training_pass(image[one], segmap[one], rng=generators(seed))
        torch.testing.assert_close(alone, together[one], atol=1e-10, rtol=0)
    other, _ = vae.training_pass(image, segmap, rng=generators(3, 5))
    assert torch.equal(other[0], together[0]) and not torch.equal(other[1], together[1])
    with pytest.raises(ValueError, match="one generator, or one for each of 2 samples, got 3"):
        vae.training_pass(image, segmap, rng=generators(1, 2, 3))


@torch.no_grad()
def test_kl_divergence_keeps_its_digits_in_half_precision(vae: StyledModel) -> None:
    """e^l - 1 - l is a small difference of large numbers."""
    vae.float()
    for head, value in ((vae.style_encoder.mean, 0.0), (vae.style_encoder.log_variance, 0.125)):
        head.weight.zero_()
        head.bias.fill_(value)
    with torch.autocast("cpu", torch.bfloat16):
        _, own = vae.training_pass(random_images().float(), random_segmaps())
    assert own["kl"].item() == pytest.approx(6 * (1.133148453 - 1 - 0.125) / 2, rel=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (300, 200), (512, 512)])
def test_a_vae_sees_pictures_at_256(size: tuple[int, int]) -> None:
    encoder = randomize(VAEEncoder(4, 1))
    image = random_images(1, size)
    resized = F.interpolate(image, size=(256, 256), mode="bilinear", align_corners=False)
    for got, want in zip(encoder(image), encoder(resized), strict=True):
        assert torch.equal(got, want)


@torch.no_grad()
def test_a_vae_renders_the_size_of_its_first_layer_only(vae: StyledModel) -> None:
    codes = torch.zeros(1, K, 6).double()
    with pytest.raises(ValueError, match=r"segmaps of \[32, 64\].*got \[64, 32\]") as error:
        vae.render(torch.zeros(1, 64, 32, dtype=torch.long), codes)
    assert "\n" not in str(error.value)
    for kind in ("none", "regions"):
        model = random_model(replace(ARCHITECTURES["spade++"], style=kind))
        picture = model.render(torch.zeros(1, 64, 32, dtype=torch.long), codes[..., : model.code_dim])
        assert picture.shape == (1, 3, 64, 32)


def feature_norm(instance_edges: bool) -> FeatureNorm:
    return randomize(FeatureNorm(5, FeatureModulation(K, 2, 4, 5, instance_edges=instance_edges)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("instance_edges", [False, True])
def test_feature_norm_equals_plain_convolutions(instance_edges: bool, training: bool) -> None:
    """Batch norm, gamma and beta of one-hot, edges and features, painted pixel by pixel; with all gradients."""
    norm = feature_norm(instance_edges).train(training)
    norm.norm.momentum = 0.0
    segmap = torch.randint(K + 1, (2, 6, 7))
    edges = torch.rand(segmap.shape) < 0.4 if instance_edges else None
    x, features = randn(2, 5, 6, 7), randn(2, K, 2)

    def plainly() -> Tensor:
        padded = torch.cat([features, torch.zeros(2, 1, 2).double()], dim=1)
        painted = torch.stack([padded[sample][segmap[sample]].permute(2, 0, 1) for sample in range(2)])
        planes = [onehot(segmap, K), *([] if edges is None else [edges.unsqueeze(1).double()]), painted]
        layers = norm.features
        hidden = F.relu(F.conv2d(torch.cat(planes, 1), layers.hidden.weight, layers.hidden.bias, padding=1))
        gamma = F.conv2d(hidden, layers.gamma.weight, layers.gamma.bias, padding=1)
        beta = F.conv2d(hidden, layers.beta.weight, layers.beta.bias, padding=1)
        if training:
            x_hat = F.batch_norm(x, None, None, training=True)
        else:
            x_hat = F.batch_norm(x, norm.norm.running_mean, norm.norm.running_var)
        return F.leaky_relu(x_hat * (1 + gamma) + beta, 0.2)

    assert_same_with_gradients(
        lambda: norm(x, plan_of(segmap, edges), features, slope=0.2), plainly, [x, features, *norm.parameters()]
    )


@torch.no_grad()
def test_features_of_a_region_reach_two_pixels_beyond_it() -> None:
    norm, segmap = feature_norm(False), torch.zeros(1, 9, 12, dtype=torch.long)
    segmap[:, 3:5, 2:4] = 1
    x, features = torch.randn(1, 5, 9, 12).double(), torch.randn(1, K, 2).double()
    norm.features.hidden.bias.fill_(50)  # no ReLU hides the change
    other = features.clone()
    other[:, 1] += 1
    difference = (norm(x, plan_of(segmap), features) - norm(x, plan_of(segmap), other)).abs().sum(dim=1)[0]
    assert (difference[1:7, 0:6] > 0).all()
    difference[1:7, 0:6] = 0
    assert not difference.any()


def test_feature_norm_insists_on_features() -> None:
    with pytest.raises(AssertionError, match="features"):
        feature_norm(False)(torch.randn(1, 5, 2, 2).double(), plan_of(torch.zeros(1, 2, 2, dtype=torch.long)))


@pytest.mark.parametrize(("kind", "norm_type"), [("none", SEANNorm), ("vae", SEANNorm), ("regions", FeatureNorm)])
def test_every_norm_can_be_synchronized(kind: str, norm_type: type[ModulatedNorm]) -> None:
    model = random_model(replace(ARCHITECTURES["spade++"], style=kind))
    norms = [module for module in model.modules() if isinstance(module, norm_type)]
    assert len(norms) == sum(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules()) == 18
    assert not any(norm.synchronized for norm in norms)
    synchronize_batch_norms(model)
    assert all(norm.synchronized for norm in norms)
