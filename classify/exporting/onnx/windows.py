"""Operations that slide a window over an image: convolutions and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.exporting.onnx.quantised import dequantised, quantised_weights

if TYPE_CHECKING:
    from classify.exporting.onnx.graph import Graph


CONVOLUTIONS = ("Convolution", "GroupConvolution")


def convolution(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add a convolution."""
    return graph.add("Conv", inputs, **_windows(node, "dilations"))


def group_convolution(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add a convolution whose kernels see some of the channels each."""
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


def max_pool(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add the maximum over windows."""
    return graph.add("MaxPool", inputs, **_pooling(node, "dilations"))


def avg_pool(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add the mean over windows."""
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
