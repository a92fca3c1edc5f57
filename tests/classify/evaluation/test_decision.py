"""Priors and the decision: what becomes of a classifier's probabilities."""

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.estimators.logreg import LogReg
from classify.evaluation.calibration import Calibration
from classify.evaluation.decision import DecisionRule, check_priors
from classify.evaluation.metrics import evaluate


def unbalanced(n_samples, share, seed=0):
    """Return two overlapping classes, the second with this share, and its true probabilities."""
    rng = np.random.default_rng(seed)
    codes = (rng.random(n_samples) < share).astype(int)
    X = rng.normal(size=(n_samples, 4)) + np.outer(codes, [1.5, 0, 0, 0])
    odds = share / (1 - share) * np.exp(1.5 * X[:, 0] - 1.5**2 / 2)
    return X.astype(np.float32), codes, odds / (1 + odds)


def test_probabilities_are_those_of_the_training_split():
    """Of unbalanced classes, too: their mean is the share of the class, and they are true."""
    X, codes, _ = unbalanced(4000, 0.1)
    unseen, _, truth = unbalanced(4000, 0.1, seed=1)
    given = LogReg().fit(X, codes).predict_proba(unseen)[:, 1]
    assert given.mean() == pytest.approx(0.1, abs=0.02)
    assert np.abs(given - truth).mean() < 0.02


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_priors_give_the_probabilities_of_a_world_with_other_shares(share):
    """Bayes' rule makes the true probabilities of one world those of the other."""
    _, _, here = unbalanced(500, 0.1)
    likelihoods = here / (1 - here) * 9
    there = likelihoods * share / (likelihoods * share + 1 - share)
    rule = DecisionRule.of([900, 100], [1 - share, share])
    adjusted = rule.probabilities(np.stack([1 - here, here], axis=1))
    np.testing.assert_allclose(adjusted[:, 1], there)


def test_the_decision_leaves_the_probabilities_alone():
    """Fewest errors need the most probable class, the best mean recall the least unlikely one."""
    _, codes, truth = unbalanced(20_000, 0.1)
    probabilities = np.stack([1 - truth, truth], axis=1)
    found = {}
    for decision in ("least-errors", "equal-classes"):
        rule = DecisionRule.of([9, 1], decision=decision)
        np.testing.assert_array_equal(rule.probabilities(probabilities), probabilities)
        answers = rule.answers(probabilities)
        found[decision] = evaluate(codes, probabilities, [0, 1], answers)
    least, equal = found["least-errors"], found["equal-classes"]
    assert least.accuracy > 0.9 > equal.accuracy
    assert equal.balanced_accuracy > least.balanced_accuracy + 0.1
    assert equal.log_loss == least.log_loss
    assert least.classes[1].confidence == pytest.approx(least.classes[1].precision, abs=0.04)


def test_equal_classes_do_not_depend_on_the_priors():
    """They would be the most probable if all were as frequent, however frequent they are."""
    _, _, truth = unbalanced(500, 0.1)
    raw = np.stack([1 - truth, truth], axis=1)
    expected = DecisionRule.of([9, 1], decision="equal-classes").answers(raw)
    rule = DecisionRule.of([9, 1], [0.3, 0.7], "equal-classes")
    np.testing.assert_array_equal(rule.answers(rule.probabilities(raw)), expected)


def test_the_calibration_comes_before_the_priors():
    """It was fitted on the training split."""
    rule = DecisionRule.of([1, 1], [0.9, 0.1], calibration=Calibration(2.0, [0.0, 0.0]))
    given = rule.probabilities(np.array([[0.25, 0.75]]))
    np.testing.assert_allclose(given, [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"cat": 1.0}, "missing: dog"),
        ({"cat": 1.0, "dog": 1.0, "cow": 1.0}, "'cow'"),
        ({"cat": 1.0, "dogs": 1.0}, "did you mean dog"),
        ({"cat": 1.0, "dog": 0.0}, "found 0.0 for 'dog'"),
        ({"cat": 1.0, "dog": float("nan")}, "found nan for 'dog'"),
        ("even", "expected a share for each class or 'equal'"),
    ],
)
def test_priors_that_do_not_suit_the_classes_are_refused(priors, message):
    """The message names the class."""
    with pytest.raises(ClassifierError, match=message):
        check_priors(priors, ["cat", "dog"])
