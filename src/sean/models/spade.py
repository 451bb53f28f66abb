"""SPADE as compared in the SEAN paper: the generator that SEAN extends, with the styles that it supports.

Park et al., "Semantic Image Synthesis with Spatially-Adaptive Normalization", CVPR 2019. Three kinds: without styles;
with a VAE image encoder (one style vector for the whole picture); and SPADE++, a baseline of the SEAN paper, which
feeds pix2pixHD's region features to SPADE's norms.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.models.base import NoiseSource, StyledModel
from sean.models.configs import SIZE_MULTIPLE, SPADEConfig, block_width
from sean.models.layers import LEAKY_SLOPE, spectral_conv
from sean.models.pix2pixhd import FeatureEncoder, region_feature_map
from sean.models.sean.generator import Backbone, check_edges, check_size, coarse, standard_normal
from sean.models.sean.norm import ModulatedNorm, SEANNorm
from sean.ops.dense import edge_map, region_map
from sean.plan.patch_plan import PatchPlan, SegmapPlan
from sean.plan.planner import Edges, plan_segmap
from sean.segmap import onehot

_VAE_SIZE = 256
_VAE_WIDTHS = (1, 2, 4, 8, 8, 8)


class VAEEncoder(nn.Module):
    """The VAE's encoder: mean and log-variance of an image's style vector, by six strided convolutions and two heads.

    Args:
        latent_dim: width z of the vector.
        base_channels: width of the first layer.
    """

    def __init__(self, latent_dim: int = 256, base_channels: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        dim = 3
        for multiple in _VAE_WIDTHS:
            width = multiple * base_channels
            layers += [
                spectral_conv(dim, width, 3, stride=2, padding=1, bias=False),
                nn.InstanceNorm2d(width),
                nn.LeakyReLU(LEAKY_SLOPE),
            ]
            dim = width
        self.layers = nn.Sequential(*layers)
        flat_dim = dim * (_VAE_SIZE >> len(_VAE_WIDTHS)) ** 2
        self.mean = nn.Linear(flat_dim, latent_dim)
        self.log_variance = nn.Linear(flat_dim, latent_dim)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Mean and log-variance; images of another size are resized to 256 x 256 first."""
        if image.shape[-2:] != (_VAE_SIZE, _VAE_SIZE):
            image = F.interpolate(image, size=(_VAE_SIZE, _VAE_SIZE), mode="bilinear", align_corners=False)
        x = self.layers(image).flatten(1)
        return self.mean(x), self.log_variance(x)


class FeatureModulation(nn.Module):
    """gamma, beta = conv3x3(ReLU(conv3x3(one-hot and region features))): the modulation of SPADE++.

    The convolutions are dense: region features differ between pictures, so equal label patches have unequal results.

    Args:
        num_regions: labels k.
        feature_dim: features f of a region.
        hidden_dim: width of the hidden layer.
        channels: channels c of the activation to modulate.
        instance_edges: whether the segmap carries a plane with the edges of instances, between one-hot and features.
    """

    def __init__(
        self, num_regions: int, feature_dim: int, hidden_dim: int, channels: int, *, instance_edges: bool = False
    ) -> None:
        super().__init__()
        self.num_regions = num_regions
        self.hidden = nn.Conv2d(num_regions + instance_edges + feature_dim, hidden_dim, 3, padding=1)
        self.gamma = nn.Conv2d(hidden_dim, channels, 3, padding=1)
        self.beta = nn.Conv2d(hidden_dim, channels, 3, padding=1)

    def forward(self, plan: PatchPlan, features: Float[Tensor, "b k f"]) -> Float[Tensor, "b two_c h w"]:
        """Gamma and beta of every pixel, stacked."""
        _, labels = region_map(plan)
        planes = [onehot(labels, self.num_regions).to(features.dtype)]
        edges = edge_map(plan)
        if edges is not None:
            planes.append(edges.unsqueeze(1).to(features.dtype))
        hidden = F.relu(self.hidden(torch.cat([*planes, region_feature_map(features, labels)], dim=1)))
        return torch.cat([self.gamma(hidden), self.beta(hidden)], dim=1)


class FeatureNorm(ModulatedNorm):
    """SPADE++'s norm: batch norm, modulated by the segmap and region features.

    Args:
        channels: channels c of the activation.
        features: makes gamma and beta.
    """

    def __init__(self, channels: int, features: FeatureModulation) -> None:
        super().__init__(channels, noise=False)
        self.features = features

    def modulation(
        self, plan: PatchPlan, style_codes: Float[Tensor, "v k f"] | None
    ) -> tuple[Float[Tensor, "q two_c"], Int[Tensor, "b h w"]]:
        """Gamma and beta of every pixel, as one row per pixel."""
        assert style_codes is not None, "a norm that sees features was called without them"
        rows = self.features(plan, style_codes).permute(0, 2, 3, 1).flatten(0, 2)
        return rows, torch.arange(len(rows), device=rows.device).view(plan.pixels.shape)


