"""ONNX forms of torch layers, as far as the style encoder and the parsers use them."""

import numpy as np
from torch import nn

from sean.models.efficientnet import ConvNorm, InvertedResidual
from sean.models.parsers import ResidualBlock
from sean.onnx.graph import Graph


def add_module(graph: Graph, x: str, module: nn.Module, name: str) -> str:
    """Add a module, as it computes in evaluation mode, to a graph.

    Args:
        graph: to add to.
        x: input [b, c, h, w] of the module.
        module: of the kinds below.
        name: of its weights.

    Returns:
        the name of its output.

    Raises:
        TypeError: a module of another kind.
    """
    match module:
        case nn.Sequential():
            for key, child in module.named_children():
                x = add_module(graph, x, child, f"{name}.{key}")
            return x
        case nn.Identity():
            return x
        case nn.Conv2d():
            return graph.conv(x, module, name)
        case nn.ConvTranspose2d():
            return _transposed_conv(graph, x, module, name)
        case nn.ReflectionPad2d():
            left, right, top, bottom = module.padding
            return graph("Pad", x, graph.constant([0, 0, top, left, 0, 0, bottom, right]), mode="reflect")
        case nn.InstanceNorm2d():
            ones, zeros = _constants(graph, module.num_features)
            return graph("InstanceNormalization", x, ones, zeros, epsilon=module.eps)
        case nn.GroupNorm():
            return _group_norm(graph, x, module, name)
        case nn.BatchNorm2d():
            values = (module.weight, module.bias, module.running_mean, module.running_var)
            parts = ("weight", "bias", "mean", "variance")
            weights = [
                graph.weight(value, f"{name}.{part}")
                for value, part in zip(values, parts, strict=True)
                if value is not None
            ]
            return graph("BatchNormalization", x, *weights, epsilon=module.eps)
        case nn.LeakyReLU():
            return graph("LeakyRelu", x, alpha=module.negative_slope)
        case nn.ReLU():
            return graph("Relu", x)
        case nn.Tanh():
            return graph("Tanh", x)
        case ResidualBlock():
            out = add_module(graph, x, module.first, f"{name}.first")
            out = graph.conv(out, module.second, f"{name}.second")
            out = add_module(graph, out, module.second_norm, f"{name}.second_norm")
            return graph("Relu", graph("Add", x, out))
        case ConvNorm():
            return _conv_norm(graph, x, module, name)
        case InvertedResidual():
            out = x
            for part in ("expand", "depthwise", "project"):
                out = add_module(graph, out, getattr(module, part), f"{name}.{part}")
            return graph("Add", x, out) if module.has_shortcut else out
    raise TypeError(f"a {type(module).__name__} has no ONNX form here")


def enlarged(graph: Graph, x: str) -> str:
    """Maps [b, c, h, w] enlarged to twice the size, bilinear, with pixels as areas."""
    scales = graph.constant([1, 1, 2, 2], "float32")
    return graph("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")


def _constants(graph: Graph, count: int) -> tuple[str, str]:
    return graph.constant(np.ones(count), "float32"), graph.constant(np.zeros(count), "float32")


def _transposed_conv(graph: Graph, x: str, conv: nn.ConvTranspose2d, name: str) -> str:
    assert isinstance(conv.padding, tuple) and conv.bias is not None
    weights = [graph.weight(conv.weight, f"{name}.weight"), graph.weight(conv.bias, f"{name}.bias")]
    return graph(
        "ConvTranspose",
        x,
        *weights,
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=list(conv.padding) * 2,
        output_padding=list(conv.output_padding),
    )


def _group_norm(graph: Graph, x: str, norm: nn.GroupNorm, name: str) -> str:
    """An instance norm of every group, as ONNX had no right group norm before its operator set 21."""
    ones, zeros = _constants(graph, norm.num_groups)
    groups = graph.reshape(x, 0, norm.num_groups, -1)
    flat = graph("InstanceNormalization", groups, ones, zeros, epsilon=norm.eps)
    x = graph("Reshape", flat, graph("Shape", x))
    weight = graph.weight(norm.weight.view(-1, 1, 1), f"{name}.weight")
    return graph("Add", graph("Mul", x, weight), graph.weight(norm.bias.view(-1, 1, 1), f"{name}.bias"))


def _conv_norm(graph: Graph, x: str, conv: ConvNorm, name: str) -> str:
    kernel, bias = conv.folded()
    weights = [graph.weight(kernel, f"{name}.weight"), graph.weight(bias, f"{name}.bias")]
    strides = [conv.stride] * 2
    x = graph("Conv", x, *weights, strides=strides, group=conv.groups, auto_pad="SAME_UPPER")
    if not conv.activation:
        return x
    return graph("Clip", x, graph.constant(0, "float32"), graph.constant(6, "float32"))
