"""Read a network file in a process of its own, so that a hostile one ends this process only.

It gets the content of the file on standard input and what was asked for as arguments, and prints
one JSON object: what the network takes and returns, or what is wrong with it.
"""

from __future__ import annotations

import json
import math
import re
import signal
import sys
from typing import Any

from extract.backbones.output_checks import UnusableNetworkError, check_outputs, check_shape
from toolkit.libraries import import_openvino
from toolkit.processes import limit_memory

MEMORY = 4 * 2**30, 12
"""Bytes that reading and running may take, and how many times those of the file in addition."""

_NO_FILE_BESIDE = "external"
_NO_RULE = re.compile("No conversion rule found for operations: (.*)")


def main(argv: list[str]) -> None:
    """Check the network on standard input, and print what was found.

    Parameters
    ----------
    argv : list of str
        Number of bytes of the description, and side of the images and name of the output, each of
        which may be empty. What follows the description are the weights of an OpenVINO file.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    n_described, size, output = int(argv[0]), int(argv[1] or 0), argv[2]
    data = sys.stdin.buffer.read()
    ov = import_openvino()
    base, times = MEMORY
    limit_memory(base + times * len(data))
    try:
        model = read(ov, data[:n_described], data[n_described:])
        found = _describe(ov, model, size or None, output or None)
    except UnusableNetworkError as error:
        found = {"refused": str(error)}
    except (RuntimeError, MemoryError) as error:
        found = {"refused": f"OpenVINO cannot run it: {_short(error)}"}
    sys.stdout.write(json.dumps(found))


def read(ov: Any, description: bytes, weights: bytes) -> Any:
    """Return an `openvino.Model` from the content of a file, or raise `UnusableNetworkError`."""
    try:
        if weights:
            import numpy as np

            return ov.Core().read_model(description, ov.Tensor(np.frombuffer(weights, np.uint8)))
        return ov.Core().read_model(description)
    except RuntimeError as error:
        reason = str(error)
        if unknown := _NO_RULE.search(reason):
            raise UnusableNetworkError(
                f"OpenVINO does not have these of its operators: {unknown[1]}"
            ) from error
        if _NO_FILE_BESIDE in reason.lower():
            raise UnusableNetworkError(
                "its weights are in another file; save it with them in one file, as with "
                "onnx.save(onnx.load(OLD), NEW), or export it with external_data=False"
            ) from error
        raise UnusableNetworkError(f"OpenVINO cannot read it: {_short(error)}") from error


def _describe(ov: Any, model: Any, size: int | None, wanted: str | None) -> dict[str, Any]:
    """Return what the network takes and returns, after a run on images of this size."""
    channels_first, own_size = _input_of(model)
    outputs = {name_of(port): _shape(port) for port in model.outputs}
    described: dict[str, Any] = {
        "channels_first": channels_first,
        "own_size": own_size,
        "outputs": outputs,
    }
    if wanted is not None and wanted not in outputs:
        raise UnusableNetworkError(f"it has no output {wanted!r}, but {', '.join(outputs)}")
    size = size or own_size
    if size is None or (wanted is None and len(outputs) > 1):
        return described
    name = wanted or next(iter(outputs))
    sides = [1, 3, size, size] if channels_first else [1, size, size, 3]
    try:
        model.reshape(sides)
        shape = next(p for p in model.outputs if name_of(p) == name).get_partial_shape()
    except RuntimeError as error:
        raise UnusableNetworkError(
            f"it does not take images of {size} x {size} pixels"
            + (f", but of {own_size} x {own_size}" if own_size else f": {_short(error)}")
        ) from error
    if shape.is_dynamic:
        raise UnusableNetworkError(
            f"the shape of its output {name} is not known before it has run: {shape}"
        )
    return {
        **described,
        "size": size,
        "output": name,
        "shape": _run(ov, model, name, sides),
        "parameters": _count_parameters(model),
    }


def _count_parameters(model: Any) -> int:
    """Return how many numbers with a fraction the network contains."""
    constants = (node.output(0) for node in model.get_ops() if node.get_type_name() == "Constant")
    return sum(
        math.prod(output.shape) for output in constants if output.get_element_type().is_real()
    )


def _input_of(model: Any) -> tuple[bool, int | None]:
    """Return whether channels come first, and the side of the images if it is fixed."""
    if len(model.inputs) != 1:
        names = ", ".join(name_of(port) for port in model.inputs)
        raise UnusableNetworkError(
            f"expected one input, which takes images, found {len(model.inputs)}: {names}"
        )
    shape = model.input().get_partial_shape()
    text = str(shape)
    if shape.rank.is_dynamic or len(shape) != 4:
        raise UnusableNetworkError(
            f"expected an input of four dimensions, images and their pixels, found {text}"
        )
    lengths = [None if dim.is_dynamic else dim.get_length() for dim in shape]
    if (lengths[1] == 3) == (lengths[3] == 3):
        raise UnusableNetworkError(
            f"expected an input with 3 channels, as in (n, 3, height, width) or (n, height, width, "
            f"3), found {text}; export it with a fixed number of channels"
        )
    channels_first = lengths[1] == 3
    height, width = lengths[2:] if channels_first else lengths[1:3]
    if None not in (height, width) and height != width:
        raise UnusableNetworkError(f"expected square images, found {text}")
    return channels_first, height if height is not None else width


def _run(ov: Any, model: Any, name: str, sides: list[int]) -> tuple[int, ...]:
    """Return the shape of the output for one image, from running the network."""
    import numpy as np

    port = next(port for port in model.outputs if name_of(port) == name)
    shape, output = tuple(int(length) for length in port.shape), f"its output {name}"
    check_shape(shape, output)
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kind = model.input().get_element_type().to_dtype()
    result = compiled.output(model.outputs.index(port))

    def embed(image: np.ndarray) -> np.ndarray:
        return np.array(compiled([image.astype(kind)])[result], dtype=np.float64)

    check_outputs(embed, tuple(sides), output)
    return shape


def name_of(port: Any) -> str:
    """Return the name of an input or output."""
    return str(min(port.get_names(), default=port.get_node().get_friendly_name()))


def _shape(port: Any) -> str:
    return str(port.get_partial_shape())


def _short(error: BaseException) -> str:
    """Return what is wrong according to OpenVINO, without where in its code it was found."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return (told or lines or [type(error).__name__])[-1][:300]
