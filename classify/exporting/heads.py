"""Trained classifiers as Keras layers: what the frozen base gives in, probabilities out."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ModelError
from classify.estimators.base import LinearClassifier
from classify.estimators.centroid import Centroid
from classify.estimators.nearest import TIE_BREAK, Nearest
from classify.estimators.solvers.gram import squared_norms
from classify.estimators.solvers.one_vs_one import one_vs_one_decision
from classify.estimators.svm import SVM
from classify.networks.dense import DenseHead
from classify.networks.network import Network
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.evaluation.decision import DecisionRule
    from classify.evaluation.unfamiliar.familiarity import Familiarity

# Support vectors whose weights are found at a time.
_BLOCK = 512
_TINY = float(np.finfo(np.float32).eps)


@singledispatch
def probabilities(estimator: Any, inputs: Any) -> Any:  # noqa: ARG001 - of the others
    """Return the probabilities of a trained classifier as a symbolic tensor of Keras.

    Parameters
    ----------
    estimator : Classifier
    inputs : KerasTensor, shape (n, n_features) or (n, height, width, channels)
        Features, or what else the classifier consumes.

    Returns
    -------
    KerasTensor of float32, shape (n, n_classes)

    Raises
    ------
    ModelError
        If the classifier cannot be expressed in Keras's layers.
    """
    raise ModelError(
        f"{type(estimator).__name__} cannot be expressed in the layers of a network", setting="clf"
    )


@probabilities.register
def _linear(estimator: LinearClassifier, inputs: Any) -> Any:
    kernel, bias = estimator.coef_.T, estimator.intercept_
    return _softmax_of(inputs, *_of_every_class(kernel, bias), estimator.temperature_)


@probabilities.register
def _svm(estimator: SVM, inputs: Any) -> Any:
    keras = import_keras()
    if estimator.votes_ and len(estimator.classes_) > 2:
        raise ModelError(
            "this SVM is of an earlier version and counts votes; train again to export it"
        )
    weights, bias = _of_every_class(*_weights_of_vectors(estimator))
    vectors, square = estimator.support_vectors_.astype(np.float64), estimator.scale_**2
    if estimator.kernel_ == "linear":
        return _softmax_of(inputs, square * vectors.T @ weights, bias, estimator.temperature_)
    # -gamma |x - v|^2 = 2 gamma <x, v> - gamma |v|^2 - gamma |x|^2, for x and v that are scaled.
    factor = estimator.gamma_ * square
    norms = squared_norms(estimator.support_vectors_, np.float64)
    products = _dense(inputs, 2 * factor * vectors.T, -factor * norms)
    squares = keras.ops.sum(keras.ops.square(inputs), axis=1, keepdims=True)
    values = keras.ops.exp(products - float(factor) * squares)
    return _softmax_of(values, weights, bias, estimator.temperature_)


@probabilities.register
def _centroid(estimator: Centroid, inputs: Any) -> Any:
    kernel = estimator.temperature_ * estimator.centroids_.T.astype(np.float64)
    return _softmax_of(_unit(inputs), kernel, estimator.log_priors_)


@probabilities.register
def _nearest(estimator: Nearest, inputs: Any) -> Any:
    keras = import_keras()
    n_classes = len(estimator.classes_)
    # Without what all samples share, differences of cosines are not lost in float32.
    samples = estimator.samples_.astype(np.float64)
    cosines = _dense(_unit(inputs), (samples - samples.mean(axis=0)).T)
    _, neighbours = keras.ops.top_k(cosines, estimator.k_)
    codes = keras.layers.Embedding(len(estimator.codes_), 1, name="classes_of_samples")
    found = keras.ops.cast(keras.ops.squeeze(codes(neighbours), -1), "int32")
    codes.set_weights([estimator.codes_[:, None].astype(np.float32)])
    nearer = 1 + TIE_BREAK * (estimator.k_ - np.arange(estimator.k_)) / estimator.k_
    weights = (nearer[:, None] * estimator.votes_).astype(np.float32)
    votes = keras.ops.sum(keras.ops.one_hot(found, n_classes) * weights, axis=1)
    shares = estimator.shares_.astype(np.float32)
    lifts = keras.ops.log((votes + shares) / shares)
    return keras.ops.softmax(float(estimator.temperature_) * lifts + np.log(shares), axis=1)


@probabilities.register
def _dense_head(estimator: DenseHead, inputs: Any) -> Any:
    kernel, bias, out_kernel, out_bias = estimator.weights_
    return _softmax_of(_dense(inputs, kernel, bias, activation="relu"), out_kernel, out_bias)


@probabilities.register
def _network(estimator: Network, inputs: Any) -> Any:
    return estimator.model_(inputs)


def with_sigmoids(sigmoids: list[list[float]], raw: Any) -> Any:
    """Return probabilities as runs of earlier versions calibrated them; see `apply_sigmoids`."""
    ops = import_keras().ops
    slopes, offsets = np.array(sigmoids, np.float32).T
    shares = raw[:, 1:] if len(sigmoids) == 1 else raw
    shares = ops.clip(shares, _TINY, 1.0 - _TINY)
    positive = ops.sigmoid(-(ops.log(shares / (1.0 - shares)) * slopes + offsets))
    if len(sigmoids) == 1:
        return ops.concatenate([1.0 - positive, positive], axis=1)
    return positive / ops.sum(positive, axis=1, keepdims=True)


def decided(rule: DecisionRule, raw: Any) -> Any:
    """Return calibrated probabilities for the priors; see `DecisionRule.probabilities`."""
    keras = import_keras()
    outputs, calibration = raw, rule.calibration
    if calibration is not None:
        logarithms = keras.ops.log(keras.ops.clip(outputs, _TINY, 1.0))
        offsets = np.array(calibration.offsets, np.float32)
        scores = float(calibration.temperature) * logarithms + offsets
        outputs = keras.ops.softmax(scores, axis=1)
    if (rule.priors != rule.training).any():
        adjusted = outputs * (rule.priors / rule.training).astype(np.float32)
        outputs = adjusted / keras.ops.sum(adjusted, axis=1, keepdims=True)
    return outputs


def familiarity_of(familiarity: Familiarity, pooled: Any) -> Any:
    """Return how familiar samples are, ``(n,)``; see `Familiarity.familiarity`."""
    keras = import_keras()
    arrays = familiarity.to_arrays()
    cosines = _dense(_unit(pooled), arrays["rows"].T.astype(np.float32))
    nearest, _ = keras.ops.top_k(cosines, familiarity.n_neighbours_)
    scores = keras.ops.mean(nearest, axis=1, keepdims=True)
    limits = arrays["held_out_scores"]
    excess = _dense(scores, np.ones((1, len(limits))), -limits)
    no_higher = keras.ops.sum(keras.ops.cast(excess >= 0, "float32"), axis=1)
    return (no_higher + 1.0) / float(len(limits) + 1)


def _weights_of_vectors(svm: SVM) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the decision values as a linear function of the kernel with the support vectors."""
    dual = svm.dual_coef_.astype(np.float64)
    if len(svm.classes_) == 2:
        return dual, svm.intercept_
    starts = np.concatenate([[0], np.cumsum(svm.n_support_)])
    n_vectors = len(dual)
    bias = one_vs_one_decision(np.zeros((1, n_vectors)), dual, svm.intercept_, starts)[0]
    blocks = []
    for start in range(0, n_vectors, _BLOCK):
        one_vector = np.eye(min(_BLOCK, n_vectors - start), n_vectors, k=start)
        blocks.append(one_vs_one_decision(one_vector, dual, svm.intercept_, starts) - bias)
    return np.concatenate(blocks), bias


