"""The published SEAN generator: style codes, blocks, pictures, crossed styles and noise."""

import torch

from sean.inference.encoder import Encoder
from sean.inference.renderer import Renderer
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap
from sean.segmap import resize_segmap

from .conftest import load_arrays

OUTPUT_STRIDE = 4


def test_style_codes(model: SEANModel, golden: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        codes, present = model.encode(golden["image"], golden["segmap"])
    torch.testing.assert_close(codes, golden["style_codes"], atol=1e-4, rtol=0)
    assert torch.equal(present, (golden["style_codes"] != 0).any(dim=-1))


def test_picture(model: SEANModel, golden: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        output = model(golden["image"], golden["segmap"])
    torch.testing.assert_close(output[:, :, ::OUTPUT_STRIDE, ::OUTPUT_STRIDE], golden["output"], atol=1e-4, rtol=0)


def test_crossed_styles(model: SEANModel, golden: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        output = model.render(golden["segmap"], golden["style_codes"].flip(0))
    torch.testing.assert_close(
        output[:, :, ::OUTPUT_STRIDE, ::OUTPUT_STRIDE], golden["output_crossed_styles"], atol=1e-4, rtol=0
    )


def test_at_inference(model: SEANModel, golden: dict[str, torch.Tensor]) -> None:
    """Packed weights and kept rows: codes, picture and crossed styles, the latter from the former's plan."""
    codes, _ = Encoder(model.style_encoder)(golden["image"], golden["segmap"])
    torch.testing.assert_close(codes, golden["style_codes"], atol=1e-4, rtol=0)
    renderer, plan = Renderer(model.generator), plan_segmap(golden["segmap"])
    for style_codes, name in ((codes, "output"), (codes.flip(0), "output_crossed_styles")):
        output = renderer(plan, style_codes)[:, :, ::OUTPUT_STRIDE, ::OUTPUT_STRIDE]
        torch.testing.assert_close(output, golden[name], atol=1e-4, rtol=0)


def test_blocks(model: SEANModel, golden: dict[str, torch.Tensor]) -> None:
    names = ["fc", "head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3"]
    expected = load_arrays("sean_generator_blocks")
    seen: list[torch.Tensor] = []
    for module in (model.generator.stem, *model.generator.blocks):
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        model.render(golden["segmap"], golden["style_codes"])
    assert len(seen) == len(names)
    for name, output in zip(names, seen, strict=True):
        want = expected[f"block_{name}"]
        stride = output.shape[-1] // want.shape[-1]
        got = output[:, :8, ::stride, ::stride]
        torch.testing.assert_close(
            got, want, atol=1e-4 * want.abs().max().item(), rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_noise(model: SEANModel, golden: dict[str, torch.Tensor]) -> None:
    arrays = load_arrays("sean_norm_noise")
    norm = model.generator.blocks[3].norm_0  # the authors' up_0.ace_0
    with torch.no_grad():
        norm.noise_scale.copy_(torch.linspace(-0.3, 0.3, norm.noise_scale.numel()))
        # the authors draw [b, w, h, 1] and transpose
        noise = arrays["noise_bw_h_1"].permute(0, 3, 2, 1)
        segmap = resize_segmap(golden["segmap"], (arrays["x"].shape[2], arrays["x"].shape[3]))
        plan = plan_segmap(segmap, scales=(1,)).levels[0]
        output = norm(arrays["x"], plan, golden["style_codes"], lambda _x: noise)
    torch.testing.assert_close(output[:, ::4], arrays["output"], atol=1e-4, rtol=1e-5)
