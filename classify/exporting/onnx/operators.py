"""Each operation of OpenVINO as operators of ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from classify.exporting.onnx.quantised import dequantised, fake_quantize, quantised_weights
from classify.exporting.onnx.slicing import slice_axes, strided_slice
from classify.exporting.onnx.values import cast, int64, refuse, row, vector
from classify.exporting.onnx.windows import (
    CONVOLUTIONS,
    avg_pool,
    convolution,
    group_convolution,
    max_pool,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from classify.exporting.onnx.graph import Graph

    Operator: TypeAlias = Callable[[Graph, Any, list[str]], list[str]]

SAME = {
    "Abs": "Abs",
    "Ceiling": "Ceil",
    "Cos": "Cos",
    "Divide": "Div",
    "Equal": "Equal",
    "Erf": "Erf",
    "Exp": "Exp",
    "Floor": "Floor",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "HSwish": "HardSwish",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "Log": "Log",
    "LogicalAnd": "And",
    "LogicalNot": "Not",
    "LogicalOr": "Or",
    "Maximum": "Max",
    "Minimum": "Min",
    "Negative": "Neg",
    "Power": "Pow",
    "Range": "Range",
    "Relu": "Relu",
    "Select": "Where",
    "Sigmoid": "Sigmoid",
    "Sin": "Sin",
    "SoftPlus": "Softplus",
    "Sqrt": "Sqrt",
    "Subtract": "Sub",
    "Tanh": "Tanh",
}
"""Operations of OpenVINO that have the same inputs in ONNX, and the name they have there."""

REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum")


def _same(name: str) -> Operator:
    return lambda graph, _, inputs: graph.add(name, inputs)


def _reduction(name: str) -> Operator:
    def add(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
        keep = int(node.get_attributes()["keep_dims"])
        axes = graph.constant(vector(graph, inputs[1]))
        return graph.add(name, [inputs[0], axes], keepdims=keep)

    return add


def _constant(graph: Graph, node: Any, _: list[str]) -> list[str]:
    return [graph.constant(node.data)]


def _convert(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return cast(graph, inputs[0], node.get_output_element_type(0).to_dtype())


def _add(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add two tensors; a bias goes into its convolution, which runtimes need for 8 bits."""
    source, bias = node.input_value(0), graph.value(inputs[1])
    is_alone = len(source.get_target_inputs()) == 1
    if source.get_node().get_type_name() in CONVOLUTIONS and is_alone and bias is not None:
        shape = source.get_partial_shape()
        if bias.ndim == len(shape) and bias.size == bias.shape[1] == shape[1].get_length():
            graph.give_bias(inputs[0], bias.ravel())
            return inputs[:1]
    return graph.add("Add", inputs)


