"""A network in a file of the user's, built into one that takes images and returns embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from extract.backbones.catalog import is_network_file
from extract.backbones.described import first_patch, has_channels_first
from extract.backbones.network_check import name_of, read
from extract.backbones.network_files import read_verified
from extract.backbones.scaling import scaling_of
from toolkit.libraries import import_openvino

if TYPE_CHECKING:
    from extract.backbones.weights import Weights
    from extract.recipe import Recipe


def build_from_file(recipe: Recipe, weights: Weights) -> Any | None:
    """Build a recipe's network as an `openvino.Model`, if it is in a file.

    Parameters
    ----------
    recipe : Recipe
        In float32.
    weights : Weights
        The file that `recipe.weights` identifies.

    Returns
    -------
    openvino.Model or None
        From RGB uint8 ``(1, size, size, 3)`` to float32 embeddings. None if the base is no file.

    Raises
    ------
    WeightsError
        If the file has changed since it was checked, or is gone.
    """
    if not is_network_file(recipe.backbone):
        return None
    ov = import_openvino()
    model = read(ov, *read_verified(weights))
    shape = model.input().get_partial_shape()
    channels_first = shape[1].is_static and shape[1].get_length() == 3
    side = recipe.size
    model.reshape([1, 3, side, side] if channels_first else [1, side, side, 3])
    port = next(p for p in model.outputs if recipe.layer in (None, name_of(p)))
    output = _pooled(ov, port.get_node().input_value(0), recipe.pooling, channels_first)
    model = ov.Model([output], model.get_parameters(), "file")
    return _with_pixels(ov, model, recipe, channels_first)


def _pooled(ov: Any, output: Any, pooling: str, channels_first: bool) -> Any:
    """Return the embedding: pooled, or with the channels last."""
    ops = ov.opset14
    output = ops.convert(output, ov.Type.f32).output(0)
    shape = tuple(output.shape)
    channels_first = has_channels_first(shape, channels_first)
    if len(shape) == 3 and pooling == "cls":
        return ops.gather(output, np.array(0), np.array(1))
    if len(shape) == 3 and pooling == "avg":
        patches = np.arange(first_patch(shape[1]), shape[1])
        return ops.reduce_mean(ops.gather(output, patches, np.array(1)), np.array([1]))
    if len(shape) == 4 and pooling != "none":
        pool = {"avg": ops.reduce_mean, "max": ops.reduce_max}[pooling]
        return pool(output, np.array([2, 3] if channels_first else [1, 2]))
    if len(shape) == 4 and channels_first:
        return ops.transpose(output, np.array([0, 2, 3, 1]))
    return output


def _with_pixels(ov: Any, model: Any, recipe: Recipe, channels_first: bool) -> Any:
    """Return the network with the scaling of pixels in front of it."""
    scaling = scaling_of(recipe.preprocessing)
    steps = ov.preprocess.PrePostProcessor(model)
    images = steps.input()
    images.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    images.model().set_layout(ov.Layout("NCHW" if channels_first else "NHWC"))
    scaled = images.preprocess().convert_element_type(ov.Type.f32)
    if scaling.bgr:
        scaled = scaled.reverse_channels()
    scaled.mean(list(scaling.mean)).scale(list(scaling.deviation))
    return steps.build()