def _of_every_class(
    kernel: NDArray[Any], bias: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of `class_scores`, which have a column for each of two classes, too."""
    kernel, bias = kernel.astype(np.float64), np.asarray(bias, np.float64)
    if kernel.shape[1] > 1:
        return kernel, bias
    return np.hstack([-kernel, kernel]) / 2, np.hstack([-bias, bias]) / 2


def _softmax_of(
    inputs: Any, kernel: NDArray[Any], bias: NDArray[Any], temperature: float = 1.0
) -> Any:
    # The softmax does not change with what all classes share, but float32 loses differences in it.
    kernel = temperature * kernel.astype(np.float64)
    bias = temperature * np.asarray(bias, np.float64)
    kernel, bias = kernel - kernel.mean(axis=1, keepdims=True), bias - bias.mean()
    return _dense(inputs, kernel, bias, activation="softmax")


def _dense(
    inputs: Any,
    kernel: NDArray[Any],
    bias: NDArray[Any] | None = None,
    activation: str | None = None,
) -> Any:
    keras = import_keras()
    layer = keras.layers.Dense(kernel.shape[1], activation, use_bias=bias is not None)
    outputs = layer(inputs)
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return outputs


def _unit(inputs: Any) -> Any:
    """Return rows of unit norm, however small the numbers are; a row of zeros stays zero."""
    ops = import_keras().ops

    def scaled(rows: Any, sizes: Any) -> Any:
        return rows / ops.where(sizes > 0.0, sizes, ops.ones_like(sizes))

    rows = scaled(inputs, ops.max(ops.abs(inputs), axis=1, keepdims=True))
    return scaled(rows, ops.sqrt(ops.sum(ops.square(rows), axis=1, keepdims=True)))
