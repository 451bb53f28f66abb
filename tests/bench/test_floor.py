"""The main convolutions: those of the paper's network, each at its size, with the arithmetic that torch counts."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from sean.bench.floor import inference_floor, main_convolutions, training_floor
from sean.models.configs import SEANConfig
from sean.models.sean.model import SEANModel

# (output channels, input channels, kernel, side) of a network of base width 1 at 64 x 64
BY_HAND = [
    (16, 19, 3, 2),
    *[(16, 16, 3, 2)] * 2,
    *[(16, 16, 3, 4)] * 4,
    *[(8, 16, 3, 8), (8, 8, 3, 8), (8, 16, 1, 8)],
    *[(4, 8, 3, 16), (4, 4, 3, 16), (4, 8, 1, 16)],
    *[(2, 4, 3, 32), (2, 2, 3, 32), (2, 4, 1, 32)],
    *[(1, 2, 3, 64), (1, 1, 3, 64), (1, 2, 1, 64)],
    (3, 1, 3, 64),
]


def multiply_adds(model: SEANModel, size: tuple[int, int]) -> int:
    pairs = main_convolutions(model.generator, size)
    return sum(
        conv.out_channels * conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1] * height * width
        for conv, (height, width) in pairs
    )


def test_convolutions_by_hand() -> None:
    with torch.device("meta"):
        model = SEANModel(SEANConfig(image_size=(64, 64), base_channels=1, style_dim=2))
    found = [
        (conv.out_channels, conv.in_channels, conv.kernel_size[0], height)
        for conv, (height, width) in main_convolutions(model.generator, (64, 64))
        if height == width
    ]
    assert found == BY_HAND


def test_arithmetic_of_the_published_network() -> None:
    with torch.device("meta"):
        model = SEANModel(SEANConfig())
    assert abs(multiply_adds(model, (256, 256)) / 1e9 - 42.1) < 0.1
    assert multiply_adds(model, (512, 128)) == multiply_adds(model, (256, 256))


def test_floors_run_these_convolutions_and_nothing_else(model: SEANModel) -> None:
    expected = multiply_adds(model, (64, 96))
    for floor, times in (
        (inference_floor(model.generator, (64, 96)), 1),
        # forward, and the gradients of weight and activation
        (training_floor(model.generator, (64, 96), batch=2), 2 * 3),
    ):
        for _ in range(2):
            with FlopCounterMode(display=False) as counter:
                floor()
            assert counter.get_total_flops() == 2 * times * expected


def test_floors_leave_the_network_alone(model: SEANModel) -> None:
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    inference_floor(model.generator, (64, 64))()
    training_floor(model.generator, (64, 64), batch=1)()
    assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
