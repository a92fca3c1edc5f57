"""Each operation of OpenVINO as operators of ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from classify.exporting.quantised import dequantised, fake_quantize, quantised_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from classify.exporting.onnx_graph import Graph

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
    "Squeeze": "Squeeze",
    "Subtract": "Sub",
    "Tanh": "Tanh",
    "Unsqueeze": "Unsqueeze",
}
"""Operations of OpenVINO that have the same inputs in ONNX, and the name they have there."""

CONVOLUTIONS = ("Convolution", "GroupConvolution")

REDUCTIONS = {
    "ReduceMax": "ReduceMax",
    "ReduceMean": "ReduceMean",
    "ReduceMin": "ReduceMin",
    "ReduceProd": "ReduceProd",
    "ReduceSum": "ReduceSum",
}


def _same(name: str) -> Operator:
    return lambda graph, _, inputs: graph.add(name, inputs)


def _reduction(name: str) -> Operator:
    def add(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
        keep = int(node.get_attributes()["keep_dims"])
        axes = graph.value(inputs[1])
        assert axes is not None
        given = [inputs[0], graph.constant(np.atleast_1d(axes).astype(np.int64))]
        return graph.add(name, given, keepdims=keep)

    return add


def _constant(graph: Graph, node: Any, _: list[str]) -> list[str]:
    return [graph.constant(node.data)]


def _convert(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return _cast(graph, inputs[0], node.get_output_element_type(0).to_dtype())


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


def _cast(graph: Graph, name: str, dtype: np.dtype[Any] | type) -> list[str]:
    from onnx import helper

    return graph.add("Cast", [name], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _int64(graph: Graph, name: str) -> str:
    value = graph.value(name)
    if value is not None:
        return graph.constant(value.astype(np.int64))
    return _cast(graph, name, np.int64)[0]


def _shape_of(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return _cast(graph, graph.add("Shape", inputs)[0], node.get_output_element_type(0).to_dtype())


def _round(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    assert node.get_attributes()["mode"] == "half_to_even"
    return graph.add("Round", inputs)


def _reshape(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    allow_zero = 0 if node.get_attributes()["special_zero"] else 1
    return graph.add("Reshape", [inputs[0], _int64(graph, inputs[1])], allowzero=allow_zero)


def _transpose(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    order = graph.value(inputs[1])
    assert order is not None
    return graph.add("Transpose", inputs[:1], perm=order.tolist())


def _axes(name: str) -> Operator:
    """Return an operator whose second input becomes int64."""

    def add(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
        rest = [graph.constant(_vector(graph, axes)) for axes in inputs[1:]]
        return graph.add(name, [inputs[0], *rest])

    return add


def _vector(graph: Graph, name: str) -> NDArray[np.int64]:
    value = graph.value(name)
    assert value is not None
    return np.atleast_1d(value).astype(np.int64)


def _concat(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return graph.add("Concat", inputs, axis=int(node.get_attributes()["axis"]))


def _cum_sum(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    flags = {name: int(node.get_attributes()[name]) for name in ("exclusive", "reverse")}
    return graph.add("CumSum", inputs, **flags)


def _gather(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    axis = graph.value(inputs[2])
    assert axis is not None
    return graph.add("Gather", inputs[:2], axis=int(axis.ravel()[0]))


def _split(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    axis, number = graph.value(inputs[1]), int(node.get_attributes()["num_splits"])
    assert axis is not None
    return graph.add("Split", inputs[:1], number, axis=int(axis.ravel()[0]), num_outputs=number)


def _slice(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    data, start, stop, step, *axes = inputs
    order = [start, stop, *axes, step] if axes else [start, stop]
    if not axes:
        order.append(graph.constant(np.arange(len(_vector(graph, step)))))
        order.append(step)
    return graph.add("Slice", [data, *(_int64(graph, name) for name in order)])


def _strided_slice(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add a slice whose masks say which limits are not used and which axes vanish or are new."""
    attributes = node.get_attributes()
    masks = {
        name: [bool(flag) for flag in attributes.get(f"{name}_mask", [])]
        for name in ("begin", "end", "new_axis", "shrink_axis", "ellipsis")
    }
    assert not any(masks["ellipsis"])
    data, begin, end, *strides = inputs
    n_axes = node.input_value(1).shape[0]
    steps = _vector(graph, strides[0]) if strides else np.ones(n_axes, np.int64)

    def is_set(name: str, axis: int) -> bool:
        return axis < len(masks[name]) and masks[name][axis]

    new_axes = [axis for axis in range(n_axes) if is_set("new_axis", axis)]
    if new_axes:
        (data,) = graph.add("Unsqueeze", [data, graph.constant(np.array(new_axes, np.int64))])
    sliced = [axis for axis in range(n_axes) if axis not in new_axes]
    if not sliced:
        return [data]
    largest = np.iinfo(np.int64).max
    limits = []
    for name, mask, open_limit in ((begin, "begin", 0), (end, "end", largest)):
        parts = []
        for axis in sliced:
            unused = is_set(mask, axis) and not is_set("shrink_axis", axis)
            if unused:
                edge = open_limit if steps[axis] > 0 else (largest if mask == "begin" else -largest)
                parts.append(graph.constant(np.array([edge], np.int64)))
            elif mask == "end" and is_set("shrink_axis", axis):
                one = graph.constant(np.array([1], np.int64))
                (after,) = graph.add("Add", [_element(graph, begin, axis), one])
                # From the last element on, the slice has no end: -1 + 1 would be the first one.
                is_last = graph.add("Equal", [after, graph.constant(np.array([0], np.int64))])
                parts += graph.add(
                    "Where", [*is_last, graph.constant(np.array([largest], np.int64)), after]
                )
            else:
                parts.append(_element(graph, name, axis))
        limits += graph.add("Concat", parts, axis=0)
    axes = graph.constant(np.array(sliced, np.int64))
    outputs = graph.add("Slice", [data, *limits, axes, graph.constant(steps[sliced])])
    shrunk = [axis for axis in range(n_axes) if is_set("shrink_axis", axis)]
    if shrunk:
        outputs = graph.add("Squeeze", [*outputs, graph.constant(np.array(shrunk, np.int64))])
    return outputs


