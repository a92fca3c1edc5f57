"""Probabilities that mean what they say."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from classify.evaluation.calibration import calibrate, fit_sigmoids, reliability


def too_sure(n_classes, n_samples, seed=0):
    """Return honest probabilities, the same made three times as sure, and classes drawn by them."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_samples, n_classes)) * 1.5
    honest = softmax(scores, axis=1)
    codes = (honest.cumsum(axis=1) > rng.random((n_samples, 1))).argmax(axis=1)
    return honest, softmax(3 * scores, axis=1), codes


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_error_falls_on_answers_that_were_not_fitted(n_classes):
    """Fitted on some, the calibration error of others falls far below what it was."""
    _, sure, codes = too_sure(n_classes, 4000)
    sigmoids = fit_sigmoids(sure[:2000], codes[:2000])
    before = reliability(sure[2000:], codes[2000:]).error
    after = reliability(calibrate(sure[2000:], sigmoids), codes[2000:]).error
    assert before > 0.1
    assert after < 0.04


@pytest.mark.parametrize("n_classes", [2, 4])
def test_it_is_what_scikit_learn_gives(n_classes):
    """`CalibratedClassifierCV` with the same log odds has the same probabilities."""
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


def test_honest_probabilities_have_hardly_any_error():
    """And every answer is in a bin."""
    honest, sure, codes = too_sure(3, 20_000)
    found = reliability(honest, codes)
    assert found.error < 0.02
    assert sum(found.counts) == 20_000
    assert len(found.probabilities) == len(found.accuracies) == len(found.counts) <= 10
    assert reliability(sure, codes).error > 0.1


def test_certain_answers_are_no_reason_to_fail():
    """Probabilities of zero and one have log odds, as large as float32 can tell."""
    certain = np.eye(2)[[0, 1, 0, 1, 0, 1]]
    sigmoids = fit_sigmoids(certain, np.array([0, 1, 0, 1, 1, 1]))
    assert np.isfinite(calibrate(certain, sigmoids)).all()


def test_a_bin_counts_as_many_times_as_it_has_answers():
    """Three answers of 0.95 that are right and one of 0.55 that is wrong are 0.175 apart."""
    sure = np.array([[0.95, 0.05]] * 3 + [[0.55, 0.45]])
    assert reliability(sure, np.array([0, 0, 0, 1])).error == pytest.approx(0.175)