def _multiply(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    weights = quantised_weights(node)
    if weights is None:
        return graph.add("Mul", inputs)
    return dequantised(graph, *weights, list(weights[0].shape))


def _squared_difference(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    (difference,) = graph.add("Sub", inputs)
    return graph.add("Mul", [difference, difference])


def _shape_of(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return cast(graph, graph.add("Shape", inputs)[0], node.get_output_element_type(0).to_dtype())


def _round(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    if node.get_attributes()["mode"] != "half_to_even":
        refuse("rounding of halves away from zero")
    return graph.add("Round", inputs)


def _reshape(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    allow_zero = 0 if node.get_attributes()["special_zero"] else 1
    return graph.add("Reshape", [inputs[0], int64(graph, inputs[1])], allowzero=allow_zero)


def _transpose(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    return graph.add("Transpose", inputs[:1], perm=vector(graph, inputs[1]).tolist())


def _axes(name: str) -> Operator:
    """Return an operator whose second input becomes int64."""

    def add(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
        rest = [graph.constant(vector(graph, axes)) for axes in inputs[1:]]
        return graph.add(name, [inputs[0], *rest])

    return add


def _concat(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return graph.add("Concat", inputs, axis=int(node.get_attributes()["axis"]))


def _cum_sum(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    flags = {name: int(node.get_attributes()[name]) for name in ("exclusive", "reverse")}
    return graph.add("CumSum", inputs, **flags)


def _gather(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    (axis,) = vector(graph, inputs[2])
    return graph.add("Gather", inputs[:2], axis=int(axis))


def _split(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    (axis,), number = vector(graph, inputs[1]), int(node.get_attributes()["num_splits"])
    return graph.add("Split", inputs[:1], number, axis=int(axis), num_outputs=number)


def _broadcast(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    if node.get_attributes()["mode"] not in ("numpy", "bidirectional"):
        refuse("a broadcast along named axes")
    return graph.add("Expand", [inputs[0], int64(graph, inputs[1])])


def _pad(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    data, begin, end, *value = inputs
    pads = graph.add("Concat", [int64(graph, begin), int64(graph, end)], axis=0)
    mode = str(node.get_attributes()["pad_mode"])
    if mode not in ("constant", "reflect", "edge"):
        refuse(f"{mode} padding")
    return graph.add("Pad", [data, *pads, *value], mode=mode)


def _clamp(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    attributes = node.get_attributes()
    dtype = node.get_output_element_type(0).to_dtype()
    limits = [np.array(attributes[name], dtype) for name in ("min", "max")]
    return graph.add("Clip", [*inputs, *map(graph.constant, limits)])


def _swish(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    data, *beta = inputs
    scaled = graph.add("Mul", [data, *beta]) if beta else [data]
    return graph.add("Mul", [data, *graph.add("Sigmoid", scaled)])


def _hard_sigmoid(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    return graph.add("HardSigmoid", inputs, alpha=1 / 6, beta=0.5)


def _gelu(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    mode = str(node.get_attributes()["approximation_mode"]).lower()
    return graph.add("Gelu", inputs, approximate="tanh" if mode == "tanh" else "none")


def _elu(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return graph.add("Elu", inputs, alpha=float(node.get_attributes()["alpha"]))


def _softmax(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return graph.add("Softmax", inputs, axis=int(node.get_attributes()["axis"]))


def _one_hot(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    indices, depth, on, off = inputs
    (values,) = graph.add("Concat", [row(graph, off), row(graph, on)], axis=0)
    return graph.add("OneHot", [indices, depth, values], axis=int(node.get_attributes()["axis"]))


def _top_k(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    attributes = node.get_attributes()
    number = graph.constant(vector(graph, inputs[1]))
    values, positions = graph.add(
        "TopK",
        [inputs[0], number],
        2,
        axis=int(attributes["axis"]),
        largest=int(attributes["mode"] == "max"),
        sorted=1,
    )
    return [values, *cast(graph, positions, node.get_output_element_type(1).to_dtype())]


def _mat_mul(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    attributes = node.get_attributes()
    given = []
    for position, name in enumerate(inputs):
        if attributes[("transpose_a", "transpose_b")[position]]:
            value = graph.value(name)
            if value is not None:
                name = graph.constant(np.swapaxes(value, -1, -2))
            else:
                rank = node.input_value(position).get_partial_shape().rank.get_length()
                order = [*range(rank - 2), rank - 1, rank - 2]
                (name,) = graph.add("Transpose", [name], perm=order)
        given.append(name)
    return graph.add("MatMul", given)


OPERATORS: dict[str, Operator] = {
    **{name: _same(other) for name, other in SAME.items()},
    **{name: _reduction(name) for name in REDUCTIONS},
    "Add": _add,
    "AvgPool": avg_pool,
    "Broadcast": _broadcast,
    "Clamp": _clamp,
    "Concat": _concat,
    "Constant": _constant,
    "Convert": _convert,
    "Convolution": convolution,
    "CumSum": _cum_sum,
    "Elu": _elu,
    "FakeQuantize": fake_quantize,
    "Gather": _gather,
    "Gelu": _gelu,
    "GroupConvolution": group_convolution,
    "HSigmoid": _hard_sigmoid,
    "MatMul": _mat_mul,
    "MaxPool": max_pool,
    "Multiply": _multiply,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Reshape": _reshape,
    "Round": _round,
    "ShapeOf": _shape_of,
    "Slice": slice_axes,
    "Softmax": _softmax,
    "Split": _split,
    "SquaredDifference": _squared_difference,
    "Squeeze": _axes("Squeeze"),
    "StridedSlice": strided_slice,
    "Swish": _swish,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _axes("Unsqueeze"),
}
"""What adds each operation of OpenVINO to an ONNX graph."""
