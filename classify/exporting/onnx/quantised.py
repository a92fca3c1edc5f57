"""Operations of networks in 8 bits as ONNX's pair of quantising and dequantising."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.exporting.onnx.values import constant, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.exporting.onnx.graph import Graph

LEVELS = 256


def fake_quantize(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Round values to 256 steps between two limits.

    Raises
    ------
    ModelError
        If the network rounds in another way.
    """
    data, *limits = inputs
    low, high, out_low, out_high = (constant(graph, name) for name in limits)
    same = np.array_equal(low, out_low) and np.array_equal(high, out_high)
    if not same or int(node.get_attributes()["levels"]) != LEVELS:
        refuse("another quantisation than to 256 steps between fixed limits")
    if low.size > 1:
        return _round_channels(graph, data, low, high)
    low, high = (limit.astype(np.float64).ravel() for limit in (low, high))
    scale = (high - low) / (LEVELS - 1)
    zero_point = np.round(-low / scale)
    if (zero_point == LEVELS // 2).all():
        zero = np.zeros(1, np.int8)
    else:
        zero = np.clip(zero_point, 0, LEVELS - 1).astype(np.uint8)
    given = [graph.constant(part.reshape(())) for part in (scale.astype(np.float32), zero)]
    return graph.add("DequantizeLinear", [*graph.add("QuantizeLinear", [data, *given]), *given])


def _round_channels(
    graph: Graph, data: str, low: NDArray[np.float32], high: NDArray[np.float32]
) -> list[str]:
    """Round each channel within limits of its own, which ONNX Runtime does not do in 8 bits."""
    step = graph.constant((high - low) / np.float32(LEVELS - 1))
    offset = graph.constant(low)
    steps = graph.add("Div", [*graph.add("Sub", [data, offset]), step])
    limits = [graph.constant(np.array(edge, np.float32)) for edge in (0, LEVELS - 1)]
    whole = graph.add("Round", graph.add("Clip", [*steps, *limits]))
    return graph.add("Add", [*graph.add("Mul", [*whole, step]), offset])


def quantised_weights(
    node: Any,
) -> tuple[NDArray[np.int8], NDArray[np.float32]] | None:
    """Return the weights in 8 bits that a node scales, and the scale; None if it does not."""
    if node.get_type_name() != "Multiply":
        return None
    converted, scale = (value.get_node() for value in node.input_values())
    if converted.get_type_name() != "Convert" or scale.get_type_name() != "Constant":
        return None
    weights = converted.input_value(0).get_node()
    if weights.get_type_name() != "Constant" or weights.data.dtype != np.int8:
        return None
    return weights.data, scale.data.astype(np.float32)


def dequantised(
    graph: Graph, weights: NDArray[np.int8], scale: NDArray[np.float32], shape: list[int]
) -> list[str]:
    """Add weights in 8 bits as a tensor of float32.

    Parameters
    ----------
    weights : ndarray of int8
    scale : ndarray of float32
        One number, or one along the first axis of `weights`.
    shape : list of int
        Of the tensor, whose first axis may be several axes of `weights`.
    """
    weights = weights.reshape(shape)
    zeros = np.zeros(1 if scale.size == 1 else len(weights), np.int8)
    if scale.size == 1:
        given = [graph.constant(scale.reshape(())), graph.constant(zeros.reshape(()))]
        return graph.add("DequantizeLinear", [graph.constant(weights), *given])
    scales = np.repeat(scale.ravel(), len(weights) // scale.size)
    given = [graph.constant(scales), graph.constant(zeros)]
    return graph.add("DequantizeLinear", [graph.constant(weights), *given], axis=0)
