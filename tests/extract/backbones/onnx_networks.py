"""Small ONNX networks with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHANNELS = 5
"""Of the output of the only convolution."""


def write(
    path: Path,
    *,
    sides: Sequence[int | str] = (16, 16),
    channels: int = 3,
    channels_last: bool = False,
    outputs: Sequence[str] = ("features",),
    operator: tuple[str, str] | None = None,
    more_inputs: int = 0,
    sees_light: bool = True,
) -> Path:
    """Write a network of one convolution with a stride of 2.

    Parameters
    ----------
    path : Path
    sides : sequence of int or str
        Height and width of the images; a name for what is not fixed.
    channels : int, default=3
    channels_last : bool, default=False
    outputs : sequence of {"features", "pixels", "tokens", "not_finite", "random", "constant"}
        Pooled ``(n, 5)``; ``(n, 5, height, width)``, or with the channels last; or ``(n, 1 +
        height * width, 5)``, of which the first token is the maximum; or of no use.
    operator : (str, str), optional
        Domain and type of an operator behind the convolution that nobody has.
    more_inputs : int, default=0
        Inputs besides the images.
    sees_light : bool, default=True
        If not, the kernels add up to zero, so the output does not depend on how light an image is.
    """
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(CHANNELS, channels, 3, 3)).astype(np.float32)
    if not sees_light:
        kernel -= kernel.mean(axis=(1, 2, 3), keepdims=True)
    nodes, named = [], {"kernel": kernel, "axes": np.array([2, 3]), "one": np.array([1])}
    named["shape"], named["zero"] = np.array([0, CHANNELS, -1]), np.zeros(1, np.float32)

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))

    images = "images"
    if channels_last:
        node("Transpose", ["images"], "first", perm=[0, 3, 1, 2])
        images = "first"
    node("Conv", [images, "kernel"], "convolved", pads=4 * [int(sees_light)], strides=[2, 2])
    if operator:
        domain, kind = operator
        node(kind, ["convolved"], "changed", domain=domain)
    node("Relu", ["changed" if operator else "convolved"], "relu")
    shapes: dict[str, list[int | str]] = {}
    for output in outputs:
        if output == "features":
            node("ReduceMean", ["relu", "axes"], "mean", keepdims=0)
            node("Sum", ["mean", *(f"more{i}" for i in range(more_inputs))], output)
            shapes[output] = ["n", CHANNELS]
        elif output in ("random", "constant"):
            node("ReduceMean", ["relu", "axes"], "any", keepdims=0)
            if output == "random":
                node("RandomNormalLike", ["any"], output)
            else:
                node("Mul", ["any", "zero"], output)
            shapes[output] = ["n", CHANNELS]
        elif output == "not_finite":
            node("ReduceMean", ["relu", "axes"], "finite", keepdims=0)
            node("Div", ["finite", "zero"], output)
            shapes[output] = ["n", CHANNELS]
        elif output == "pixels":
            if channels_last:
                node("Transpose", ["relu"], output, perm=[0, 2, 3, 1])
                shapes[output] = ["n", "h", "w", CHANNELS]
            else:
                node("Identity", ["relu"], output)
                shapes[output] = ["n", CHANNELS, "h", "w"]
        else:
            node("Reshape", ["relu", "shape"], "flat")
            node("Transpose", ["flat"], "patches", perm=[0, 2, 1])
            node("ReduceMax", ["patches", "one"], "class", keepdims=1)
            node("Concat", ["class", "patches"], output, axis=1)
            shapes[output] = ["n", "t", CHANNELS]
    of_images = [*sides, channels] if channels_last else [channels, *sides]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", *of_images])]
    inputs += [
        helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, ["n", CHANNELS])
        for i in range(more_inputs)
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        inputs,
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items()],
        [numpy_helper.from_array(array, name) for name, array in named.items()],
    )
    domains = [helper.make_opsetid("", 18)]
    domains += [helper.make_opsetid(operator[0], 1)] if operator else []
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=9), path)
    return path
