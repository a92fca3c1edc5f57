"""The 95% intervals cover the truth, and the headline's does with several classifiers."""

import pytest

from benchmarks.figures.intervals import coverages
from classify.evaluation.uncertainty.intervals import f1_interval, mean_interval, roc_auc_interval


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1]])
def test_intervals_cover_the_true_values(shares):
    """Of every measure, in at least nine of ten draws of 100 test samples."""
    found = coverages(shares, n_samples=100, n_draws=80)
    assert set(found) == {
        *("accuracy", "balanced_accuracy", "roc_auc", "log_loss", "precision", "recall", "f1")
    }
    assert min(found.values()) >= 0.88, found


def test_a_perfect_result_on_few_samples_is_no_certainty():
    """A bootstrap would give a single point."""
    for low, high in (
        mean_interval([3, 3], [3, 3]),
        f1_interval(3, 3, 3),
        roc_auc_interval([1.0], [3], 6),
    ):
        assert low < 0.75
        assert high == 1.0
