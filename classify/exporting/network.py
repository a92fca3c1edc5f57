"""A saved model as one network: resizing, frozen base, classifier and what follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.wrapped import WrappedClassifier
from classify.exporting import heads
from classify.exporting.squares import square
from extract.backbones import catalog
from extract.engines.tensorflow import build
from toolkit.libraries import import_keras, import_openvino, import_tensorflow

if TYPE_CHECKING:
    from classify.exporting.saved import SavedModel
    from extract.frozen import FrozenBase

IMAGES, EMBEDDINGS = "images", "embeddings"
FEATURES, RAW = "features", "raw_probabilities"
"""What a classifier of scikit-learn takes and returns within the network."""
PROBABILITIES, FAMILIARITY, ANSWERS = "probabilities", "familiarity", "answers"


def build_head(model: SavedModel, embedding_shape: tuple[int, ...]) -> Any:
    """Return what follows the frozen base.

    Parameters
    ----------
    model : SavedModel
    embedding_shape : tuple of int
        What the base returns for an image.

    Returns
    -------
    keras.Model
        From ``embeddings``, or ``images`` that are resized, or both, to
        ``probabilities`` and, where there are any, ``familiarity`` and ``answers``; of a classifier
        of scikit-learn, only to what it takes.
    """
    keras = import_keras()
    size, estimator = model.base.recipe.size, model.estimator
    familiarity = model.find_familiarity()
    inputs: dict[str, Any] = {}
    if estimator.consumes == "images":
        inputs[IMAGES] = keras.Input((size, size, 3), dtype="uint8", name=IMAGES)
    if not inputs or familiarity is not None:
        inputs[EMBEDDINGS] = keras.Input(embedding_shape, name=EMBEDDINGS)
    if estimator.consumes == "images":
        samples = inputs[IMAGES]
    elif estimator.consumes == "activations":
        samples = inputs[EMBEDDINGS]
    else:
        samples = keras.layers.Flatten()(inputs[EMBEDDINGS])
    if isinstance(estimator, WrappedClassifier):
        outputs = {FEATURES: samples * float(estimator.scale_)}
    else:
        outputs = _decided(model, heads.probabilities(estimator, samples))
    if familiarity is not None:
        pooled = inputs[EMBEDDINGS]
        if len(embedding_shape) > 1:
            pooled = keras.layers.GlobalAveragePooling2D()(pooled)
        outputs[FAMILIARITY] = heads.familiarity_of(familiarity, pooled)
    return keras.Model(inputs, outputs)


def build_rule(model: SavedModel) -> Any:
    """Return what follows a classifier of scikit-learn, as a `keras.Model`."""
    keras = import_keras()
    raw = keras.Input((len(model.classes_),), name=RAW)
    # One tensor cannot have both names, even if nothing follows the classifier.
    return keras.Model({RAW: raw}, _decided(model, keras.ops.maximum(raw, 0.0)))


def _decided(model: SavedModel, raw: Any) -> dict[str, Any]:
    """Return probabilities, and the answers if they are not the highest ones."""
    if model.result.sigmoids:
        raw = heads.with_sigmoids(model.result.sigmoids, raw)
    probabilities = heads.decided(model.rule, raw)
    if model.rule.decision != "equal-classes":
        return {PROBABILITIES: probabilities}
    lifts = probabilities / model.rule.priors.astype(np.float32)
    ops = import_keras().ops
    _, highest = ops.top_k(lifts, 1)  # Keras's argmax has an operator that OpenVINO lacks
    return {PROBABILITIES: probabilities, ANSWERS: ops.squeeze(highest, 1)}


# --- OpenVINO ------------------------------------------------------------------------------------


def openvino_network(model: SavedModel, base: FrozenBase) -> Any:
    """Return the whole as an `openvino.Model`.

    Parameters
    ----------
    model : SavedModel
    base : FrozenBase
        Its base, in the precision that is wanted.
    """
    ov = import_openvino()
    keras, recipe = import_keras(), base.recipe
    inputs = keras.Input((None, None, 3), dtype="uint8", name=IMAGES)
    front = to_openvino(keras.Model({IMAGES: inputs}, {"pixels": square(inputs, recipe.pixels)}))
    (images,), pixels = front.get_parameters(), front.get_results()[0].input_value(0)
    pixels = ov.opset14.convert(pixels, ov.Type.u8).output(0)
    frozen = base.network()
    frozen.reshape([-1, recipe.size, recipe.size, 3])
    shape = tuple(frozen.output(0).get_partial_shape()[1:].to_shape())
    head = build_head(model, shape)
    available = {IMAGES: pixels}
    if EMBEDDINGS in head.input:
        available[EMBEDDINGS] = _embedded(frozen, pixels, flip=recipe.flip)
    converted = to_openvino(head)
    for parameter in converted.get_parameters():
        (name,) = parameter.output(0).get_names()
        _feed(parameter, available[name])
    return ov.Model(converted.get_results(), [images], "frozen_features")


def to_openvino(part: Any) -> Any:
    """Return a `keras.Model` as an `openvino.Model` whose inputs and outputs have its names."""
    ov, tf = import_openvino(), import_tensorflow()
    order, names = list(part.input), list(part.output)
    signature = [
        tf.TensorSpec(part.input[name].shape, part.input[name].dtype, name=name) for name in order
    ]

    def forward(*tensors: Any) -> Any:
        outputs = part(dict(zip(order, tensors, strict=True)), training=False)
        return [outputs[name] for name in names]

    function = tf.function(forward, input_signature=signature)
    # Otherwise the network has the memory of `part`, which ends before it.
    model = ov.convert_model(function, share_weights=False)
    for parameter in model.get_parameters():
        given = {name.partition(":")[0] for name in parameter.output(0).get_names()}
        parameter.output(0).get_tensor().set_names(given.intersection(order))
    results = []
    # Of activations with a gradient of their own, the outputs come after these.
    for name, result in zip(names, model.get_results()[: len(names)], strict=True):
        output = result.input_value(0)
        output.get_tensor().set_names({name})
        results.append(ov.opset14.result(output))
    return ov.Model(results, model.get_parameters(), "part")


def _embedded(frozen: Any, pixels: Any, *, flip: bool) -> Any:
    """Return the embeddings of resized images, or their means with those of the flipped images."""
    ops = import_openvino().opset14
    (parameter,) = frozen.get_parameters()
    embeddings = frozen.get_results()[0].input_value(0)
    if not flip:
        _feed(parameter, pixels)
        return embeddings
    columns = np.arange(pixels.get_partial_shape()[2].get_length())[::-1].copy()
    flipped = ops.gather(pixels, columns, np.array(2))
    _feed(parameter, ops.concat([pixels, flipped], 0).output(0))
    halves = ops.split(embeddings, np.array(0), 2)
    total = ops.add(halves.output(0), halves.output(1))
    return ops.multiply(total, np.float32(0.5)).output(0)


def _feed(parameter: Any, output: Any) -> None:
    for target in parameter.output(0).get_target_inputs():
        target.replace_source_output(output)


# --- Keras ---------------------------------------------------------------------------------------


def keras_network(model: SavedModel, base: FrozenBase) -> Any:
    """Return the whole as a `keras.Model` of Keras's own layers and operations."""
    keras, recipe = import_keras(), base.recipe
    images = keras.Input((None, None, 3), dtype="uint8", name=IMAGES)
    pixels = square(images, recipe.pixels)
    frozen = build(recipe, base.weights)
    head = build_head(model, tuple(frozen.output_shape[1:]))
    inputs = {IMAGES: keras.ops.cast(pixels, "uint8")} if IMAGES in head.input else {}
    if EMBEDDINGS in head.input:
        embeddings = frozen(catalog.preprocess(pixels, recipe.preprocessing))
        if recipe.flip:
            flipped = catalog.preprocess(keras.ops.flip(pixels, axis=2), recipe.preprocessing)
            embeddings = (embeddings + frozen(flipped)) / 2
        inputs[EMBEDDINGS] = embeddings
    return keras.Model(images, head(inputs))
