"""In simulations of images in groups, intervals cover the truth, and tests hold their level."""

import numpy as np
import pytest

from benchmarks.figures.clusters import Clusters, coverage, coverages, false_alarms
from classify.evaluation.threshold import choose_threshold


@pytest.mark.parametrize(("accuracy", "correlation"), [(0.7, 0.6), (0.9, 0.3), (0.97, 0.3)])
def test_the_interval_of_an_accuracy_covers_it(accuracy, correlation):
    """Wilson's, which takes each image for a separate one, covers it far less often."""
    found = coverage(Clusters(40, correlation), accuracy, n_draws=50)
    assert found.now >= 0.88
    assert found.wilson <= found.now - 0.08


@pytest.mark.parametrize("kind", ["pure", "mixed"])
def test_the_intervals_of_all_measures_cover_the_truth(kind):
    """Whether a group is of one class or of both."""
    found = coverages(Clusters(40, 0.3, kind), n_draws=30)
    assert set(found) == {
        *("accuracy", "balanced_accuracy", "roc_auc", "log_loss", "precision", "recall", "f1")
    }
    assert min(now for _, now in found.values()) >= 0.85, found
    before, now = np.mean(list(found.values()), axis=0)
    assert before < now - 0.05, found


def test_equal_classifiers_rarely_differ():
    """McNemar's test, which takes each image for a separate one, finds differences too often."""
    found = false_alarms(Clusters(30, 0.3), 0.9, n_draws=300)
    assert found.permutation <= 0.08
    assert found.mcnemar >= 0.15


def test_a_threshold_reaches_its_target_though_images_come_in_groups():
    """Chosen as if images were separate, it misses the target far more often than in 1 of 20."""
    rng = np.random.default_rng(0)
    missed = np.zeros((2, 100), dtype=bool)
    for draw in range(100):
        groups = np.arange(600) // 20
        confidence = rng.uniform(0.5, 1, len(groups))
        own = np.clip(confidence + 0.4 * rng.normal(size=30)[groups], 0, 1)
        codes = (rng.random(len(groups)) > own).astype(int)
        probabilities = np.stack([confidence, 1 - confidence], axis=1)
        for row, by in enumerate((None, groups)):
            least = choose_threshold(probabilities, codes, 0.75, groups=by)
            missed[row, draw] = least is not None and true_precision(least) < 0.75
    assert missed[1].mean() <= 0.08
    assert missed[0].mean() > missed[1].mean() + 0.05


def true_precision(threshold):
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, 100_000)
    own = np.clip(confidence + 0.4 * rng.normal(size=100_000), 0, 1)
    return own[confidence >= threshold].mean()
