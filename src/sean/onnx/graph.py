"""ONNX graphs built node by node, with our own names, weights and shapes, without torch's tracing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET = 17
"""Version of the ONNX operator set that the files require."""

_IR_VERSION = 8  # the IR version of that operator set
_TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}

Shape = Sequence[int | str]


@dataclass(eq=False)
class Graph:
    """A graph under construction; values are known by their names.

    Attributes:
        name: of the graph.
    """

    name: str
    _nodes: list[onnx.NodeProto] = field(default_factory=list)
    _weights: list[onnx.TensorProto] = field(default_factory=list)
    _inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _constants: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def input(self, name: str, dtype: str, shape: Shape) -> str:
        """Declare an input; a word in `shape` is a size that may differ from call to call."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))
        return name

    def output(self, value: str, name: str, dtype: str, shape: Shape) -> None:
        """Declare a value as an output under `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))

    def weight(self, values: Tensor | np.ndarray, name: str) -> str:
        """Add weights of the network, under a name."""
        array = values.detach().cpu().float().numpy() if isinstance(values, Tensor) else values
        self._weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def constant(self, values: Any, dtype: str = "int64") -> str:
        """Add constants of the arithmetic, such as axes, shapes and indices; equal ones are stored once."""
        array = np.asarray(values, dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weight(array, f"constant_{len(self._constants)}")
        return self._constants[key]

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns the name of its value."""
        (value,) = self.outputs(1, operator, *inputs, **attributes)
        return value

    def outputs(self, count: int, operator: str, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs; returns their names."""
        values = [f"{operator.lower()}_{len(self._nodes)}_{index}" for index in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, values, **attributes))
        return values

    def reshape(self, value: str, *shape: int) -> str:
        """Reshape a value; 0 keeps a size, -1 takes the remaining one."""
        return self("Reshape", value, self.constant(shape))

    def strided(self, value: str, stride: int) -> str:
        """A map [b, h, w] reduced to 1 / stride of its size, by nearest pixels."""
        if stride == 1:
            return value
        ends = [np.iinfo(np.int64).max] * 2
        return self(
            "Slice",
            value,
            self.constant([0, 0]),
            self.constant(ends),
            self.constant([1, 2]),
            self.constant([stride] * 2),
        )

    def onehot(self, segmap: str, num_regions: int) -> str:
        """Planes [b, k, h, w] of ids [b, h, w] (int32); the id k is zero in all."""
        regions = self.constant(np.arange(num_regions).reshape(1, -1, 1, 1), "int32")
        equal = self("Equal", self("Unsqueeze", segmap, self.constant([1])), regions)
        return self("Cast", equal, to=TensorProto.FLOAT)

    def conv(self, x: str, conv: torch.nn.Conv2d, name: str, **attributes: Any) -> str:
        """A convolution of torch; attributes are added to its own."""
        weights = [self.weight(conv.weight, f"{name}.weight")]
        if conv.bias is not None:
            weights.append(self.weight(conv.bias, f"{name}.bias"))
        assert isinstance(conv.padding, tuple)
        own = {
            "kernel_shape": list(conv.kernel_size),
            "strides": list(conv.stride),
            "pads": list(conv.padding) * 2,
            "group": conv.groups,
        }
        return self("Conv", x, *weights, **{**own, **attributes})

    def doubled(self, x: str) -> str:
        """Maps [b, c, h, w] enlarged to twice the size, by nearest pixels."""
        scales = self.constant([1, 1, 2, 2], "float32")
        return self(
            "Resize", x, "", scales, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"
        )

    def model(self) -> onnx.ModelProto:
        """The finished model, checked."""
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, self._weights)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="sean")
        onnx.checker.check_model(model, full_check=True)
        return model
