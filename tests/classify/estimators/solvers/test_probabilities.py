"""Probabilities from class scores."""

import numpy as np
import pytest

from classify.estimators.solvers.probabilities import class_scores, log_loss


def test_the_log_loss_is_weighted_by_class():
    """With balanced weights it is the mean over the classes, without weights over the samples."""
    codes = np.array([0] * 9 + [1])
    scores = class_scores(np.array([-2.0] * 10))
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    balanced = log_loss(scores, codes, np.array([10 / 18, 5.0]))
    assert balanced == pytest.approx((right + wrong) / 2)
    assert log_loss(scores, codes, np.ones(2)) == pytest.approx(0.9 * right + 0.1 * wrong)
