"""The mask branch by hand."""

import torch

from sean.models.sean.norm import MaskModulation
from sean.plan.planner import plan_segmap


def modulation(mask: MaskModulation, segmap: torch.Tensor) -> torch.Tensor:
    """[b, 2c, h, w]: the rows of the mask branch at their pixels."""
    plan = plan_segmap(segmap, scales=(1,)).levels[0]
    return mask(plan)[plan.mask_rows][plan.pixels].permute(0, 3, 1, 2)


@torch.no_grad()
def test_by_hand() -> None:
    mask = MaskModulation(num_regions=2, hidden_dim=1, channels=1)
    for parameter in mask.parameters():
        parameter.zero_()
    mask.hidden.weight[0, :, 1, 1] = torch.tensor([2.0, -3.0])
    mask.hidden.bias[:] = 1
    mask.gamma_beta.weight[:, 0, 1, 1] = torch.tensor([10.0, 100.0])
    mask.gamma_beta.bias[:] = torch.tensor([0.5, -0.5])
    gamma, beta = modulation(mask, torch.tensor([[[0, 1, 2]]]))[0]
    # hidden: label 0 -> 3, label 1 -> ReLU(-2) = 0, no region -> 1
    assert gamma.tolist() == [[30.5, 0.5, 10.5]]
    assert beta.tolist() == [[299.5, -0.5, 99.5]]


def test_sees_a_patch_of_five_by_five() -> None:
    mask = MaskModulation(num_regions=3, hidden_dim=6, channels=2).double()
    segmap = torch.zeros(1, 9, 9, dtype=torch.long)
    changed = segmap.clone()
    changed[0, 4, 4] = 1
    difference = (modulation(mask, segmap) - modulation(mask, changed)).abs().sum(dim=1)[0]
    assert (difference[2:7, 2:7] > 0).all()
    difference[2:7, 2:7] = 0
    assert not difference.any()
