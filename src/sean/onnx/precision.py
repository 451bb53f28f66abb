"""Smaller files: weights of an ONNX model in 16 or 8 bits. The arithmetic stays in float32.

A runtime converts the weights to float32 once, when it loads the file, so the files work with every runtime and device.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sean.errors import InputError

Precision = Literal["fp32", "fp16", "int8"]

# Smaller tensors (biases, tables of a few labels), and vectors, would save little and stay in float32.
_FEWEST_NUMBERS = 512


def check_precision(precision: str) -> None:
    """Raise InputError unless the name is one of `Precision`."""
    if precision not in get_args(Precision):
        raise InputError(f"expected a precision of {', '.join(get_args(Precision))}, got {precision!r}")


def large_weights(model: onnx.ModelProto) -> list[str]:
    """Names of the weights that are worth compressing, the largest first."""
    weights = (w for w in model.graph.initializer if w.data_type == TensorProto.FLOAT and len(w.dims) > 1)
    sizes = {w.name: int(np.prod(w.dims)) for w in weights}
    return sorted((name for name in sizes if sizes[name] >= _FEWEST_NUMBERS), key=lambda name: -sizes[name])


def in_fewer_bits(model: onnx.ModelProto, eight_bits: Sequence[str] = ()) -> onnx.ModelProto:
    """The model with large weights in 16 bits, the named ones in 8 bits with a scale for each output channel."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, large = result.graph, set(large_weights(model))
    weights, nodes = [], []
    for weight in graph.initializer:
        if weight.name not in large:
            weights.append(weight)
        elif weight.name in eight_bits:
            levels, scale = _levels(numpy_helper.to_array(weight))
            names = (f"{weight.name}.levels", f"{weight.name}.scale", f"{weight.name}.wide")
            weights += [numpy_helper.from_array(levels, names[0]), numpy_helper.from_array(scale, names[1])]
            nodes.append(helper.make_node("Cast", [names[0]], [names[2]], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [names[2], names[1]], [weight.name]))
        else:
            half = numpy_helper.to_array(weight).astype(np.float16)
            weights.append(numpy_helper.from_array(half, f"{weight.name}.half"))
            nodes.append(helper.make_node("Cast", [f"{weight.name}.half"], [weight.name], to=TensorProto.FLOAT))
    nodes += list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(weights)
    graph.node.extend(nodes)
    onnx.checker.check_model(result)
    return result


def in_eight_bits(model: onnx.ModelProto, is_good: Callable[[onnx.ModelProto], bool]) -> onnx.ModelProto:
    """The model with as many large weights in 8 bits as `is_good` allows; the others take 16.

    Tries all weights at once; if that is too inexact, each half of the list, and so on.
    """
    chosen: list[str] = []

    def add(names: Sequence[str]) -> None:
        if is_good(in_fewer_bits(model, [*chosen, *names])):
            chosen.extend(names)
        elif len(names) > 1:
            middle = (len(names) + 1) // 2
            add(names[:middle])
            add(names[middle:])

    add(large_weights(model))
    return in_fewer_bits(model, chosen)


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers in -127..127 and the scale of every output channel.

    Channels are the first axis of kernels [o, i, y, x]; the last one of matrices [..., d, o], which are multiplied
    from the left.
    """
    inputs = (1, 2, 3) if values.ndim == 4 else (-2,)
    scale = np.abs(values).max(axis=inputs, keepdims=True) / 127
    levels = np.round(values / np.where(scale == 0, 1, scale)).astype(np.int8)
    return levels, scale.astype(np.float32)
