"""VGG16 and VGG19 built directly for OpenVINO, without TensorFlow.

Converting a network needs Keras to build it and TensorFlow to trace it: seconds of imports and
tracing. VGG, which most users begin with, is only thirteen or sixteen similar convolutions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from extract.backbones import weight_files
from extract.backbones.scaling import scaling_of
from extract.backbones.weights import identity
from toolkit.libraries import import_openvino

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extract.backbones.weights import Weights
    from extract.recipe import Recipe

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Number of convolutions in each block; a pooling layer follows each block."""


def build_vgg(recipe: Recipe, weights: Weights) -> Any | None:
    """Build a recipe's network as an `openvino.Model`, if that is possible without Keras.

    Parameters
    ----------
    recipe : Recipe
        In float32.
    weights : Weights
        The weights that `recipe.weights` identifies.

    Returns
    -------
    openvino.Model or None
        From RGB uint8 ``(1, size, size, 3)`` to float32 embeddings. None if the base is not a VGG,
        or its weights are not plain arrays in a file.
    """
    if recipe.backbone not in BLOCKS or weights.path is None:
        return None
    if weight_files.is_keras3(weights.path):
        return None
    arrays = list(weight_files.read_arrays(weights.path))
    if identity(arrays) != recipe.weights or len(arrays) != 2 * sum(BLOCKS[recipe.backbone]):
        return None  # building the network with Keras reports what is wrong
    images, outputs = _layers(recipe, arrays)
    output = outputs.get(recipe.layer or "block5_pool")
    return None if output is None else _model(recipe, images, output)


def _layers(recipe: Recipe, arrays: Sequence[np.ndarray]) -> tuple[Any, dict[str, Any]]:
    """Return the input node, and the output of every layer by its name in Keras."""
    ov = import_openvino()
    ops = ov.opset14
    images = ops.parameter([1, recipe.size, recipe.size, 3], ov.Type.u8, name="images")
    scaling = scaling_of(recipe.preprocessing)
    x = ops.convert(images, ov.Type.f32)
    if scaling.bgr:
        x = ops.gather(x, np.array([2, 1, 0]), np.array(3))
    x = ops.subtract(x, np.array(scaling.mean, np.float32))
    x = ops.divide(x, np.array(scaling.deviation, np.float32))
    x = ops.transpose(x, np.array([0, 3, 1, 2]))
    outputs: dict[str, Any] = {}
    remaining = iter(arrays)
    for block, n_convolutions in enumerate(BLOCKS[recipe.backbone], 1):
        for i in range(1, n_convolutions + 1):
            kernel = np.ascontiguousarray(next(remaining).astype(np.float32).transpose(3, 2, 0, 1))
            x = ops.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
            x = ops.relu(ops.add(x, _channels(next(remaining))))
            outputs[f"block{block}_conv{i}"] = x
        x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        outputs[f"block{block}_pool"] = x
    return images, outputs


def _channels(values: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float32).reshape(1, -1, 1, 1)


def _model(recipe: Recipe, images: Any, output: Any) -> Any:
    """Return the model, with its output pooled or in Keras's order of axes."""
    ov = import_openvino()
    ops = ov.opset14
    if recipe.pooling == "none":
        output = ops.transpose(output, np.array([0, 2, 3, 1]))
    else:
        pool = {"avg": ops.reduce_mean, "max": ops.reduce_max}[recipe.pooling]
        output = pool(output, np.array([2, 3]), keep_dims=False)
    return ov.Model([output], [images], recipe.backbone)
