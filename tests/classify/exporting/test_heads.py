"""Trained classifiers as layers of Keras give the same probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from classify import LDA, SVM, Centroid, DenseHead, LogReg, Nearest, RidgeClassifier
from classify.evaluation.calibration import Calibration, apply_sigmoids
from classify.evaluation.decision import DecisionRule
from classify.evaluation.unfamiliar.familiarity import Familiarity
from classify.exporting import heads
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


def blobs(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs(
        40 * n_classes, 12, centers=n_classes, cluster_std=6.0, center_box=(-5, 5), random_state=0
    )
    return X.astype(np.float32), y


def computed(layers: Callable[[Any], Any], X: np.ndarray) -> np.ndarray:
    keras = import_keras()
    inputs = keras.Input(X.shape[1:])
    outputs: np.ndarray = keras.Model(inputs, layers(inputs)).predict(X, verbose=0)
    return outputs


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize(
    "estimator",
    [
        LogReg(),
        RidgeClassifier(),
        LDA(),
        SVM(kernel="linear"),
        SVM(kernel="rbf"),
        Centroid(),
        Nearest(),
        DenseHead(epochs=2),
    ],
    ids=repr,
)
def test_the_probabilities_are_the_same(estimator: Any, n_classes: int) -> None:
    """For classes that overlap, so that none of them is certain."""
    X, y = blobs(n_classes)
    estimator.fit(X[::2], y[::2])
    expected = estimator.predict_proba(X[1::2])
    assert np.median(expected.max(axis=1)) < 0.999
    found = computed(lambda inputs: heads.probabilities(estimator, inputs), X[1::2])
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_follows_a_classifier_is_the_same(n_classes: int) -> None:
    """Calibration with offsets, other priors, and the sigmoids of earlier versions."""
    raw = np.random.default_rng(0).dirichlet(np.full(n_classes, 0.3), 50).astype(np.float32)
    raw[0] = np.eye(n_classes)[0]
    calibration = Calibration(1.7, np.linspace(-0.5, 0.5, n_classes).tolist())
    rule = DecisionRule.of([60, 30, 10][:n_classes], np.full(n_classes, 1 / n_classes))
    for one in (rule, DecisionRule(rule.training, rule.priors, calibration=calibration)):
        found = computed(lambda inputs, one=one: heads.decided(one, inputs), raw)
        np.testing.assert_allclose(found, one.probabilities(raw), atol=1e-5)
    sigmoids = [[-1.5, 0.2], [-0.7, 0.1], [-2.0, -0.4]][: 1 if n_classes == 2 else n_classes]
    found = computed(lambda inputs: heads.with_sigmoids(sigmoids, inputs), raw)
    np.testing.assert_allclose(found, apply_sigmoids(raw, sigmoids), atol=1e-4)


def test_familiarity_is_the_same() -> None:
    """Of samples like those of the training, and of others."""
    X, _ = blobs(3)
    familiarity = Familiarity().fit(X[::2])
    samples = np.concatenate([X[1::2], -3 * X[1:9:2]])
    found = computed(lambda inputs: heads.familiarity_of(familiarity, inputs), samples)
    expected = familiarity.familiarity(samples)
    assert expected.min() < 0.1 < 0.9 < expected.max()
    np.testing.assert_allclose(found, expected, atol=1.5 / familiarity.n_samples_)
