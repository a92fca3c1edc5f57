"""The default engine: Keras's network and the preprocessing in one TensorFlow graph.

If the environment variable ``KERAS_BACKEND`` names another backend, the network runs on that one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from extract.backbones import catalog
from extract.backbones.catalog import is_hub
from extract.backbones.described import checked_pooling, first_patch
from extract.backbones.hub.towers import load_verified
from extract.backbones.weights import load_base
from extract.engines import FORWARD_PASSES
from extract.engines.full_precision import full_float32
from extract.errors import EngineError, RecipeError
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras
    import numpy as np

    from extract.backbones.weights import Weights
    from extract.recipe import Recipe


class TensorFlowEngine:
    """Run a recipe's network with TensorFlow, on a GPU if it sees one.

    On a processor, the embedding of an image is the same to the last bit whatever the batch. On a
    GPU it may differ in the last bits.

    Parameters
    ----------
    recipe : Recipe
        What to compute. Flipping is up to the caller.
    weights : Weights
        The weights that `recipe.weights` identifies.

    Raises
    ------
    EngineError
        If the precision needs a GPU and TensorFlow sees none.
    RecipeError
        If the backbone has no layer called `recipe.layer`.
    WeightsError
        If the weights do not fit the backbone.
    """

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        from toolkit.libraries import import_tensorflow

        tf = import_tensorflow()
        if recipe.precision != "float32" and not tf.config.list_physical_devices("GPU"):
            raise EngineError(
                f"TensorFlow computes in {recipe.precision} on a GPU, and finds none (on a "
                "processor it is slower than float32); choose float32, or with the extra fast "
                "(pip install '.[fast]') int8 or bfloat16",
                setting="precision",
            )
        self._forward = graph(recipe, weights)
        if not tf.config.list_physical_devices("GPU"):
            self._forward = _in_groups(self._forward, 4 if _has_onednn() else 1)

    @phase(FORWARD_PASSES)
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch; see `extract.engines.Engine`."""
        with full_float32("tensorflow"):
            embeddings: np.ndarray = self._forward(images).numpy()
        return embeddings


class KerasEngine:
    """Run a recipe's network with another backend of Keras: PyTorch or JAX.

    Parameters
    ----------
    recipe, weights
        As for `TensorFlowEngine`.
    """

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        from toolkit.libraries import import_keras

        self._model = build(recipe, weights)
        self._preprocessing = recipe.preprocessing
        self._backend = import_keras().backend.backend()

    @phase(FORWARD_PASSES)
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch; see `extract.engines.Engine`."""
        pixels = catalog.preprocess(images.astype("float32"), self._preprocessing)
        with full_float32(self._backend):
            embeddings: np.ndarray = self._model.predict_on_batch(pixels)
        return embeddings.astype("float32")


def graph(recipe: Recipe, weights: Weights) -> Any:
    """Return the recipe's network as one `tf.function`.

    Parameters
    ----------
    recipe, weights
        As for `TensorFlowEngine`.

    Returns
    -------
    tf.function
        From RGB uint8 ``(n, size, size, 3)`` to float32 embeddings.

    Raises
    ------
    EngineError
        If Keras uses another backend.
    """
    from toolkit.libraries import import_keras, import_tensorflow

    tf, backend = import_tensorflow(), import_keras().backend.backend()
    if backend != "tensorflow":
        raise EngineError(
            f"converting a network needs TensorFlow, but Keras uses the backend {backend}; unset "
            "KERAS_BACKEND for this run, or choose the engine tensorflow, which can run on it",
            setting="engine",
        )
    model = build(recipe, weights)

    def forward(images: Any) -> Any:
        pixels = catalog.preprocess(tf.cast(images, tf.float32), recipe.preprocessing)
        return tf.cast(model(pixels, training=False), tf.float32)

    shape = (None, recipe.size, recipe.size, 3)
    return tf.function(forward, input_signature=[tf.TensorSpec(shape, tf.uint8, name="images")])


def _in_groups(forward: Any, size: int) -> Any:
    """Return a graph that gives an image the same numbers in every batch, to the last bit.

    How a kernel splits its sums, and so how it rounds them, depends on the size of the batch.
    Therefore images go through in groups of a fixed size, the last one padded with black images.
    """
    from toolkit.libraries import import_tensorflow

    tf = import_tensorflow()
    signature = forward.input_signature

    def grouped(images: Any) -> Any:
        n = tf.shape(images)[0]
        filled = tf.pad(images, [(0, -n % size), (0, 0), (0, 0), (0, 0)])
        groups = tf.reshape(filled, (-1, size, *signature[0].shape[1:]))
        embeddings = tf.map_fn(forward, groups, fn_output_signature=tf.float32)
        return tf.reshape(embeddings, (-1, *embeddings.shape[2:]))[:n]

    return tf.function(grouped, input_signature=signature)


def _has_onednn() -> bool:
    """Return whether TensorFlow computes with oneDNN.

    The results of oneDNN's kernels do not depend on the position of an image in its group, and a
    single image is slow. Those of Eigen's kernels do, and a single image is as fast.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port as port

        return bool(port.IsMklEnabled())
    except (ImportError, AttributeError):  # a private API; groups of one are always right
        return False