def _element(graph: Graph, name: str, axis: int) -> str:
    """Return one element of a vector, as a vector of int64."""
    value = graph.value(name)
    if value is not None:
        return graph.constant(value[axis : axis + 1].astype(np.int64))
    position = graph.constant(np.array([axis], np.int64))
    return graph.add("Gather", [_int64(graph, name), position], axis=0)[0]


def _broadcast(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    assert node.get_attributes()["mode"] in ("numpy", "bidirectional")
    return graph.add("Expand", [inputs[0], _int64(graph, inputs[1])])


def _pad(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    data, begin, end, *value = inputs
    pads = graph.add("Concat", [_int64(graph, begin), _int64(graph, end)], axis=0)
    mode = {"constant": "constant", "reflect": "reflect", "edge": "edge"}
    return graph.add("Pad", [data, *pads, *value], mode=mode[node.get_attributes()["pad_mode"]])


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
    (values,) = graph.add("Concat", [_row(graph, off), _row(graph, on)], axis=0)
    return graph.add("OneHot", [indices, depth, values], axis=int(node.get_attributes()["axis"]))


def _row(graph: Graph, name: str) -> str:
    value = graph.value(name)
    assert value is not None
    return graph.constant(value.reshape(1))


def _top_k(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    attributes = node.get_attributes()
    number = graph.constant(_vector(graph, inputs[1]))
    values, positions = graph.add(
        "TopK",
        [inputs[0], number],
        2,
        axis=int(attributes["axis"]),
        largest=int(attributes["mode"] == "max"),
        sorted=1,
    )
    return [values, *_cast(graph, positions, node.get_output_element_type(1).to_dtype())]


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


def _convolution(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return graph.add("Conv", inputs, **_windows(node, "dilations"))


def _group_convolution(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    data, kernel = inputs
    groups, per_group, *rest = node.input_value(1).shape
    value = graph.value(kernel)
    shape = [groups * per_group, *rest]
    weights = quantised_weights(node.input_value(1).get_node())
    if weights is not None:
        (kernel,) = dequantised(graph, *weights, shape)
    elif value is not None:
        kernel = graph.constant(value.reshape(shape))
    else:
        (kernel,) = graph.add("Reshape", [kernel, graph.constant(np.array(shape, np.int64))])
    return graph.add("Conv", [data, kernel], group=int(groups), **_windows(node, "dilations"))


def _max_pool(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    return graph.add("MaxPool", inputs, **_pooling(node, "dilations"))


def _avg_pool(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    counted = 0 if node.get_attributes()["exclude-pad"] else 1
    return graph.add("AveragePool", inputs, count_include_pad=counted, **_pooling(node))


def _pooling(node: Any, *others: str) -> dict[str, Any]:
    attributes = node.get_attributes()
    rounding = int(attributes["rounding_type"] in ("ceil", "ceil_torch"))
    kernel = [int(side) for side in attributes["kernel"]]
    return {"kernel_shape": kernel, "ceil_mode": rounding, **_windows(node, *others)}


def _windows(node: Any, *others: str) -> dict[str, Any]:
    attributes = node.get_attributes()
    windows = {name: [int(n) for n in attributes[name]] for name in ("strides", *others)}
    automatic = {"same_upper": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}
    padding = attributes["auto_pad"]
    if padding in automatic:
        return {**windows, "auto_pad": automatic[padding]}
    pads = [*attributes["pads_begin"], *attributes["pads_end"]]
    return {**windows, "pads": [int(n) for n in pads]}


OPERATORS: dict[str, Operator] = {
    **{name: _same(other) for name, other in SAME.items()},
    **{name: _reduction(other) for name, other in REDUCTIONS.items()},
    "Add": _add,
    "AvgPool": _avg_pool,
    "Broadcast": _broadcast,
    "Clamp": _clamp,
    "Concat": _concat,
    "Constant": _constant,
    "Convert": _convert,
    "Convolution": _convolution,
    "CumSum": _cum_sum,
    "Elu": _elu,
    "FakeQuantize": fake_quantize,
    "Gather": _gather,
    "Gelu": _gelu,
    "GroupConvolution": _group_convolution,
    "HSigmoid": _hard_sigmoid,
    "MatMul": _mat_mul,
    "MaxPool": _max_pool,
    "Multiply": _multiply,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Reshape": _reshape,
    "Round": _round,
    "ShapeOf": _shape_of,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _axes("Squeeze"),
    "StridedSlice": _strided_slice,
    "Swish": _swish,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _axes("Unsqueeze"),
}
"""What adds each operation of OpenVINO to an ONNX graph."""
