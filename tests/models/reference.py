"""SEAN's networks as the paper states them: one style map per norm, dense convolutions, a loop over regions.

The functions take the weights from our modules and share no code with them but the convolutions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.models.layers import SpectralNorm
from sean.models.sean.encoder import StyleEncoder
from sean.models.sean.generator import Generator
from sean.models.sean.norm import SEANNorm, SEANResBlk

from ..ops.reference import onehot, region_mean, region_styles, style_map


def normalize(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Batch or instance norm without scale and shift."""
    return (x - mean) / (variance + 1e-5).sqrt()


def resize_nearest(segmap: Tensor, height: int, width: int) -> Tensor:
    """Pixel by pixel: output i takes input floor(i * size_in / size_out)."""
    rows = [i * segmap.shape[1] // height for i in range(height)]
    columns = [j * segmap.shape[2] // width for j in range(width)]
    return torch.stack([torch.stack([segmap[:, i, j] for j in columns], dim=1) for i in rows], dim=1)


def sean_norm(
    module: SEANNorm,
    x: Tensor,
    segmap: Tensor,
    style_codes: Tensor | None,
    noise: Tensor | None = None,
    variants: Tensor | None = None,
) -> Tensor:
    """Semantic region-adaptive normalization; noise [b, 1, h, w]; variants [b, h, w], by default the samples."""
    c = x.shape[1]
    if noise is not None:
        x = x + torch.stack([noise[:, 0] * scale for scale in module.noise_scale], dim=1)
    if module.training:
        mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
    else:
        mean, variance = module.norm.running_mean, module.norm.running_var
    x_hat = normalize(x, mean.view(1, c, 1, 1), variance.view(1, c, 1, 1))

    mask = module.mask
    planes = onehot(segmap, mask.hidden.in_channels, x.dtype)
    hidden = F.relu(F.conv2d(planes, mask.hidden.weight, mask.hidden.bias, padding=1))
    gamma = F.conv2d(hidden, mask.gamma_beta.weight[:c], mask.gamma_beta.bias[:c], padding=1)
    beta = F.conv2d(hidden, mask.gamma_beta.weight[c:], mask.gamma_beta.bias[c:], padding=1)
    if module.style is not None:
        style = module.style
        styles = style_map(segmap, region_styles(style_codes, style.region_weight, style.region_bias), variants)
        gamma_s = F.conv2d(styles, style.weight[:c], style.bias[:c], padding=1)
        beta_s = F.conv2d(styles, style.weight[c:], style.bias[c:], padding=1)
        alpha_gamma, alpha_beta = 1 / (1 + torch.exp(-module.blend))
        gamma = alpha_gamma * gamma_s + (1 - alpha_gamma) * gamma
        beta = alpha_beta * beta_s + (1 - alpha_beta) * beta
    return x_hat * (1 + gamma) + beta


def sean_resblk(
    block: SEANResBlk, x: Tensor, segmap: Tensor, style_codes: Tensor | None, variants: Tensor | None = None
) -> Tensor:
    """Residual block with SEAN norms, without noise."""

    def normed(norm: SEANNorm, x: Tensor) -> Tensor:
        return sean_norm(norm, x, segmap, style_codes, variants=variants)

    shortcut = x
    if x.shape[1] != block.conv_1.out_channels:
        shortcut = F.conv2d(normed(block.norm_shortcut, x), block.conv_shortcut.weight)
    for norm, conv in ((block.norm_0, block.conv_0), (block.norm_1, block.conv_1)):
        x = F.leaky_relu(normed(norm, x), 0.2)
        x = F.conv2d(x, conv.weight, conv.bias, padding=1)
    return shortcut + x


def style_features(encoder: StyleEncoder, image: Tensor) -> Tensor:
    """The style encoder's features [b, d, h / 2, w / 2]."""

    def activate(y: Tensor) -> Tensor:
        mean = y.mean(dim=(2, 3), keepdim=True)
        variance = ((y - mean) ** 2).mean(dim=(2, 3), keepdim=True)
        return F.leaky_relu(normalize(y, mean, variance), 0.2)

    first, down, down_again, up, last = (m for m in encoder.features if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    x = activate(F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), first.weight, first.bias))
    x = activate(F.conv2d(x, down.weight, down.bias, stride=2, padding=1))
    x = activate(F.conv2d(x, down_again.weight, down_again.bias, stride=2, padding=1))
    x = activate(F.conv_transpose2d(x, up.weight, up.bias, stride=2, padding=1, output_padding=1))
    return torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), last.weight, last.bias))


def encode(encoder: StyleEncoder, image: Tensor, segmap: Tensor) -> tuple[Tensor, Tensor]:
    """Style codes and which regions are present."""
    features = style_features(encoder, image)
    return region_mean(features, resize_nearest(segmap, *features.shape[2:]), encoder.num_regions)


def generate(generator: Generator, segmap: Tensor, style_codes: list[Tensor], variants: Tensor | None = None) -> Tensor:
    """The generator without noise, block after block, with one code matrix for each of the first six."""
    height, width = segmap.shape[1:]

    def at(scale: int, of: Tensor) -> Tensor:
        return resize_nearest(of, height // scale, width // scale)

    def run(block: SEANResBlk, x: Tensor, scale: int, codes: Tensor | None) -> Tensor:
        return sean_resblk(block, x, at(scale, segmap), codes, None if variants is None else at(scale, variants))

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    head, middle_0, middle_1, up_0, up_1, up_2, up_3 = generator.blocks
    stem, to_rgb = generator.stem, generator.to_rgb
    planes = onehot(at(32, segmap), generator.num_regions, stem.weight.dtype)
    x = F.conv2d(planes, stem.weight, stem.bias, padding=1)
    x = double(run(head, x, 32, style_codes[0]))
    x = run(middle_0, x, 16, style_codes[1])
    x = double(run(middle_1, x, 16, style_codes[2]))
    x = double(run(up_0, x, 8, style_codes[3]))
    x = double(run(up_1, x, 4, style_codes[4]))
    x = double(run(up_2, x, 2, style_codes[5]))
    x = run(up_3, x, 1, None)
    return torch.tanh(F.conv2d(F.leaky_relu(x, 0.2), to_rgb.weight, to_rgb.bias, padding=1))


@torch.no_grad()
def randomize(module: nn.Module) -> nn.Module:
    """Every weight and statistic random, so that none hides behind a 0, and all in float64; in evaluation mode."""
    module.double()
    for parameter in module.parameters():
        fan_in = max(parameter[0].numel(), 1) if parameter.dim() > 1 else 4
        parameter.normal_().mul_(fan_in**-0.5)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and hasattr(conv, "parametrizations"):
            norm = conv.parametrizations.weight[0]
            assert isinstance(norm, SpectralNorm)
            norm.iterate(conv.parametrizations.weight.original, iterations=30)
    return module.eval()


def relabelled(module: nn.Module, permutation: Tensor) -> dict[str, Tensor]:
    """The state dict of `module` when label j is called permutation[j]: all weights that belong to a label move."""
    source = permutation.argsort()
    state = dict(module.state_dict())
    for key, value in state.items():
        if key.endswith(("stem.weight", "mask.hidden.weight")):
            state[key] = value[:, source]
        elif key.endswith(("region_weight", "region_bias")):
            state[key] = value[source]
    return state


def relabel(segmap: Tensor, permutation: Tensor) -> Tensor:
    """Label j becomes permutation[j]; "no region" stays what it is."""
    return torch.cat([permutation, torch.tensor([len(permutation)])])[segmap]
