"""The network of a frozen base up to where it pools the places of an image."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.engines import choose_for
from extract.engines.openvino import OpenVINOEngine, pack
from toolkit.libraries import import_openvino

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from extract.engines import Engine
    from extract.frozen import FrozenBase

    Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

_AROUND_POOLING = ("Reshape", "Squeeze", "Convert")
"""Operations that may follow the pooling in a converted network."""
_POOLING = ("ReduceMean", "ReduceMax")


def unpooled_network(base: FrozenBase, make_engine: Callable[[], Engine]) -> Network | None:
    """Return the network of a base without pooling and without flips.

    Parameters
    ----------
    base : FrozenBase
    make_engine : callable
        Returns the engine of the base.

    Returns
    -------
    callable or None
        From RGB uint8 ``(n, size, size, 3)`` to outputs ``(n, height, width, channels)`` or
        ``(n, tokens, channels)``. None if there are no places, or the pooling of a quantised
        network cannot be taken away.
    """
    network = _unpooled(base, make_engine)
    if network is None:
        return None
    size = base.recipe.size
    return network if network(np.zeros((1, size, size, 3), np.uint8)).ndim > 2 else None


def extent(backbone: str, size: int, side: int) -> tuple[float, float]:
    """Return where the places of a network begin and end, as shares of the side of its images.

    A network halves its images several times. If their size is not a multiple of that, VGG drops
    the remainder at the right and at the bottom; for other networks, the places are taken to be
    centred.

    Parameters
    ----------
    backbone : str
    size : int
        Side of the images in pixels.
    side : int
        Number of places in a row.

    Examples
    --------
    >>> extent("vgg16", 150, 4), extent("vgg16", 224, 7)
    ((0.0, 0.8533333333333334), (0.0, 1.0))
    """
    if size % side == 0:
        return 0.0, 1.0
    stride = 2 ** round(math.log2(size / side))
    span = side * stride / size
    start = 0.0 if backbone.startswith("vgg") else (1 - span) / 2
    return start, start + span


def _unpooled(base: FrozenBase, make_engine: Callable[[], Engine]) -> Network | None:
    recipe = base.recipe
    unpooled = dataclasses.replace(recipe, pooling="none", flip=False, mirrored=False)
    if unpooled == recipe:
        return make_engine()
    if recipe.pooling != "none" and choose_for(recipe, base.engine) == "openvino":
        # The same network, also if it is quantised, and without converting another.
        model = _without_pooling(base.network())
        if model is not None:
            return OpenVINOEngine(pack(model), recipe.precision)
        if recipe.precision == "int8":  # quantising another would give other numbers
            return None
    return dataclasses.replace(base, recipe=unpooled).make_engine()


def _without_pooling(model: Any) -> Any:
    """Return an `openvino.Model` that ends before it pools places; None if it does not."""
    ov = import_openvino()
    node = model.get_results()[0].input_value(0).get_node()
    while node.get_type_name() in _AROUND_POOLING:
        node = node.input_value(0).get_node()
    if node.get_type_name() not in _POOLING:
        return None
    output, axes = node.input_value(0), node.input_value(1).get_node().get_data()
    if output.get_partial_shape().rank.get_length() == 4 and 3 in np.asarray(axes) % 4:
        output = ov.opset14.transpose(output, np.array([0, 2, 3, 1])).output(0)
    return ov.Model([output], model.get_parameters(), "unpooled")
