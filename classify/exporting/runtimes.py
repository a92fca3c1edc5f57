"""Running an exported file with its own runtime, as whoever takes it away does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.exporting.network import ANSWERS, IMAGES, PROBABILITIES
from toolkit.libraries import import_keras, openvino_core

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Runtime = Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]


def open_onnx(path: Path) -> Runtime:
    """Run a file with ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(None, {IMAGES: images}), strict=True))


def open_openvino(path: Path) -> Runtime:
    """Run a file with OpenVINO, in float32 even if the processor has bfloat16."""
    compiled = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.get_any_name() for output in compiled.outputs]

    def run(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        outputs = compiled({IMAGES: images})
        return {name: outputs[name] for name in names}

    return run


def open_keras(path: Path) -> Runtime:
    """Run a file with Keras."""
    keras = import_keras()
    model = keras.saving.load_model(path, compile=False)
    return lambda images: {
        name: keras.ops.convert_to_numpy(value) for name, value in model(images).items()
    }


def open_litert(path: Path) -> Runtime:
    """Run a file with LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda images: dict(run(images=images))


def answers_of(outputs: dict[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Return the position of the class that is answered for each image."""
    if ANSWERS in outputs:
        return outputs[ANSWERS].astype(np.intp)
    found: NDArray[np.intp] = outputs[PROBABILITIES].argmax(axis=1)
    return found
