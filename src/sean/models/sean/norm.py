"""Semantic region-adaptive normalization (SEAN), its two branches, and the residual block built from it.

SEAN paper, section 3.2, Fig. 3 and 4B. The mask branch alone is SPADE's modulation.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor, nn

from sean.models.layers import LEAKY_SLOPE, batch_norm, spectral_conv, update_running_statistics, xavier_
from sean.ops.modulation import blended_rows, mask_rows, paired, region_styles, style_rows
from sean.ops.normalization import batch_statistics, normalize_modulate
from sean.plan.patch_plan import PatchPlan


class MaskModulation(nn.Module):
    """gamma_o, beta_o = conv3x3(ReLU(conv3x3(onehot))): the lower branch of the paper's Fig. 3.

    The two output convolutions are stacked into one with 2c outputs, gamma first.

    Args:
        num_regions: labels k of the segmap.
        hidden_dim: width of the hidden layer (128 in the paper).
        channels: channels c of the activation to modulate.
        instance_edges: whether the last plane of the segmap holds the edges of instances; plans then contain them.
    """

    def __init__(self, num_regions: int, hidden_dim: int, channels: int, *, instance_edges: bool = False) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(num_regions + instance_edges, hidden_dim, 3, padding=1)
        self.gamma_beta = nn.Conv2d(hidden_dim, 2 * channels, 3, padding=1)

    def initialize(self, gain: float) -> None:
        """See `StackedWeights`; the hidden convolution takes the general initialization."""
        for half in self.gamma_beta.weight.chunk(2):
            xavier_(half, gain)
        nn.init.zeros_(self.gamma_beta.bias)  # type: ignore[arg-type]

    def forward(self, plan: PatchPlan) -> Float[Tensor, "n two_c"]:
        """The stacked (gamma_o, beta_o) of every mask patch of a plan."""
        return mask_rows(plan, *self.weights)

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weight and bias of the hidden layer, then of the output."""
        assert self.hidden.bias is not None and self.gamma_beta.bias is not None
        return self.hidden.weight, self.hidden.bias, self.gamma_beta.weight, self.gamma_beta.bias


DrawNoise = Callable[[Tensor], Tensor]
"""Makes a noise map [b, 1, h, w] for an activation [b, c, h, w]: one value per pixel, shared by the channels."""

ALL_COLUMNS = slice(None)


class StyleModulation(nn.Module):
    """gamma_s, beta_s = conv3x3 of the style map: the upper branch of the paper's Fig. 3.

    Args:
        num_regions: labels k; every region has its own d x d linear map, all stacked in one [k, d, d] weight.
        style_dim: width d of a style code.
        channels: channels c of the activation to modulate.
        columns: the d columns of the code matrices that hold the styles of this norm if there are several encoders.
    """

    def __init__(self, num_regions: int, style_dim: int, channels: int, columns: slice = ALL_COLUMNS) -> None:
        super().__init__()
        self.columns = columns
        self.region_weight = nn.Parameter(torch.empty(num_regions, style_dim, style_dim))
        self.region_bias = nn.Parameter(torch.empty(num_regions, style_dim))
        self.weight = nn.Parameter(torch.empty(2 * channels, style_dim, 3, 3))
        self.bias = nn.Parameter(torch.empty(2 * channels))
        self.initialize(gain=1.0)

    def initialize(self, gain: float) -> None:
        """See `StackedWeights`: each region's map and the kernels of gamma and beta are initialized separately."""
        for matrix in (*self.region_weight, *self.weight.chunk(2)):
            xavier_(matrix, gain)
        nn.init.zeros_(self.region_bias)
        nn.init.zeros_(self.bias)

    def forward(self, plan: PatchPlan, style_codes: Float[Tensor, "v k all_d"]) -> Float[Tensor, "s two_c"]:
        """The stacked (gamma_s, beta_s) of every region patch of a plan."""
        return style_rows(plan, self.region_styles(style_codes), self.weight, self.bias)

    def region_styles(self, style_codes: Float[Tensor, "v k all_d"]) -> Float[Tensor, "v k d"]:
        """mu_j of every region; see `sean.ops.modulation.region_styles`."""
        return region_styles(style_codes[..., self.columns], self.region_weight, self.region_bias)


