"""The outputs of a frozen base at each place of an image, before they are pooled."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ClassifierError
from extract.engines.openvino import OpenVINOEngine, pack
from toolkit.libraries import import_openvino

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from extract.frozen import FrozenBase

    Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

_AROUND_POOLING = ("Reshape", "Squeeze", "Convert")
"""Operations that may follow the pooling in a converted network."""


def unpooled_network(base: FrozenBase) -> Network:
    """Return the network of a base without pooling and without flips.

    Parameters
    ----------
    base : FrozenBase

    Returns
    -------
    callable
        From RGB uint8 ``(n, size, size, 3)`` to outputs ``(n, height, width, channels)`` or
        ``(n, tokens, channels)``.

    Raises
    ------
    ClassifierError
        If the pooling of a quantised network cannot be taken away.
    """
    recipe = dataclasses.replace(base.recipe, flip=False, mirrored=False)
    if recipe.precision == "int8" and recipe.pooling != "none":
        # The quantised network is the pooled one; quantising another would give other numbers.
        return OpenVINOEngine(pack(_without_pooling(base.network())), recipe.precision)
    unpooled = dataclasses.replace(recipe, pooling="none")
    return dataclasses.replace(base, recipe=unpooled).make_engine()


def _without_pooling(model: Any) -> Any:
    """Return an `openvino.Model` that ends before its last mean over places."""
    ov = import_openvino()
    node = model.get_results()[0].input_value(0).get_node()
    while node.get_type_name() in _AROUND_POOLING:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "ReduceMean":
        raise ClassifierError(
            f"cannot tell where in this quantised network places are pooled: it ends with "
            f"{node.get_type_name()}"
        )
    output, axes = node.input_value(0), node.input_value(1).get_node().get_data()
    if output.get_partial_shape().rank.get_length() == 4 and 3 in np.asarray(axes) % 4:
        output = ov.opset14.transpose(output, np.array([0, 2, 3, 1])).output(0)
    return ov.Model([output], model.get_parameters(), "unpooled")