class SPADEGenerator(Backbone):
    """SEAN's generator with SPADE's norms; the input of its first layer depends on the kind of style.

    Args:
        config: of the model.
    """

    def __init__(self, config: SPADEConfig) -> None:
        edges = config.instance_edges

        def make_norm(channels: int, block: int) -> ModulatedNorm:
            if config.style == "regions":
                features = FeatureModulation(
                    config.num_regions, config.feature_dim, config.mask_dim, channels, instance_edges=edges
                )
                return FeatureNorm(channels, features)
            return SEANNorm(channels, config.num_regions, None, config.mask_dim, instance_edges=edges, noise=False)

        width = block_width(16, config.base_channels, config.max_channels)
        coarse_size = (config.image_size[0] // SIZE_MULTIPLE, config.image_size[1] // SIZE_MULTIPLE)
        if config.style == "vae":
            stem: nn.Module = nn.Linear(config.latent_dim, width * coarse_size[0] * coarse_size[1])
        else:
            features = config.feature_dim if config.style == "regions" else 0
            stem = nn.Conv2d(config.num_regions + edges + features, width, 3, padding=1)
        super().__init__(stem, config.base_channels, config.max_channels, make_norm)
        self.config = config
        self.coarse_size = coarse_size

    def forward(
        self, segmap: Int[Tensor, "b h w"], style: Float[Tensor, "b ..."], plan: SegmapPlan
    ) -> Float[Tensor, "b 3 h w"]:
        """Render pictures.

        Args:
            segmap: label ids.
            style: for the VAE its vector [b, z], else features [b, k, f]; f is 0 for SPADE without styles.
            plan: the plan of the segmap.
        """
        codes = [style if self.config.style == "regions" else None] * len(self.blocks)
        return self.run_blocks(self._first(segmap, style, plan), plan, codes, None)

    def _first(self, segmap: Tensor, style: Tensor, plan: SegmapPlan) -> Tensor:
        """The input of the first block."""
        if self.config.style == "vae":
            return self.stem(style).view(len(style), -1, *self.coarse_size)
        ids = coarse(segmap)
        planes = [onehot(ids, self.config.num_regions).to(style.dtype)]
        if plan.edges is not None:
            planes.append(coarse(plan.edges.long()).unsqueeze(1).to(style.dtype))
        return self.stem(torch.cat([*planes, region_feature_map(style, ids)], dim=1))


class SPADEModel(StyledModel):
    """SPADE's generator and, for the kinds with styles, their encoder.

    The VAE's single vector is the code of every region. If the codes of regions differ, a picture is rendered with
    their mean, weighted by the number of pixels. Exchanging the style of one region therefore changes the whole picture
    in proportion to the region's area; the method allows no more.
    """

    config: SPADEConfig

    def __init__(self, config: SPADEConfig) -> None:
        super().__init__()
        self.config = config
        self.style_encoder: nn.Module | None = None
        if config.style == "vae":
            self.style_encoder = VAEEncoder(config.latent_dim, config.encoder_channels)
        elif config.style == "regions":
            self.style_encoder = FeatureEncoder(config.num_regions, config.feature_dim, config.encoder_channels)
        self.generator = SPADEGenerator(config)

    @property
    def code_dim(self) -> int:
        """Width of a region's code: the VAE's vector, the region features, or 0."""
        return {"none": 0, "vae": self.config.latent_dim, "regions": self.config.feature_dim}[self.config.style]

    def encode(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        """The styles of pictures: the VAE's mean, or region features; without styles, codes of no width."""
        b, k = len(image), self.config.num_regions
        if self.config.style == "regions":
            assert self.style_encoder is not None, "SPADE++ has an encoder"
            return self.style_encoder(image, segmap)
        codes = image.new_zeros(b, k, 0)
        if self.style_encoder is not None:
            mean, _ = self.style_encoder(image)
            codes = mean.unsqueeze(1).expand(b, k, -1)
        return codes, torch.ones(b, k, dtype=torch.bool, device=image.device)

    def render(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "b k d"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [-1, 1] from segmaps and one style matrix per picture; there is no noise."""
        if not isinstance(style_codes, Tensor):
            raise ValueError(f"expected one style per picture for SPADE, got {len(style_codes)}")
        style = self._mean_code(segmap, style_codes) if self.config.style == "vae" else style_codes
        return self._generate(segmap, style, plan, edges)

    def training_pass(
        self,
        image: Float[Tensor, "b 3 h w"],
        segmap: Int[Tensor, "b h w"],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        rng: NoiseSource = None,
    ) -> tuple[Float[Tensor, "b 3 h w"], dict[str, Tensor]]:
        """The reconstruction; with the VAE, from a sampled vector and with its mean KL divergence to N(0, 1)."""
        if self.config.style != "vae":
            return super().training_pass(image, segmap, plan=plan, edges=edges, rng=rng)
        assert self.style_encoder is not None, "the VAE is an encoder"
        mean, log_variance = self.style_encoder(image)
        # float32: the differences below would lose most digits of autocast's 16 bits
        dtype = torch.promote_types(mean.dtype, torch.float32)
        mean, log_variance = mean.to(dtype), log_variance.to(dtype)
        drawn = mean + standard_normal(tuple(mean.shape), rng, mean) * torch.exp(log_variance / 2)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return self._generate(segmap, drawn, plan, edges), {"kl": divergence}

    def _generate(
        self, segmap: Tensor, style: Tensor, plan: SegmapPlan | None, edges: Edges | None
    ) -> Float[Tensor, "b 3 h w"]:
        check_size(segmap)
        plan = plan or plan_segmap(segmap, edges=edges)
        check_edges(plan.edges, self.config.instance_edges)
        if self.config.style == "vae" and segmap.shape[-2:] != self.config.image_size:
            raise ValueError(
                f"expected segmaps of {list(self.config.image_size)}, whose size SPADE's first layer has with a VAE, "
                f"got {list(segmap.shape[-2:])}"
            )
        return self.generator(segmap, style, plan)

    def _mean_code(self, segmap: Tensor, codes: Tensor) -> Float[Tensor, "b z"]:
        """The mean of the codes over all pixels with a region."""
        shares = onehot(segmap, self.config.num_regions).mean(dim=(2, 3)).to(codes.dtype)
        return torch.einsum("bk,bkz->bz", shares, codes) / shares.sum(dim=1, keepdim=True).clamp_min(1e-12)
