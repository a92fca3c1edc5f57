"""Where a base can be cut: what lies below is computed once, what lies above can be trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from extract.backbones.catalog import construct
from extract.errors import RecipeError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cut:
    """Where a base is cut.

    Parameters
    ----------
    layer : str
        The layer whose output is all that the layers above need.
    first : str
        The first layer that is trained.
    shape : tuple of int
        Of that output, without the batch.
    """

    layer: str
    first: str
    shape: tuple[int, ...]


@cache
def find_cut(backbone: str, size: int, unfreeze: str) -> Cut:
    """Find the highest place to cut a base below the layers that are to be trained.

    Parameters
    ----------
    backbone : str
        See `extract.backbones.catalog.find`.
    size : int
        Side of the images in pixels.
    unfreeze : str
        Name of the first layer to be trained, or how many of the last layers with weights.

    Raises
    ------
    RecipeError
        If there is no such layer, or nothing would stay frozen.

    Examples
    --------
    >>> find_cut("vgg16", 150, "block5_conv1")
    Cut(layer='block4_pool', first='block5_conv1', shape=(9, 9, 512))
    """
    from extract.libraries import import_keras

    keras = import_keras()
    model = construct(backbone, size)
    names = [layer.name for layer in model.layers]
    first = _first(model, unfreeze, backbone)
    for layer in reversed(model.layers[1 : names.index(first)]):
        try:
            keras.Model(layer.output, model.output)
        except ValueError:  # something passes it by
            continue
        return Cut(layer.name, first, tuple(layer.output.shape[1:]))
    raise RecipeError(
        f"nothing of {backbone} would stay frozen below {first}; unfreeze fewer of its layers"
    )


def upper_part(base: keras.Model, cut: Cut) -> keras.Model:
    """Return what lies above a cut, its layers trainable from the first one on.

    Normalisations keep what they have learnt of many images: they are not trained.
    """
    from extract.libraries import import_keras

    keras = import_keras()
    upper = keras.Model(base.get_layer(cut.layer).output, base.output, name="unfrozen")
    upper.trainable = True
    trained = False
    for layer in upper.layers:
        trained = trained or layer.name == cut.first
        layer.trainable = trained and not isinstance(layer, keras.layers.BatchNormalization)
    return upper


def _first(model: keras.Model, unfreeze: str, backbone: str) -> str:
    """Return the name of the first layer to be trained."""
    with_weights = [layer.name for layer in model.layers if layer.weights]
    if unfreeze.isdecimal() and 0 < int(unfreeze) <= len(with_weights):
        return str(with_weights[-int(unfreeze)])
    if unfreeze in with_weights:
        return unfreeze
    raise RecipeError(
        f"{backbone} has no layer {unfreeze!r} to unfreeze; give the first one that is to be "
        f"trained, or how many of the last: {', '.join(with_weights[-12:])}"
    )
