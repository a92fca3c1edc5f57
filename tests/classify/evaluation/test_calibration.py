"""Calibration and reliability."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from classify.evaluation.calibration import calibrate, fit_sigmoids, reliability


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
    sigmoids = fit_sigmoids(sure[:2000], codes[:2000])
    before = reliability(sure[2000:], codes[2000:]).error
    after = reliability(calibrate(sure[2000:], sigmoids), codes[2000:]).error
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
    ours = calibrate(own, fit_sigmoids(own[150:], y[150:]))
    if n_classes == 2:
        theirs = CalibratedClassifierCV(FrozenEstimator(model)).fit(X[150:], y[150:])
        np.testing.assert_allclose(ours, theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.sum(axis=1), 1)


def test_calibrated_probabilities_have_a_small_error():
    """And every sample is in a bin."""
    calibrated, sure, codes = probabilities(3, 20_000)
    found = reliability(calibrated, codes)
    assert found.error < 0.02
    assert sum(found.counts) == 20_000
    assert len(found.probabilities) == len(found.accuracies) == len(found.counts) <= 10
    assert reliability(sure, codes).error > 0.1


def test_probabilities_of_zero_and_one_are_calibrated():
    """Their log odds are clipped, so they stay finite."""
    certain = np.eye(2)[[0, 1, 0, 1, 0, 1]]
    sigmoids = fit_sigmoids(certain, np.array([0, 1, 0, 1, 1, 1]))
    assert np.isfinite(calibrate(certain, sigmoids)).all()


def test_the_calibration_error_weighs_bins_by_their_samples():
    """Three correct predictions of 0.95 and a wrong one of 0.55: (3 * 0.05 + 0.55) / 4."""
    sure = np.array([[0.95, 0.05]] * 3 + [[0.55, 0.45]])
    assert reliability(sure, np.array([0, 0, 0, 1])).error == pytest.approx(0.175)
