"""From a network of OpenVINO to the same network in ONNX.

ONNX has an operator, or two, for every operation of OpenVINO that the networks here are made of. So
a quantised network stays the one that the run has used: its 8-bit weights and ranges are taken
over, not calibrated anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classify.exporting.onnx.graph import IR_VERSION, OPSET, Graph
from classify.exporting.onnx.operators import OPERATORS
from classify.exporting.onnx.values import refuse


def to_onnx(model: Any) -> Any:
    """Return a network as an `onnx.ModelProto`.

    Parameters
    ----------
    model : openvino.Model
        Its parameters and results keep their names.

    Raises
    ------
    ModelError
        If the network has an operation that is not known here; the message names it.
    """
    import onnx
    from onnx import helper

    graph = Graph()
    names: dict[tuple[str, int], str] = {}
    inputs, outputs = [], []
    for node in model.get_ordered_ops():
        kind, key = node.get_type_name(), node.get_name()
        if kind == "Parameter":
            name = node.output(0).get_any_name()
            inputs.append(_value_info(name, node.output(0)))
            names[key, 0] = name
            continue
        given = [
            names[source.get_node().get_name(), source.get_index()]
            for source in node.input_values()
        ]
        if kind == "Result":
            name = node.input_value(0).get_any_name()
            graph.nodes.append(helper.make_node("Identity", given, [name], name))
            outputs.append(_value_info(name, node.input_value(0)))
            continue
        if kind not in OPERATORS:
            refuse(f"the operation {kind}")
        for index, name in enumerate(OPERATORS[kind](graph, node, given)):
            names[key, index] = name
    nodes, constants = graph.used([output.name for output in outputs])
    proto = helper.make_model(
        helper.make_graph(nodes, "frozen-features", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="frozen-features",
    )
    onnx.checker.check_model(proto)
    return proto


def _value_info(name: str, output: Any) -> Any:
    from onnx import helper

    shape = [
        dimension.get_length() if dimension.is_static else f"{name}_{axis}"
        for axis, dimension in enumerate(output.get_partial_shape())
    ]
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(output.get_element_type().to_dtype()))
    return helper.make_tensor_value_info(name, data_type, shape)
