"""A pass of a network as it is and one compiled, in a process of its own: shape checks cannot be compiled.

Usage: compiled_run.py FORMULATION PART; FORMULATION is fast or dense, PART is one of `PARTS`. Fails where the outputs,
the gradients or the buffers afterwards differ.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from sean.models.sean.dense import dense_formulation
from sean.models.sean.norm import SEANNorm, SEANResBlk
from sean.plan.planner import plan_segmap

NUM_REGIONS, STYLE_DIM, CHANNELS, SIZE = 3, 8, 4, 48

make_norm = partial(SEANNorm, num_regions=NUM_REGIONS, style_dim=STYLE_DIM, mask_dim=8)

PARTS: dict[str, Callable[[], nn.Module]] = {
    "norm, training": lambda: SEANNorm(CHANNELS, NUM_REGIONS, STYLE_DIM, mask_dim=8).train(),
    "block, evaluation": lambda: SEANResBlk(CHANNELS, CHANNELS, make_norm).eval(),
    "block, training": lambda: SEANResBlk(CHANNELS, CHANNELS, make_norm).train(),
}


def outcome(
    run: nn.Module, network: nn.Module, x: Tensor, codes: Tensor, segmap: Tensor, noise: Tensor
) -> list[Tensor]:
    """Output, gradients and buffers of a pass; the network's buffers are as before."""
    start = {key: value.clone() for key, value in network.state_dict().items()}
    plan = plan_segmap(segmap, scales=(1,)).levels[0]
    output = run(x, plan, codes, lambda _x: noise)
    gradients = torch.autograd.grad(output.square().sum(), (x, codes, *network.parameters()))
    tensors = [tensor.detach().clone() for tensor in (output, *gradients, *network.buffers())]
    network.load_state_dict(start)
    return tensors


def main(formulation: str, part: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = PARTS[part]().double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    view = network if formulation == "fast" else dense_formulation(network)
    compiled = torch.compile(view)
    # a dense plan and one of squares
    for block in (1, 8):
        cells = torch.randint(NUM_REGIONS + 1, (2, SIZE // block, SIZE // block))
        segmap = cells.repeat_interleave(block, 1).repeat_interleave(block, 2)
        x, codes = torch.randn(2, CHANNELS, SIZE, SIZE).double(), torch.randn(2, NUM_REGIONS, STYLE_DIM).double()
        inputs = x.requires_grad_(), codes.requires_grad_(), segmap, torch.randn(2, 1, SIZE, SIZE).double()
        pairs = zip(outcome(compiled, network, *inputs), outcome(view, network, *inputs), strict=True)
        for index, (got, want) in enumerate(pairs):
            torch.testing.assert_close(got, want, atol=1e-9, rtol=1e-9, msg=lambda m, i=index: f"tensor {i}: {m}")


if __name__ == "__main__":
    main(*sys.argv[1:])
