"""VGG19's trunk, its weights file, and the distance made of its features."""

import urllib.error
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.errors import InputError
from sean.losses.perceptual import VGG19_URL, PerceptualLoss, VGG19Features, load_vgg19

# torchvision's indices of the convolutions of VGG19 (configuration E) up to conv5_1
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
POOLED_BEFORE = (5, 10, 19, 28)
FIRST_OF_STAGE = (0, 5, 10, 19, 28)
WIDTHS = (64, 64, 128, 128, *[256] * 4, *[512] * 5)
TAP_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Random numbers under torchvision's names, and some of what else its file holds."""
    rng = torch.Generator().manual_seed(1)
    state, dim = {"classifier.0.bias": torch.zeros(4), "features.30.bias": torch.zeros(512)}, 3
    for index, width in zip(CONVOLUTIONS, WIDTHS, strict=True):
        state[f"features.{index}.weight"] = torch.randn(width, dim, 3, 3, generator=rng) * (2 / (9 * dim)) ** 0.5
        state[f"features.{index}.bias"] = 0.1 * torch.randn(width, generator=rng)
        dim = width
    return state


@pytest.fixture(scope="module")
def network(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> VGG19Features:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(weights, path)
    loaded = load_vgg19(path)
    path.unlink()
    assert loaded is not None
    return loaded


def test_taps_have_the_published_shapes(network: VGG19Features) -> None:
    shapes = [tuple(tap.shape) for tap in network(torch.randn(2, 3, 32, 48))]
    assert shapes == [(2, 64, 32, 48), (2, 128, 16, 24), (2, 256, 8, 12), (2, 512, 4, 6), (2, 512, 2, 3)]


def test_taps_are_the_first_relu_of_every_stage(network: VGG19Features, weights: dict[str, Tensor]) -> None:
    image = torch.randn(1, 3, 16, 16)
    x, expected = image, []
    for index in CONVOLUTIONS:
        if index in POOLED_BEFORE:
            x = F.max_pool2d(x, kernel_size=2, stride=2)
        x = F.relu(F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], padding=1))
        if index in FIRST_OF_STAGE:
            expected.append(x)
    torch.testing.assert_close(network(image), expected)


def test_network_is_frozen(network: VGG19Features) -> None:
    assert not [name for name, parameter in network.named_parameters() if parameter.requires_grad]


def test_distance_of_a_picture_to_itself_is_zero(network: VGG19Features) -> None:
    image = torch.randn(1, 3, 32, 32)
    assert PerceptualLoss(network)(image, image.clone()).item() == 0
    assert PerceptualLoss(network)(image, -image).item() > 0


def test_distance_is_the_weighted_sum_over_the_taps(network: VGG19Features) -> None:
    fake, real = torch.randn(2, 3, 16, 32), torch.randn(2, 3, 16, 32)
    taps = zip(TAP_WEIGHTS, network(fake), network(real), strict=True)
    expected = sum(weight * (f - r).abs().mean() for weight, f, r in taps)
    torch.testing.assert_close(PerceptualLoss(network)(fake, real), expected)


@pytest.mark.parametrize("tap", range(5))
def test_weight_of_each_tap_by_hand(tap: int) -> None:
    class OneTap(VGG19Features):
        """The picture itself as one of the five features, the others 0."""

        def __init__(self) -> None:
            nn.Module.__init__(self)

        def forward(self, image: Tensor) -> list[Tensor]:
            return [image if index == tap else 0 * image for index in range(5)]

    distance = PerceptualLoss(OneTap())(torch.full((1, 3, 2, 2), 0.75), torch.full((1, 3, 2, 2), -0.25))
    assert distance.item() == TAP_WEIGHTS[tap]


def test_gradient_reaches_the_fake_picture_only(network: VGG19Features) -> None:
    fake, real = torch.randn(1, 3, 16, 16, requires_grad=True), torch.randn(1, 3, 16, 16, requires_grad=True)
    PerceptualLoss(network)(fake, real).backward()
    assert fake.grad.abs().sum() > 0
    assert real.grad is None


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)


def test_offline_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(urllib.error.URLError("no network"), monkeypatch)
    assert load_vgg19() is None


def test_download_is_torchvisions_file_read_without_code(
    weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(url: str, *, map_location: str, weights_only: bool, progress: bool) -> dict[str, Tensor]:
        assert (url, map_location, weights_only, progress) == (VGG19_URL, "cpu", True, False)
        return weights

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    network = load_vgg19()
    assert network is not None
    assert torch.equal(network.features[0].weight, weights["features.0.weight"])
    assert network.state_dict().keys() == weights.keys() - {"classifier.0.bias", "features.30.bias"}


def test_damaged_download_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    fail_with(RuntimeError("failed finding central directory"), monkeypatch)
    with pytest.raises(InputError, match=r"vgg19-dcbb9e9d\.pth is not a readable weights file") as error:
        load_vgg19()
    assert str(tmp_path / "checkpoints") in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"no weights", b"\0" * 99, b"\xf0\x9f\x92", b"PK\x03\x04" + b"a" * 50, b"I\xff\xff"]
)
def test_garbage_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vgg19.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a readable weights file") as error:
        load_vgg19(path)
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(InputError, match="found no file at") as error:
            load_vgg19(path)
        assert str(path) in str(error.value)


def test_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    for value in ({"conv1.weight": torch.zeros(3)}, [1, 2], torch.zeros(3), None):
        torch.save(value, path)
        with pytest.raises(InputError, match="does not hold VGG19's features") as error:
            load_vgg19(path)
        assert len(str(error.value).splitlines()) == 1


def test_file_of_other_sizes(tmp_path: Path) -> None:
    path = tmp_path / "thin.pth"
    state = {f"features.{index}.{leaf}": torch.zeros(1) for index in CONVOLUTIONS for leaf in ("weight", "bias")}
    torch.save(state, path)
    with pytest.raises(InputError, match="does not hold VGG19's features"):
        load_vgg19(path)
