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
    data, begin, end, *strides = inputs
    n_axes = node.input_value(1).shape[0]
    steps = vector(graph, strides[0]) if strides else np.ones(n_axes, np.int64)

    def is_set(name: str, axis: int) -> bool:
        return axis < len(masks[name]) and masks[name][axis]

    new_axes = [axis for axis in range(n_axes) if is_set("new_axis", axis)]
    rank = node.input_value(0).get_partial_shape().rank.get_length() + len(new_axes)

    def axes_of(chosen: list[int]) -> str:
        """Return axes of the data; an ellipsis stands for all that are not listed."""
        after = [any(masks["ellipsis"][:axis]) for axis in chosen]
        shifts = [rank - n_axes if is_after else 0 for is_after in after]
        return graph.constant(np.add(chosen, shifts).astype(np.int64))

    if new_axes:
        (data,) = graph.add("Unsqueeze", [data, axes_of(new_axes)])
    sliced = [
        axis for axis in range(n_axes) if axis not in new_axes and not is_set("ellipsis", axis)
    ]
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
    steps_of_sliced = graph.constant(steps[sliced])
    outputs = graph.add("Slice", [data, *limits, axes_of(sliced), steps_of_sliced])
    shrunk = [axis for axis in range(n_axes) if is_set("shrink_axis", axis)]
    if shrunk:
        outputs = graph.add("Squeeze", [*outputs, axes_of(shrunk)])
    return outputs