def build(recipe: Recipe, weights: Weights) -> keras.Model:
    """Build the recipe's network: the frozen base up to its layer, pooled.

    Parameters
    ----------
    recipe : Recipe
        Determines the base, the layer and the pooling. With float16 or bfloat16 the layers compute
        in that precision, and the variables stay float32.
    weights : Weights
        Loaded into the whole base first.

    Returns
    -------
    keras.Model
        From preprocessed images ``(n, size, size, 3)`` to embeddings; not trainable.

    Raises
    ------
    RecipeError
        If the backbone has no layer called `recipe.layer`.
    WeightsError
        If the weights do not fit the backbone.
    """
    from toolkit.libraries import import_keras

    keras = import_keras()
    with _computing_in(recipe.precision):
        if is_hub(recipe.backbone):
            base = load_verified(weights, recipe.size)
        else:
            base = load_base(recipe.backbone, recipe.size, weights)
        output = _pooled(_layer_of(base, recipe), recipe)
    model = keras.Model(base.input, output, name=recipe.family)
    model.trainable = False
    return model


def _layer_of(base: keras.Model, recipe: Recipe) -> Any:
    """Return the output of the recipe's layer."""
    if recipe.layer is None:
        return base.output
    names = [layer.name for layer in base.layers]
    if recipe.layer not in names:
        raise RecipeError(
            f"{recipe.backbone} has no layer {recipe.layer!r}; it has: {', '.join(names)}",
            setting="layer",
        )
    return base.get_layer(recipe.layer).output


def _pooled(output: Any, recipe: Recipe) -> Any:
    """Return the embedding: an output, pooled over height and width or over tokens."""
    from toolkit.libraries import import_keras

    keras, pooling = import_keras(), recipe.pooling
    if pooling == "none":
        return output
    of, shape = recipe.layer or recipe.backbone, tuple(output.shape[1:])
    problem = f"the output of {of} has the shape {shape} for one image"
    checked_pooling(pooling, len(output.shape), problem)
    if pooling == "cls":
        return keras.ops.take(output, 0, axis=1)
    if len(output.shape) == 3:
        return keras.ops.mean(output[:, first_patch(output.shape[1]) :], axis=1)
    layers = {
        "avg": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }
    return layers[pooling]()(output)


@contextlib.contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Let layers created in this context compute in float16 or bfloat16, if that is asked for."""
    from toolkit.libraries import import_keras

    config = import_keras().config
    policy = config.dtype_policy()
    if precision in ("float16", "bfloat16"):
        config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        config.set_dtype_policy(policy)
