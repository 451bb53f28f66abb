"""The style encoder as ONNX."""

from typing import cast

from torch import nn

from sean.models.sean.encoder import StyleEncoder, StyleEncoders
from sean.onnx.graph import Graph, Shape
from sean.onnx.layers import add_module


def style_encoder(encoder: StyleEncoder | StyleEncoders) -> Graph:
    """Inputs image [b, 3, h, w] in [-1, 1] and segmap [b, h, w]; outputs codes [b, k, d] and present [b, k]."""
    graph = Graph("style_encoder")
    image = graph.input("image", "float32", ["batch", 3, "height", "width"])
    segmap = graph.input("segmap", "int32", ["batch", "height", "width"])
    encoders = [cast(StyleEncoder, each) for each in encoder] if isinstance(encoder, StyleEncoders) else [encoder]
    codes, present = [], ""
    width = 0
    for index, each in enumerate(encoders):
        features = add_module(graph, image, each.features, f"encoders.{index}")
        stride = _stride(each)
        own, present = _region_means(graph, features, graph.strided(segmap, stride), each.num_regions)
        if each.mean_color:
            colors, _ = _region_means(graph, image, segmap, each.num_regions)
            shown = graph("Unsqueeze", graph("Cast", present, to=1), graph.constant([2]))
            codes.append(graph("Mul", colors, shown))
            width += 3
        codes.append(own)
        width += _width(each)
    shape: Shape = ["batch", encoders[0].num_regions, width]
    graph.output(codes[0] if len(codes) == 1 else graph("Concat", *codes, axis=2), "codes", "float32", shape)
    graph.output(present, "present", "bool", shape[:2])
    return graph


def _convolutions(encoder: StyleEncoder) -> list[tuple[int, int]]:
    """Stride and width of every convolution except the transposed one."""
    layers = [layer for layer in encoder.features if isinstance(layer, nn.Conv2d)]
    return [(layer.stride[0], layer.out_channels) for layer in layers]


def _stride(encoder: StyleEncoder) -> int:
    """Size of the picture over that of the features: two convolutions halve the size, one doubles it."""
    return max(stride for stride, _ in _convolutions(encoder))


def _width(encoder: StyleEncoder) -> int:
    return _convolutions(encoder)[-1][1]


def _region_means(graph: Graph, features: str, segmap: str, num_regions: int) -> tuple[str, str]:
    """Mean features of every region [b, k, d], zero for absent regions, and whether each is present [b, k]."""
    onehot = graph.reshape(graph.onehot(segmap, num_regions), 0, 0, -1)
    counts = graph("ReduceSum", onehot, graph.constant([2]))
    flat = graph("Transpose", graph.reshape(features, 0, 0, -1), perm=[0, 2, 1])
    one = graph.constant(1, "float32")
    means = graph("Div", graph("MatMul", onehot, flat), graph("Max", counts, one))
    present = graph("Greater", graph("Squeeze", counts, graph.constant([2])), graph.constant(0, "float32"))
    return means, present
