"""Parsers as ONNX: from a photo at the parser's size to the logits of a model's labels."""

from collections.abc import Sequence

import numpy as np

from sean.labels import LabelSet
from sean.models.efficientnet import FEATURE_STAGES
from sean.models.parsers import Parser, PyramidParser, UNetParser
from sean.onnx.graph import Graph
from sean.onnx.layers import add_module, enlarged

# The logit of a label that the network does not know.
_NEVER = -1e4


def face_parser(parser: Parser, labels: LabelSet, ids: Sequence[int]) -> Graph:
    """The mean of the logits of a photo and of its mirror image, as in `sean.parsing.Segmenter`.

    Args:
        parser: in evaluation mode.
        labels: the k labels of the maps.
        ids: for each label of the parser its id in `labels`; k if it has none.

    Returns:
        a graph with the input image [b, 3, h, w] in [-1, 1], h and w multiples of 32, and the outputs logits
        [b, k + 1, h, w], the last of "none of the labels", and segmap [b, h, w].
    """
    graph = Graph("parser")
    image = graph.input("image", "float32", ["batch", 3, "height", "width"])
    both = _own_logits(graph, parser, graph("Concat", image, _mirrored(graph, image), axis=0))
    logits = _of_labels(graph, both, ids, labels.num_regions)
    direct, mirrored = graph.outputs(2, "Split", logits, axis=0)
    mirrored = graph("Gather", _mirrored(graph, mirrored), graph.constant(labels.flip_table), axis=1)
    mean = graph("Mul", graph("Add", direct, mirrored), graph.constant(0.5, "float32"))
    graph.output(mean, "logits", "float32", ["batch", labels.num_regions + 1, "height", "width"])
    segmap = graph("Cast", graph("ArgMax", mean, axis=1, keepdims=0), to=6)
    graph.output(segmap, "segmap", "int32", ["batch", "height", "width"])
    return graph


def _mirrored(graph: Graph, maps: str) -> str:
    last = np.iinfo(np.int64).min
    return graph("Slice", maps, *(graph.constant([value]) for value in (-1, last, 3, -1)))


def _of_labels(graph: Graph, own: str, ids: Sequence[int], num_regions: int) -> str:
    """Logits [b, k + 1, h, w] of the labels from the network's own; probabilities of one label add up."""
    planes, index, count = [own], [], len(ids)
    members = [[mine for mine, other in enumerate(ids) if other == label] for label in range(num_regions + 1)]
    for group in members:
        if len(group) == 1:
            index.append(group[0])
            continue
        index.append(count)
        count += 1
        if group:
            chosen = graph("Gather", own, graph.constant(group), axis=1)
            planes.append(graph("ReduceLogSumExp", chosen, axes=[1], keepdims=1))
        else:
            first = graph("Gather", own, graph.constant([0]), axis=1)
            planes.append(
                graph("Add", graph("Mul", first, graph.constant(0, "float32")), graph.constant(_NEVER, "float32"))
            )
    joined = own if len(planes) == 1 else graph("Concat", *planes, axis=1)
    return graph("Gather", joined, graph.constant(index), axis=1)


def _own_logits(graph: Graph, parser: Parser, image: str) -> str:
    if isinstance(parser, UNetParser):
        return _unet(graph, parser, image)
    assert isinstance(parser, PyramidParser), "the two kinds of parsers"
    return _pyramid(graph, parser, image)


def _unet(graph: Graph, parser: UNetParser, image: str) -> str:
    skips = [add_module(graph, image, parser.stem, "stem")]
    for index, down in enumerate(parser.downs):
        skips.append(add_module(graph, skips[-1], down, f"downs.{index}"))
    x = skips.pop()
    for index, up in enumerate(parser.ups):
        joined = graph("Concat", enlarged(graph, x), skips.pop(), axis=1)
        x = add_module(graph, joined, up, f"ups.{index}")
    return graph.conv(x, parser.head, "head")


def _pyramid(graph: Graph, parser: PyramidParser, image: str) -> str:
    x, features = add_module(graph, image, parser.encoder.stem, "encoder.stem"), []
    for index, stage in enumerate(parser.encoder.stages):
        x = add_module(graph, x, stage, f"encoder.stages.{index}")
        if index in FEATURE_STAGES:
            features.append(x)
    laterals = [
        add_module(graph, value, lateral, f"laterals.{index}")
        for index, (value, lateral) in enumerate(zip(features, parser.laterals, strict=True))
    ]
    last = len(laterals) - 1
    x = add_module(graph, graph("Relu", laterals[last]), parser.blocks[last], f"blocks.{last}")
    for index in reversed(range(last)):
        larger = enlarged(graph, add_module(graph, x, parser.reductions[index], f"reductions.{index}"))
        x = graph("Relu", graph("Add", laterals[index], larger))
        x = add_module(graph, x, parser.blocks[index], f"blocks.{index}")
    return enlarged(graph, graph.conv(x, parser.head, "head"))
