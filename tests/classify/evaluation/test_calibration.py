"""Calibration and reliability."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from classify.evaluation.calibration import (
    Calibration,
    apply_sigmoids,
    calibrate,
    fit_calibration,
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
    calibration = fit_calibration(sure[:2000], codes[:2000])
    before = reliability(sure[2000:], codes[2000:]).error
    after = reliability(calibrate(sure[2000:], calibration), codes[2000:]).error
    assert before > 0.1
    assert after < 0.04


@pytest.mark.parametrize("n_classes", [2, 4])
def test_it_is_no_worse_than_scikit_learns_temperature(n_classes):
    """`CalibratedClassifierCV` scales by a temperature alone; the offsets mend more."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, 3000)
    X = rng.normal(size=(3000, 5)) + np.eye(n_classes, 5)[y]
    model = LogisticRegression(C=100).fit(X[:60], y[:60] * (rng.random(60) < 0.7))
    own = model.predict_proba(X)
    ours = calibrate(own, fit_calibration(own[60:], y[60:]))
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature")
    theirs.fit(X[60:], y[60:])
    assert log_loss(y[60:], ours[60:]) < log_loss(y[60:], theirs.predict_proba(X[60:])) - 0.01


def test_few_samples_change_little():
    """Of five samples that are all wrong, none says that every probability means nothing."""
    sure = np.array([[0.95, 0.05]] * 5)
    calibration = fit_calibration(sure, np.array([1, 1, 1, 1, 1]))
    assert 0.2 < calibration.temperature < 1
    given = calibrate(sure[:1], calibration)
    assert 0.1 < given[0, 1] < 0.9


def test_many_samples_are_fitted_in_parts(monkeypatch):
    """To the same calibration, so that a thousand classes do not need memory for all at once."""
    _, sure, codes = probabilities(3, 300)
    whole = fit_calibration(sure, codes)
    monkeypatch.setattr("classify.evaluation.calibration.AT_ONCE", 100)
    parts = fit_calibration(sure, codes)
    assert [parts.temperature, *parts.offsets] == pytest.approx(
        [whole.temperature, *whole.offsets], rel=1e-6
    )


def test_a_class_that_is_always_too_probable_gets_a_negative_offset():
    """A temperature alone cannot mend the probabilities of a classifier for other frequencies."""
    calibrated, _, codes = probabilities(2, 4000)
    wrong = calibrated * [1, 5]
    wrong /= wrong.sum(axis=1, keepdims=True)
    calibration = fit_calibration(wrong[:2000], codes[:2000])
    assert calibration.offsets[1] - calibration.offsets[0] == pytest.approx(-np.log(5), abs=0.2)
    np.testing.assert_allclose(calibrate(wrong, calibration), calibrated, atol=0.05)


def test_the_calibration_has_the_lowest_log_loss():
    """Its gradient is that of the loss: no step away from it is better."""
    _, sure, codes = probabilities(3, 300)
    found = fit_calibration(sure, codes)

    def loss(temperature, offsets):
        given = calibrate(sure, Calibration(temperature, list(offsets)))
        penalty = (np.square(offsets).sum() + np.log(temperature) ** 2) / 2
        return penalty - np.log(given[np.arange(300), codes]).sum()

    least = loss(found.temperature, found.offsets)
    for step in (*np.eye(3) / 20, *-np.eye(3) / 20):
        assert loss(found.temperature, np.array(found.offsets) + step) > least
    for factor in (0.95, 1.05):
        assert loss(found.temperature * factor, found.offsets) > least


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
    calibration = fit_calibration(certain, np.array([0, 1, 0, 1, 1, 1]))
    assert np.isfinite(calibrate(certain, calibration)).all()


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
