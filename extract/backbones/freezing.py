"""Where the frozen part of a base ends, if its last layers are to be fine-tuned.

What lies below is computed once and cached; what lies above is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from extract.backbones.catalog import construct
from extract.errors import RecipeError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class FreezePoint:
    """The end of the frozen part of a base.

    Parameters
    ----------
    layer : str
        The layer whose output is the only input of the layers above.
    first_trainable : str
        The first layer that is trained.
    shape : tuple of int
        Shape of the output of `layer`, without the batch.
    """

    layer: str
    first_trainable: str
    shape: tuple[int, ...]


@cache
def find_freeze_point(backbone: str, size: int, unfreeze: str) -> FreezePoint:
    """Find the highest layer below the trained ones at which the base can be divided.

    Parameters
    ----------
    backbone : str
        See `extract.backbones.catalog.find_backbone`.
    size : int
        Side of the images in pixels.
    unfreeze : str
        Name of the first layer to train, or the number of last layers with weights to train.

    Returns
    -------
    FreezePoint

    Raises
    ------
    RecipeError
        If there is no such layer, or nothing would stay frozen.

    Examples
    --------
    >>> find_freeze_point("vgg16", 150, "block5_conv1")
    FreezePoint(layer='block4_pool', first_trainable='block5_conv1', shape=(9, 9, 512))
    """
    from toolkit.libraries import import_keras

    keras = import_keras()
    model = construct(backbone, size)
    names = [layer.name for layer in model.layers]
    first = _first_trainable(model, unfreeze, backbone)
    for layer in reversed(model.layers[1 : names.index(first)]):
        try:
            keras.Model(layer.output, model.output)
        except ValueError:  # a shortcut connection bypasses this layer
            continue
        return FreezePoint(layer.name, first, tuple(layer.output.shape[1:]))
    raise RecipeError(
        f"nothing of {backbone} would stay frozen below {first}; unfreeze fewer layers",
        setting="unfreeze",
    )


def unfrozen_part(base: keras.Model, point: FreezePoint) -> keras.Model:
    """Return the layers above a freeze point as a model, trainable from the first one on.

    Batch normalisation layers stay frozen: their statistics come from many more images.
    """
    from toolkit.libraries import import_keras

    keras = import_keras()
    upper = keras.Model(base.get_layer(point.layer).output, base.output, name="unfrozen")
    upper.trainable = True
    trainable = False
    for layer in upper.layers:
        trainable = trainable or layer.name == point.first_trainable
        layer.trainable = trainable and not isinstance(layer, keras.layers.BatchNormalization)
    return upper


def _first_trainable(model: keras.Model, unfreeze: str, backbone: str) -> str:
    with_weights = [layer.name for layer in model.layers if layer.weights]
    if unfreeze.isdecimal() and 0 < int(unfreeze) <= len(with_weights):
        return str(with_weights[-int(unfreeze)])
    if unfreeze in with_weights:
        return unfreeze
    raise RecipeError(
        f"{backbone} has no layer {unfreeze!r} to unfreeze; expected the name of the first layer "
        f"to train, or a number of last layers; the last ones are {', '.join(with_weights[-12:])}",
        setting="unfreeze",
    )
