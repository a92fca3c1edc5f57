"""Operations that cut a part out of a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.exporting.onnx.values import element, int64, vector

if TYPE_CHECKING:
    from classify.exporting.onnx.graph import Graph


def slice_axes(graph: Graph, _: Any, inputs: list[str]) -> list[str]:
    """Add a slice with a start, a stop and a step for each of some axes."""
    data, start, stop, step, *axes = inputs
    order = [start, stop, *axes, step] if axes else [start, stop]
    if not axes:
        order.append(graph.constant(np.arange(len(vector(graph, step)))))
        order.append(step)
    return graph.add("Slice", [data, *(int64(graph, name) for name in order)])


def strided_slice(graph: Graph, node: Any, inputs: list[str]) -> list[str]:
    """Add a slice whose masks say which limits are not used and which axes vanish or are new."""
    attributes = node.get_attributes()
    masks = {
        name: [bool(flag) for flag in attributes.get(f"{name}_mask", [])]
        for name in ("begin", "end", "new_axis", "shrink_axis", "ellipsis")
    }
    assert not any(masks["ellipsis"])
    data, begin, end, *strides = inputs
    n_axes = node.input_value(1).shape[0]
    steps = vector(graph, strides[0]) if strides else np.ones(n_axes, np.int64)

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
                (after,) = graph.add("Add", [element(graph, begin, axis), one])
                # From the last element on, the slice has no end: -1 + 1 would be the first one.
                is_last = graph.add("Equal", [after, graph.constant(np.array([0], np.int64))])
                parts += graph.add(
                    "Where", [*is_last, graph.constant(np.array([largest], np.int64)), after]
                )
            else:
                parts.append(element(graph, name, axis))
        limits += graph.add("Concat", parts, axis=0)
    axes = graph.constant(np.array(sliced, np.int64))
    outputs = graph.add("Slice", [data, *limits, axes, graph.constant(steps[sliced])])
    shrunk = [axis for axis in range(n_axes) if is_set("shrink_axis", axis)]
    if shrunk:
        outputs = graph.add("Squeeze", [*outputs, graph.constant(np.array(shrunk, np.int64))])
    return outputs
