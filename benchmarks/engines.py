"""Speed and error of the engines for every family of networks.

TensorFlow, OpenVINO and ONNX Runtime run the same network alternately in one process, in float32,
in bfloat16 where the processor has it, and in int8 (post-training quantisation by NNCF and by ONNX
Runtime, on the same images). ONNX Runtime is measured if it is installed (``pip install onnxruntime
onnx tf2onnx``); the toolkit does not need it. VGG16 has the weights that `VGG16_WEIGHTS_FILE`
names. The other networks have random weights, so their errors mean less. A combination that fails
is reported and left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import inputs
from extract.backbones.catalog import construct, find_backbone
from extract.backbones.weights import Weights, identity, resolve
from extract.engines.int8 import quantise
from extract.engines.model_store import ModelStore
from extract.engines.openvino import OpenVINOEngine
from extract.engines.tensorflow import graph
from extract.images.loading import load_images
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset
from extract.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

FAMILIES = ("vgg16", "resnet50", "mobilenet", "efficientnetb0", "convnexttiny", "xception")
BATCH = 32


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        dataset = find_dataset(Options(data, BaseSettings(cache=folder / "cache")))
        paths = [item.path for item in dataset.items][:: len(dataset) // (4 * BATCH)]
        print("| network | engine | images/s, median (range) | relative error | made in |")
        print("|---|---|---|---|---|")
        for family in args.families:
            size = max(150, find_backbone(family).min_size)
            measure(family, load_images(paths, size), folder, args.rounds)


def measure(family: str, images: NDArray[np.uint8], folder: Path, rounds: int) -> None:
    """Print the table's lines for one network."""
    weights = weights_of(family, folder)
    preprocessing = weights.preprocessing or find_backbone(family).preprocessing
    recipe = Recipe(weights.identity, preprocessing, family, size=images.shape[1])
    calibration, images = images[: 2 * BATCH], images[2 * BATCH :]
    runs: dict[str, Run] = {}
    made: dict[str, float] = {}
    for name, make in makers(recipe, weights, calibration, folder).items():
        started = time.perf_counter()
        try:
            runs[name] = make()
            runs[name](images[:BATCH])
        except Exception as error:  # noqa: BLE001 - one engine that fails must not stop the others
            print(f"{family}, {name}: {str(error)[:200]!r}", file=sys.stderr)
            runs.pop(name, None)
        made[name] = time.perf_counter() - started
    expected = runs["TensorFlow float32"](images[:BATCH])
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            for first in range(0, len(images), BATCH):
                run(images[first : first + BATCH])
            rates[name].append(len(images) / (time.perf_counter() - started))
    for name, run in runs.items():
        off = np.linalg.norm(run(images[:BATCH]) - expected) / np.linalg.norm(expected)
        rate = f"{statistics.median(rates[name]):.1f} ({min(rates[name]):.1f} to "
        print(f"| {family} | {name} | {rate}{max(rates[name]):.1f}) | {off:.1e} | ", end="")
        print(f"{made[name]:.0f} s |", flush=True)


def weights_of(family: str, folder: Path) -> Weights:
    """Return real weights for VGG16; for others random ones that keep activations in range."""
    if family == "vgg16":
        return resolve(inputs.weights(), family, cache=folder)
    rng = np.random.default_rng(0)
    arrays = construct(family, 160).get_weights()
    for i, array in enumerate(arrays):
        if array.ndim == 4:
            n_inputs = array[..., 0].size if array.shape[3] > 1 else array[:, :, 0, 0].size
            arrays[i] = rng.normal(0, (2 / n_inputs) ** 0.5, array.shape).astype(np.float32)
    path = folder / f"{family}.npz"
    np.savez(path, *arrays)
    return Weights(str(path), identity(arrays), None, path)


def makers(
    recipe: Recipe, weights: Weights, images: NDArray[np.uint8], folder: Path
) -> dict[str, Callable[[], Run]]:
    """Return a function for each engine that makes it; int8 is calibrated on `images`."""
    models = ModelStore(folder / "models")
    int8 = dataclasses.replace(recipe, precision="int8")
    bfloat16 = dataclasses.replace(recipe, precision="bfloat16")

    def tensorflow() -> Run:
        forward = graph(recipe, weights)
        return lambda batch: forward(batch).numpy()

    def onnx_file() -> Path:
        return converted_to_onnx(recipe, weights, folder)

    return {
        "TensorFlow float32": tensorflow,
        "OpenVINO float32": lambda: OpenVINOEngine.from_recipe(recipe, weights, models),
        "OpenVINO bfloat16": lambda: OpenVINOEngine.from_recipe(bfloat16, weights, models),
        "OpenVINO int8": lambda: OpenVINOEngine(quantise(int8, weights, models, images)),
        "ONNX Runtime float32": lambda: onnx_session(onnx_file()),
        "ONNX Runtime int8": lambda: onnx_session(onnx_quantised(onnx_file(), images)),
    }


def converted_to_onnx(recipe: Recipe, weights: Weights, folder: Path) -> Path:
    """Convert a network with tf2onnx; tensors captured by the graph become initializers."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    forward = graph(recipe, weights)
    model, _ = tf2onnx.convert.from_function(
        forward, input_signature=forward.input_signature, opset=18
    )
    for tensor, placeholder in forward.get_concrete_function().graph.captures:
        if tensor.dtype != tf.resource:
            constant = onnx.numpy_helper.from_array(tensor.numpy(), placeholder.name)
            model.graph.initializer.append(constant)
            for value in [v for v in model.graph.input if v.name == placeholder.name]:
                model.graph.input.remove(value)
    path = folder / f"{recipe.backbone}.onnx"
    onnx.save(model, path)
    return path


def onnx_quantised(path: Path, images: NDArray[np.uint8]) -> Path:
    """Quantise statically: weights per channel in 7 bits, as for OpenVINO; unsigned activations."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(np.split(images, len(images) // 8))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"images": batch}

    ready, quantised = path.with_suffix(".ready.onnx"), path.with_suffix(".int8.onnx")
    quant_pre_process(path, ready, skip_symbolic_shape=True)
    q.quantize_static(
        ready,
        quantised,
        Reader(),
        quant_format=q.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=q.QuantType.QUInt8,
        weight_type=q.QuantType.QInt8,
    )
    return quantised


def onnx_session(path: Path) -> Run:
    """Load a model into ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"images": batch})[0]


if __name__ == "__main__":
    main()
