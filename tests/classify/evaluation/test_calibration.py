"""Calibration and reliability."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from classify.evaluation.calibration import (
    apply_sigmoids,
    calibrate,
    fit_temperature,
    reliability,
)


def probabilities(n_classes, n_samples, seed=0):
    """Return calibrated probabilities, overconfident ones, and classes drawn from the former."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_samples, n_classes)) * 1.5
    calibrated = softmax(scores, axis=1)
    codes = (calibrated.cumsum(axis=1) > rng.random((n_samples, 1))).argmax(axis=1)
    return calibrated, softmax(3 * scores, axis=1), codes


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_calibration_error_falls_on_other_samples(n_classes):
    """Fitted on some samples, it falls on others."""
    _, sure, codes = probabilities(n_classes, 4000)
    temperature = fit_temperature(sure[:2000], codes[:2000])
    before = reliability(sure[2000:], codes[2000:]).error
    after = reliability(calibrate(sure[2000:], temperature), codes[2000:]).error
    assert before > 0.1
    assert after < 0.04


@pytest.mark.parametrize("n_classes", [2, 4])
def test_probabilities_are_those_of_scikit_learn(n_classes):
    """`CalibratedClassifierCV` on the same log odds gives the same."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, 300)
    X = rng.normal(size=(300, 5)) + np.eye(n_classes, 5)[y]
    model = LogisticRegression().fit(X[:150], y[:150])
    own = model.predict_proba(X)
    ours = calibrate(own, fit_temperature(own[150:], y[150:]))
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature")
    np.testing.assert_allclose(ours, theirs.fit(X[150:], y[150:]).predict_proba(X), atol=0.01)
    np.testing.assert_allclose(ours.sum(axis=1), 1)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_predicted_class_stays_the_same(n_classes):
    """On unbalanced classes, too, where one sigmoid per class would change many predictions."""
    rng = np.random.default_rng(0)
    codes = rng.choice(n_classes, 1000, p=[0.9, *[0.1 / (n_classes - 1)] * (n_classes - 1)])
    proba = softmax(2 * (rng.normal(size=(1000, n_classes)) + 2 * np.eye(n_classes)[codes]), axis=1)
    calibrated = calibrate(proba, fit_temperature(proba, codes))
    assert not np.allclose(calibrated, proba)
    np.testing.assert_array_equal(calibrated.argmax(axis=1), proba.argmax(axis=1))


def test_the_calibration_of_earlier_runs_is_still_applied():
    """Platt's sigmoid of the log odds of the second class, or of each against the rest."""
    proba = np.array([[0.3, 0.7]])
    np.testing.assert_allclose(apply_sigmoids(proba, [[-1.0, 0.0]]), proba)
    assert apply_sigmoids(proba, [[-2.0, 0.0]])[0, 1] > 0.8
    three = apply_sigmoids(np.array([[0.2, 0.3, 0.5]]), [[-1.0, 0.0]] * 3)
    np.testing.assert_allclose(three, [[0.2, 0.3, 0.5]])


def test_calibrated_probabilities_have_a_small_error():
    """And every sample is in a bin."""
    calibrated, sure, codes = probabilities(3, 20_000)
    found = reliability(calibrated, codes)
    assert found.error < 0.02
    assert sum(found.counts) == 20_000
    assert len(found.probabilities) == len(found.accuracies) == len(found.counts) <= 10
    assert reliability(sure, codes).error > 0.1


def test_probabilities_of_zero_and_one_are_calibrated():
    """Their logarithms are clipped, so they stay finite."""
    certain = np.eye(2)[[0, 1, 0, 1, 0, 1]]
    temperature = fit_temperature(certain, np.array([0, 1, 0, 1, 1, 1]))
    assert np.isfinite(calibrate(certain, temperature)).all()


def test_the_calibration_error_weighs_bins_by_their_samples():
    """Three correct predictions of 0.95 and a wrong one of 0.55: (3 * 0.05 + 0.55) / 4."""
    sure = np.array([[0.95, 0.05]] * 3 + [[0.55, 0.45]])
    assert reliability(sure, np.array([0, 0, 0, 1])).error == pytest.approx(0.175)


@pytest.mark.parametrize("n_samples", [60, 120, 1000])
def test_the_error_of_perfect_calibration_is_known(n_samples):
    """It is far from zero on few samples, and no sign of bad probabilities."""
    errors, chances = [], []
    for seed in range(200):
        calibrated, _, codes = probabilities(2, n_samples, seed)
        found = reliability(calibrated, codes)
        errors.append(found.error)
        chances.append(found.chance)
    assert np.mean(chances) == pytest.approx(np.mean(errors), rel=0.07)
