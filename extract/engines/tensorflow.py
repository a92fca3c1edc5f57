"""Engines run the frozen base: a batch of images in, a batch of embeddings out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from extract import backbone
from extract.errors import RecipeError
from extract.weights import load_base

if TYPE_CHECKING:
    import keras
    import numpy as np

    from extract.recipe import Recipe
    from extract.weights import Weights


class Engine(Protocol):
    """What the pipeline asks of an engine."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch.

        Parameters
        ----------
        images : numpy.ndarray of uint8, shape (n, size, size, 3)
            RGB.

        Returns
        -------
        numpy.ndarray of float32, shape (n, height, width, channels) or (n, channels)
        """


class TensorFlowEngine:
    """The default engine: Keras's own network in one TensorFlow graph, preprocessing included.

    Parameters
    ----------
    recipe : Recipe
        What to compute.
    weights : Weights
        The weights that `recipe.weights` identifies.

    Raises
    ------
    RecipeError
        If the backbone has no layer called `recipe.layer`.
    WeightsError
        If the weights do not fit the backbone.
    """

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        from extract.quietly import import_tensorflow

        tf = import_tensorflow()
        model = build(recipe, weights)

        def forward(images: Any) -> Any:
            pixels = backbone.preprocess(tf.cast(images, tf.float32), recipe.preprocessing)
            embedding = model(pixels, training=False)
            if recipe.flip:
                mirrored = model(pixels[:, :, ::-1, :], training=False)
                embedding = (embedding + mirrored) / 2.0
            return embedding

        shape = (None, recipe.size, recipe.size, 3)
        self._forward = tf.function(forward, input_signature=[tf.TensorSpec(shape, tf.uint8)])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch; see `Engine`."""
        embeddings: np.ndarray = self._forward(images).numpy()
        return embeddings


def build(recipe: Recipe, weights: Weights) -> keras.Model:
    """Build the recipe's network: the frozen base, cut at its layer and pooled.

    Parameters
    ----------
    recipe : Recipe
        Says which base, which layer, which pooling.
    weights : Weights
        Loaded into the whole base before it is cut.

    Returns
    -------
    keras.Model
        From preprocessed images `(n, size, size, 3)` to embeddings; nothing in it is trainable.

    Raises
    ------
    RecipeError
        If the backbone has no layer called `recipe.layer`.
    WeightsError
        If the weights do not fit the backbone.
    """
    from extract.quietly import import_keras

    keras = import_keras()
    base = load_base(recipe.backbone, recipe.size, weights)
    output = base.output
    if recipe.layer is not None:
        names = [layer.name for layer in base.layers]
        if recipe.layer not in names:
            raise RecipeError(
                f"{recipe.backbone} has no layer {recipe.layer!r}; it has: {', '.join(names)}"
            )
        output = base.get_layer(recipe.layer).output
    if recipe.pooling != "none":
        pooling = {
            "avg": keras.layers.GlobalAveragePooling2D,
            "max": keras.layers.GlobalMaxPooling2D,
        }[recipe.pooling]
        output = pooling()(output)
    model = keras.Model(base.input, output, name=recipe.backbone)
    model.trainable = False
    return model
