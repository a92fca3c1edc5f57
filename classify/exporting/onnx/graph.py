"""An ONNX graph that is being built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OPSET = 20
IR_VERSION = 9
"""Of the file; both are from 2023, so that older runtimes can read it."""


@dataclass
class Graph:
    """An ONNX graph that is being built.

    Tensors are named by the position of the node that computes them.
    """

    nodes: list[Any] = field(default_factory=list)
    _constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(
        self, operator: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any
    ) -> list[str]:
        """Add a node, and return the names of its outputs."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name, **attributes))
        return names

    def constant(self, value: NDArray[Any]) -> str:
        """Add a constant, and return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants[name] = np.array(value, order="C")
        return name

    def give_bias(self, output: str, bias: NDArray[Any]) -> None:
        """Let the convolution with this output add a number to each channel."""
        (node,) = (node for node in self.nodes if output in node.output)
        node.input.append(self.constant(bias))

    def value(self, name: str) -> NDArray[Any] | None:
        """Return the value of a constant; None of what is computed."""
        return self._constants.get(name)

    def used(self, outputs: Sequence[str]) -> tuple[list[Any], list[Any]]:
        """Return the nodes that outputs depend on, and the constants of these."""
        from onnx import numpy_helper

        needed, nodes = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                nodes.append(node)
                needed.update(node.input)
        constants = [
            numpy_helper.from_array(value, name)
            for name, value in self._constants.items()
            if name in needed
        ]
        return nodes[::-1], constants
