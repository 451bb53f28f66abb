"""The mask branch of SEAN normalization, which is SPADE's modulation: gamma and beta from the segmap alone."""

from jaxtyping import Float
from torch import Tensor, nn

from sean.models.layers import xavier_
from sean.ops.modulation import mask_rows
from sean.plan.patch_plan import PatchPlan


class MaskModulation(nn.Module):
    """gamma_o, beta_o = conv3x3(ReLU(conv3x3(onehot))): the lower branch of the paper's Fig. 3.

    The two output convolutions are stacked into one with 2c outputs, gamma first.

    Args:
        num_regions: labels k of the segmap.
        hidden_dim: width of the hidden layer (128 in the paper).
        channels: channels c of the activation to modulate.
        instance_edges: whether the segmap carries a last plane with the edges of instances; the plans then have them.
    """

    def __init__(self, num_regions: int, hidden_dim: int, channels: int, *, instance_edges: bool = False) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(num_regions + instance_edges, hidden_dim, 3, padding=1)
        self.gamma_beta = nn.Conv2d(hidden_dim, 2 * channels, 3, padding=1)

    def initialize(self, gain: float) -> None:
        """See `StackedWeights`; the hidden convolution is initialized like any other."""
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
