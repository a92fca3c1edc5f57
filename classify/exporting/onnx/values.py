"""Small tensors: axes, shapes and limits as ONNX wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from classify.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.exporting.onnx.graph import Graph


def cast(graph: Graph, name: str, dtype: np.dtype[Any] | type) -> list[str]:
    """Convert a tensor to another type of numbers."""
    from onnx import helper

    return graph.add("Cast", [name], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def int64(graph: Graph, name: str) -> str:
    """Return a tensor as one of int64, which ONNX wants for shapes and positions."""
    value = graph.value(name)
    if value is not None:
        return graph.constant(value.astype(np.int64))
    return cast(graph, name, np.int64)[0]


def refuse(what: str) -> NoReturn:
    """Refuse a network with an operation in a form that is not known here.

    Raises
    ------
    ModelError
    """
    raise ModelError(
        f"the network has {what}, which cannot be exported to ONNX; export it to OpenVINO instead"
    )


def constant(graph: Graph, name: str) -> NDArray[Any]:
    """Return the value of a constant.

    Raises
    ------
    ModelError
        If it is computed.
    """
    value = graph.value(name)
    if value is None:
        refuse("axes, limits or an order that are computed")
    return value


def vector(graph: Graph, name: str) -> NDArray[np.int64]:
    """Return the value of a constant as a vector; one number is a vector of one."""
    return np.atleast_1d(constant(graph, name)).astype(np.int64)


def row(graph: Graph, name: str) -> str:
    """Add a constant of one number as a vector."""
    return graph.constant(constant(graph, name).reshape(1))


def element(graph: Graph, name: str, axis: int) -> str:
    """Return one element of a vector, as a vector of int64."""
    value = graph.value(name)
    if value is not None:
        return graph.constant(value[axis : axis + 1].astype(np.int64))
    position = graph.constant(np.array([axis], np.int64))
    return graph.add("Gather", [int64(graph, name), position], axis=0)[0]
