"""Probabilities from class scores."""

import numpy as np
import pytest

from classify.estimators.solvers.probabilities import class_scores, log_loss


def test_a_rare_class_counts_as_much_as_its_weight_says():
    """The log loss is the mean over the classes if every class counts the same."""
    codes = np.array([0] * 9 + [1])
    scores = class_scores(np.array([-2.0] * 10))
    sure, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    balanced = log_loss(scores, codes, np.array([10 / 18, 5.0]))
    assert balanced == pytest.approx((sure + wrong) / 2)
    assert log_loss(scores, codes, np.ones(2)) == pytest.approx(0.9 * sure + 0.1 * wrong)