class ModulatedNorm(nn.Module, ABC):
    """Batch norm of x and its noise, times 1 + gamma, plus beta; subclasses compute gamma and beta.

    Args:
        channels: channels c of the activation.
        noise: whether the norm adds noise, scaled per channel by a learned vector (initially 0).

    Attributes:
        synchronized: whether batch statistics are computed over all processes of torch.distributed, as in the paper.
    """

    def __init__(self, channels: int, *, noise: bool) -> None:
        super().__init__()
        self.synchronized = False
        self.norm = batch_norm(channels)
        self.noise_scale = nn.Parameter(torch.zeros(channels)) if noise else None

    @abstractmethod
    def modulation(
        self, plan: PatchPlan, style_codes: Float[Tensor, "v k d"] | None
    ) -> tuple[Float[Tensor, "q two_c"], Int[Tensor, "b h w"]]:
        """Rows of concatenated gamma and beta, and the row number of every pixel."""

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        plan: PatchPlan,
        style_codes: Float[Tensor, "v k d"] | None = None,
        draw_noise: DrawNoise | None = None,
        slope: float = 1.0,
    ) -> Float[Tensor, "b c h w"]:
        """Normalize, modulate and activate `x`.

        Args:
            x: activation.
            plan: plan of the segmap at the size of `x`.
            style_codes: one code per variant and region; unused by a norm without style branch.
            draw_noise: makes the noise map; None leaves the noise out.
            slope: negative slope of the LeakyReLU that follows; 1 means no activation.
        """
        rows, pixels = self.modulation(plan, style_codes)
        noise = None if draw_noise is None or self.noise_scale is None else draw_noise(x)
        mean, variance = self.norm.running_mean, self.norm.running_var
        if self.norm.training:
            mean, variance = batch_statistics(x, noise, self.noise_scale, synchronized=self.synchronized)
            processes = dist.get_world_size() if self.synchronized else 1
            update_running_statistics(self.norm, mean, variance, processes * x.numel() // x.shape[1])
        assert mean is not None and variance is not None, "the batch norm keeps running statistics"
        return normalize_modulate(
            x,
            rows,
            pixels,
            mean,
            variance,
            statistics_of_x=self.norm.training,
            synchronized=self.synchronized,
            noise=noise,
            noise_scale=self.noise_scale,
            eps=self.norm.eps,
            slope=slope,
        )


class SEANNorm(ModulatedNorm):
    """Semantic region-adaptive normalization.

        out   = BatchNorm(x + n) * (1 + gamma) + beta
        gamma = alpha_g gamma_s(style) + (1 - alpha_g) gamma_o(segmap),   beta likewise      (paper, eq. 2 and 3)

    n is noise scaled per channel by a learned vector, initially 0; the alphas are sigmoids of learned scalars that are
    1/2 at the start.

    Args:
        channels: channels c of the activation.
        num_regions: labels k.
        style_dim: width d of a style code, or None for a norm without style branch (the last ResBlk): gamma = gamma_o.
            Without style branch and noise this is SPADE's norm.
        mask_dim: hidden width of the mask branch.
        instance_edges: whether the mask branch takes the edges of instances; plans then contain them.
        mask_branch: whether there is a mask branch; without it, gamma = gamma_s.
        noise: whether the norm adds noise.
        columns: see `StyleModulation`.
    """

    def __init__(
        self,
        channels: int,
        num_regions: int,
        style_dim: int | None,
        mask_dim: int,
        *,
        instance_edges: bool = False,
        mask_branch: bool = True,
        noise: bool = True,
        columns: slice = ALL_COLUMNS,
    ) -> None:
        super().__init__(channels, noise=noise)
        self.mask: MaskModulation | None = None
        if mask_branch:
            self.mask = MaskModulation(num_regions, mask_dim, channels, instance_edges=instance_edges)
        self.style: StyleModulation | None = None
        if style_dim is not None:
            self.style = StyleModulation(num_regions, style_dim, channels, columns)
            if mask_branch:
                self.blend = nn.Parameter(torch.zeros(2))  # logits of alpha_g and alpha_b
        assert mask_branch or style_dim is not None, "a norm without any branch would not be modulated"

    def modulation(
        self, plan: PatchPlan, style_codes: Float[Tensor, "v k d"] | None
    ) -> tuple[Float[Tensor, "q two_c"], Int[Tensor, "b h w"]]:
        """Rows of concatenated gamma and beta, and the row number of every pixel."""
        mask = None if self.mask is None else self.mask(plan)
        if self.style is None:
            assert mask is not None, "a norm has one branch at least"
            return paired(plan, mask), plan.pixels
        assert style_codes is not None, "a SEAN norm with a style branch was called without style codes"
        style = self.style(plan, style_codes)
        rows = style.index_select(0, plan.region_rows) if mask is None else blended_rows(plan, mask, style, self.blend)
        return rows, plan.pixels


def synchronize_batch_norms(network: nn.Module) -> None:
    """Make every norm of a generator compute its batch statistics over all processes, on any device."""
    for module in network.modules():
        if isinstance(module, ModulatedNorm):
            module.synchronized = True


class SEANResBlk(nn.Module):
    """Residual block with SEAN norms (paper, Fig. 4B), in_dim -> min(in_dim, out_dim) -> out_dim.

    The shortcut is the identity if the widths agree, else a SEAN norm and a 1x1 convolution without activation. The
    convolutions have spectral norm; the SEAN norms have none. With SPADE's norms this is SPADE's ResBlk.

    Args:
        in_dim, out_dim: channels of input and output.
        make_norm: makes a norm for a given number of channels.
    """

    def __init__(self, in_dim: int, out_dim: int, make_norm: Callable[[int], ModulatedNorm]) -> None:
        super().__init__()
        mid_dim = min(in_dim, out_dim)
        self.norm_0 = make_norm(in_dim)
        self.conv_0 = spectral_conv(in_dim, mid_dim, 3, padding=1)
        self.norm_1 = make_norm(mid_dim)
        self.conv_1 = spectral_conv(mid_dim, out_dim, 3, padding=1)
        self.norm_shortcut: ModulatedNorm | None = None
        if in_dim != out_dim:
            self.norm_shortcut = make_norm(in_dim)
            self.conv_shortcut = spectral_conv(in_dim, out_dim, 1, bias=False)

    def forward(
        self,
        x: Float[Tensor, "b cin h w"],
        plan: PatchPlan,
        style_codes: Float[Tensor, "v k d"] | None = None,
        draw_noise: DrawNoise | None = None,
    ) -> Float[Tensor, "b cout h w"]:
        """See `SEANNorm.forward` for the arguments."""
        shortcut = x
        if self.norm_shortcut is not None:
            shortcut = self.conv_shortcut(self.norm_shortcut(x, plan, style_codes, draw_noise))
        x = self.conv_0(self.norm_0(x, plan, style_codes, draw_noise, LEAKY_SLOPE))
        x = self.conv_1(self.norm_1(x, plan, style_codes, draw_noise, LEAKY_SLOPE))
        return shortcut + x
