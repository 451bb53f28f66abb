"""The generator as ONNX, in two forms of the same algebra.

The dense form takes a segmap and convolves maps of its size, as published; it needs only common operators. The
fast form takes the tables of a patch plan (`sean.onnx.plan`) in addition: every distinct patch is evaluated once, as
sums of gathered rows, and gathered per pixel (see `sean.ops.modulation`). Both have the weights packed for inference:
spectral norm, batch norm and blending are folded in.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.inference.packing import PackedNorm
from sean.models.configs import BLOCKS, COLOR_DIM, NUM_STYLED_BLOCKS, SIZE_MULTIPLE
from sean.models.layers import LEAKY_SLOPE
from sean.models.sean.generator import Generator
from sean.models.sean.norm import ModulatedNorm, SEANNorm, SEANResBlk
from sean.onnx.graph import Graph, Shape
from sean.plan.patch_plan import NUM_TAPS, SCALES

ROW_TABLES = ("label_patches", "mask_patches", "region_patches")
"""Inputs of the fast form, for each scale, with nine entries per row."""

INDEX_TABLES = ("mask_rows", "region_rows")
"""Inputs of the fast form, for each scale, with one entry per row."""


def dense_generator(generator: Generator) -> Graph:
    """Inputs segmap [b, h, w], codes [b, 6, k, d] and, with instance edges, edges [b, h, w]; output picture."""
    return _build(generator, _Dense)


def fast_generator(generator: Generator) -> Graph:
    """The inputs of the dense form except edges, and six tables for each scale; output picture [b, 3, h, w]."""
    return _build(generator, _Fast)


def _build(generator: Generator, form: "type[_Modulation]") -> Graph:
    graph = Graph("generator")
    segmap = graph.input("segmap", "int32", ["batch", "height", "width"])
    codes_shape: Shape = ["batch", NUM_STYLED_BLOCKS, generator.num_regions, generator.code_dim]
    codes = graph.input("codes", "float32", codes_shape)
    modulation = form(graph, generator, segmap, codes)
    onehot = graph.onehot(graph.strided(segmap, SIZE_MULTIPLE), generator.num_regions)
    assert isinstance(generator.stem, nn.Conv2d)
    x, level = graph.conv(onehot, generator.stem, "stem"), 0
    for index, (block, (_, _, double)) in enumerate(zip(generator.blocks, BLOCKS, strict=True)):
        assert isinstance(block, SEANResBlk)
        x = _block(graph, modulation, x, block, index, level)
        if double:
            x, level = graph.doubled(x), level + 1
    x = graph("LeakyRelu", x, alpha=LEAKY_SLOPE)
    picture = graph("Tanh", graph.conv(x, generator.to_rgb, "to_rgb"))
    if generator.color_window is not None:
        picture = _in_style_colors(graph, picture, modulation.region_ids(segmap), codes, generator)
    graph.output(picture, "picture", "float32", ["batch", 3, "height", "width"])
    return graph


def _in_style_colors(graph: Graph, picture: str, ids: str, codes: str, generator: Generator) -> str:
    """`in_style_colors` with codes [v, 6, k, d] and the region of every pixel, see `_Modulation.region_ids`."""
    window = generator.color_window
    assert window is not None
    zero, one = graph.constant(0, "float32"), graph.constant(1, "float32")
    bounds = [graph.constant([edge]) for edge in (0, COLOR_DIM)]
    of_blocks = graph("Slice", codes, *bounds, graph.constant([3]))
    last = graph.constant(NUM_STYLED_BLOCKS - 1)
    colors = graph("Gather", of_blocks, last, axis=1)
    differences = graph("Abs", graph("Sub", of_blocks, graph("Unsqueeze", colors, graph.constant([1]))))
    agree = graph("Equal", graph("ReduceMax", differences, axes=[1, 3], keepdims=0), zero)
    largest = graph("ReduceMax", graph("Abs", graph("Gather", codes, last, axis=1)), axes=[2], keepdims=0)
    known = graph.reshape(graph("Cast", graph("And", agree, graph("Greater", largest, zero)), to=1), -1, 1)
    # one row for each of the v * k regions, one column for each pixel of the batch
    num_regions = graph(
        "Mul", graph("Gather", graph("Shape", codes), graph.constant(0)), graph.constant(generator.num_regions)
    )
    numbers = graph("Range", graph.constant(1), graph("Add", num_regions, graph.constant(1)), graph.constant(1))
    flat_ids = graph("Cast", graph.reshape(ids, 1, -1), to=7)
    onehot = graph("Cast", graph("Equal", graph.reshape(numbers, -1, 1), flat_ids), to=1)
    pixels = graph("Transpose", picture, perm=[0, 2, 3, 1])
    sums = graph("MatMul", onehot, graph.reshape(pixels, -1, COLOR_DIM))
    counts = graph("ReduceSum", onehot, graph.constant([1]))
    means = graph("Div", sums, graph("Max", counts, one))
    shifts = graph("Mul", graph("Sub", graph.reshape(colors, -1, COLOR_DIM), means), known)
    of_pixels = graph("MatMul", graph("Transpose", onehot, perm=[1, 0]), shifts)
    shift = graph("Transpose", graph("Reshape", of_pixels, graph("Shape", pixels)), perm=[0, 3, 1, 2])
    margin = [window // 2] * 2
    wide = graph("Pad", shift, graph.constant([0, 0, *margin, 0, 0, *margin]), mode="edge")
    averaged = graph("AveragePool", graph("AveragePool", wide, kernel_shape=[window, 1]), kernel_shape=[1, window])
    return graph("Clip", graph("Add", picture, averaged), graph.constant(-1, "float32"), one)


def _block(graph: Graph, modulation: "_Modulation", x: str, block: SEANResBlk, index: int, level: int) -> str:
    name = f"blocks.{index}"

    def norm(value: str, norm: ModulatedNorm, which: str) -> str:
        assert isinstance(norm, SEANNorm)
        return modulation(value, norm, f"{name}.{which}", index, level)

    shortcut = x
    if block.norm_shortcut is not None:
        shortcut = norm(x, block.norm_shortcut, "norm_shortcut")
        shortcut = graph.conv(shortcut, block.conv_shortcut, f"{name}.conv_shortcut")
    x = graph("LeakyRelu", norm(x, block.norm_0, "norm_0"), alpha=LEAKY_SLOPE)
    x = graph.conv(x, block.conv_0, f"{name}.conv_0")
    x = graph("LeakyRelu", norm(x, block.norm_1, "norm_1"), alpha=LEAKY_SLOPE)
    return graph("Add", shortcut, graph.conv(x, block.conv_1, f"{name}.conv_1"))


class _Modulation(ABC):
    """SEAN norms in one of the two forms."""

    def __init__(self, graph: Graph, generator: Generator, segmap: str, codes: str) -> None:
        self.graph = graph
        self.num_regions = generator.num_regions
        self.has_edges = generator.instance_edges
        self._codes = codes
        self.codes: dict[int, str] = {}
        self.prepare(segmap)

    @abstractmethod
    def prepare(self, segmap: str) -> None:
        """Add the values that all norms share."""

    @abstractmethod
    def region_ids(self, segmap: str) -> str:
        """1 + variant * k + label of every pixel [b, h, w], 0 for "no region"."""

    @abstractmethod
    def scale_shift(self, norm: PackedNorm, name: str, mu: str | None, level: int) -> list[str]:
        """Scale and shift of a norm, [b, c, h, w] each.

        Args:
            norm: packed.
            name: of its weights.
            mu: [b, k, d], where the norm has a style branch.
            level: number of the scale.
        """

    def __call__(self, x: str, norm: SEANNorm, name: str, block: int, level: int) -> str:
        """x * scale + shift."""
        packed = PackedNorm(norm)
        mu = None if packed.style is None else self._mu(packed, name, block)
        scale, shift = self.scale_shift(packed, name, mu, level)
        return self.graph("Add", self.graph("Mul", x, scale), shift)

    def _mu(self, norm: PackedNorm, name: str, block: int) -> str:
        """mu_j = ReLU(A_j ST_j + a_j), [b, k, d]; regions are the first axis, for one matrix product each."""
        graph = self.graph
        assert norm.style is not None
        if block not in self.codes:
            own = graph("Gather", self._codes, graph.constant(block), axis=1)
            self.codes[block] = graph("Transpose", own, perm=[1, 0, 2])
        codes, columns = self.codes[block], norm.style.columns
        if columns.start is not None:
            bounds = [graph.constant([edge]) for edge in (columns.start, columns.stop)]
            codes = graph("Slice", codes, *bounds, graph.constant([2]))
        weight = graph.weight(norm.style.region_weight.transpose(1, 2), f"{name}.region_weight")
        bias = graph.weight(norm.style.region_bias.unsqueeze(1), f"{name}.region_bias")
        mu = graph("Relu", graph("Add", graph("MatMul", codes, weight), bias))
        return graph("Transpose", mu, perm=[1, 0, 2])


class _Dense(_Modulation):
    def prepare(self, segmap: str) -> None:
        graph = self.graph
        self._planes, self._onehots = [], []
        edges = graph.input("edges", "int32", ["batch", "height", "width"]) if self.has_edges else None
        for scale in SCALES:
            onehot = graph.onehot(graph.strided(segmap, scale), self.num_regions)
            self._onehots.append(onehot)
            if edges is not None:
                plane = graph("Unsqueeze", graph.strided(edges, scale), graph.constant([1]))
                onehot = graph("Concat", onehot, graph("Cast", plane, to=1), axis=1)
            self._planes.append(onehot)

    def scale_shift(self, norm: PackedNorm, name: str, mu: str | None, level: int) -> list[str]:
        graph = self.graph
        bias = graph.weight(norm.bias, f"{name}.bias")
        parts = []
        if norm.has_mask:
            weights = (norm.hidden_weight, norm.hidden_bias)
            hidden = [
                graph.weight(value, f"{name}.hidden_{part}")
                for part, value in zip(("weight", "bias"), weights, strict=True)
            ]
            maps = graph("Relu", graph("Conv", self._planes[level], *hidden, pads=[1] * 4))
            parts.append(graph("Conv", maps, graph.weight(norm.weight, f"{name}.weight"), bias, pads=[1] * 4))
        if mu is not None:
            # every pixel takes mu of its region: [b, d, k] @ [b, k, h * w]
            onehot = self._onehots[level]
            flat = graph.reshape(onehot, 0, 0, -1)
            style_map = graph("MatMul", graph("Transpose", mu, perm=[0, 2, 1]), flat)
            style_map = graph("Reshape", style_map, self._style_shape(level, norm.style_weight.shape[1]))
            weight = graph.weight(norm.style_weight, f"{name}.style_weight")
            parts.append(graph("Conv", style_map, weight, *([] if parts else [bias]), pads=[1] * 4))
        return graph.outputs(2, "Split", parts[0] if len(parts) == 1 else graph("Add", *parts), axis=1)

    def _style_shape(self, level: int, style_dim: int) -> str:
        """The map of mu at a level: [b, d, h, w]."""
        graph = self.graph
        size = graph("Shape", self._onehots[level])
        parts = [graph("Gather", size, graph.constant([index])) for index in (0, 2, 3)]
        return graph("Concat", parts[0], graph.constant([style_dim]), *parts[1:], axis=0)

    def region_ids(self, segmap: str) -> str:
        graph = self.graph
        batch = graph("Gather", graph("Shape", segmap), graph.constant(0))
        samples = graph("Range", graph.constant(0), batch, graph.constant(1))
        first = graph("Mul", graph.reshape(samples, -1, 1, 1), graph.constant(self.num_regions))
        labels = graph("Cast", segmap, to=7)
        ids = graph("Add", graph("Add", first, labels), graph.constant(1))
        return graph("Where", graph("Less", labels, graph.constant(self.num_regions)), ids, graph.constant(0))


class _Fast(_Modulation):
    def prepare(self, segmap: str) -> None:
        graph = self.graph
        self._levels = []
        for scale in SCALES:
            names = {}
            for table in ROW_TABLES:
                entries = graph.input(f"{table}_{scale}", "int32", [f"{table}_{scale}", NUM_TAPS])
                # the product of one row with the nine taps of a kernel gives nine rows
                first = graph("Mul", entries, graph.constant(NUM_TAPS, "int32"))
                names[table] = graph("Add", first, graph.constant(np.arange(NUM_TAPS), "int32"))
            for table in INDEX_TABLES:
                names[table] = graph.input(f"{table}_{scale}", "int32", [f"rows_{scale}"])
            shape = ["batch", f"height_{scale}", f"width_{scale}"]
            names["pixels"] = graph.input(f"pixels_{scale}", "int32", shape)
            self._levels.append(names)

    def scale_shift(self, norm: PackedNorm, name: str, mu: str | None, level: int) -> list[str]:
        graph, tables = self.graph, self._levels[level]
        bias = graph.weight(norm.bias, f"{name}.bias")
        parts = []
        if norm.has_mask:
            table = graph.weight(_symbol_table(norm.hidden_weight, self.has_edges), f"{name}.hidden_weight")
            hidden_bias = graph.weight(norm.hidden_bias, f"{name}.hidden_bias")
            hidden = graph("Relu", graph("Add", self._sum_taps(table, tables["label_patches"]), hidden_bias))
            products = self._products(hidden, norm.weight, f"{name}.weight")
            rows = self._sum_taps(products, tables["mask_patches"])
            parts.append(graph("Gather", rows, tables["mask_rows"]))
        if mu is not None:
            vectors = graph.reshape(mu, -1, norm.style_weight.shape[1])
            products = self._products(vectors, norm.style_weight, f"{name}.style_weight")
            rows = self._sum_taps(products, tables["region_patches"])
            parts.append(graph("Gather", rows, tables["region_rows"]))
        rows = graph("Add", parts[0] if len(parts) == 1 else graph("Add", *parts), bias)
        # splitting the few rows is cheaper than splitting the maps
        halves = graph.outputs(2, "Split", rows, axis=1)
        return [graph("Transpose", graph("Gather", half, tables["pixels"]), perm=[0, 3, 1, 2]) for half in halves]

    def region_ids(self, segmap: str) -> str:
        graph, tables = self.graph, self._levels[-1]
        centres = graph("Gather", "region_patches_1", graph.constant(NUM_TAPS // 2), axis=1)
        return graph("Gather", graph("Gather", centres, tables["region_rows"]), tables["pixels"])

    def _products(self, vectors: str, weight: Tensor, name: str) -> str:
        """W[tap] @ vector of every vector and tap, [9 * (1 + n), o]; the first nine are those of "outside"."""
        graph = self.graph
        outside = graph.constant(np.zeros((1, weight.shape[1])), "float32")
        side_by_side = weight.permute(1, 2, 3, 0).flatten(1)
        products = graph("MatMul", graph("Concat", outside, vectors, axis=0), graph.weight(side_by_side, name))
        return graph.reshape(products, -1, weight.shape[0])

    def _sum_taps(self, products: str, index: str) -> str:
        gathered = self.graph("Gather", products, index)
        return self.graph("ReduceSum", gathered, self.graph.constant([1]), keepdims=0)


def _symbol_table(weight: Tensor, has_edges: bool) -> Tensor:
    """The share of a pixel of each symbol in its neighbours, [9 * (2 + symbols), e]: outside, symbols, no region."""
    taps = weight.permute(1, 2, 3, 0).flatten(1, 2)  # [symbols, 9, e]
    if has_edges:
        labels, edge = F.pad(taps[:-1], (0, 0, 0, 0, 0, 1)), taps[-1:]
        table = torch.stack([labels, labels + edge], dim=1).flatten(0, 1)
        return F.pad(table, (0, 0, 0, 0, 1, 0)).flatten(0, 1)
    return F.pad(taps, (0, 0, 0, 0, 1, 1)).flatten(0, 1)
