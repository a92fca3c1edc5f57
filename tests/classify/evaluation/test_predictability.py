"""Labels that can, or cannot, be told from properties in bins."""

from __future__ import annotations

import numpy as np
import pytest

from classify.evaluation.predictability import PermutedLabels, Predictability

N = 300


def noise(seed: int, n_bins: int = 6, n: int = N) -> np.ndarray:
    return np.random.default_rng([seed, n_bins]).integers(0, n_bins, n)


@pytest.mark.parametrize("together", [False, True])
def test_a_property_that_says_nothing_is_rarely_significant(together: bool) -> None:
    """The p-values are uniform: about one in ten is below 0.1."""
    y = np.arange(N) % 3
    p_values = []
    for seed in range(100):
        labels = PermutedLabels(y, 49, seed)
        properties = [(noise(seed), 6), (noise(seed + 1000), 6)]
        found = labels.told_from_all(properties) if together else labels.told_from(*properties[0])
        p_values.append(found.p_value)
    assert 2 <= sum(p <= 0.1 for p in p_values) <= 22
    assert 0.4 < np.mean(p_values) < 0.6


def test_a_property_that_is_the_label_is_always_right() -> None:
    """With the smallest p-value that the permutations allow."""
    y = np.arange(N) % 3
    found = PermutedLabels(y, 99).told_from(y, 3)
    assert (found.accuracy, found.p_value) == (1, 0.01)
    assert found.low > 0.95


def test_every_class_counts_the_same() -> None:
    """Answering the largest class is right for 95%, and no better than guessing."""
    y = (np.arange(N) % 20 == 0).astype(np.int64)
    found = PermutedLabels(y, 99).told_from(np.zeros(N, np.int64), 1)
    assert found.accuracy == 0.5
    assert found.p_value == 1
    rare = PermutedLabels(y, 99).told_from(y, 2)
    assert rare.accuracy == 1


@pytest.mark.parametrize("together", [False, True])
def test_a_rare_class_is_predicted_where_it_is_relatively_frequent(together: bool) -> None:
    """Though there are more samples of the other one in both bins."""
    rng = np.random.default_rng(0)
    y = (np.arange(2000) % 10 == 0).astype(np.int64)
    codes = (rng.random(2000) < np.where(y, 0.8, 0.3)).astype(np.int64)
    labels = PermutedLabels(y, 9)
    found = labels.told_from_all([(codes, 2)]) if together else labels.told_from(codes, 2)
    assert found.accuracy == pytest.approx(0.75, abs=0.04)


def test_the_accuracy_is_that_on_held_out_samples() -> None:
    """A property that is another one for every sample says nothing of others."""
    y = np.arange(N) % 2
    found = PermutedLabels(y, 99).told_from(np.arange(N), N)
    assert found.accuracy == pytest.approx(0.5, abs=0.05)


def test_all_together_see_what_none_sees_alone() -> None:
    """Ten properties, each of which says a little."""
    rng = np.random.default_rng(0)
    y = np.arange(1000) % 2
    properties = [
        (np.where(rng.random(1000) < 0.2, y, rng.integers(0, 2, 1000)), 2) for _ in range(10)
    ]
    labels = PermutedLabels(y, 99)
    alone = max(labels.told_from(*each).accuracy for each in properties)
    together = labels.told_from_all(properties)
    assert together.accuracy > alone + 0.05
    assert together.p_value == 0.01


def test_the_interval_covers_the_accuracy_of_the_rule() -> None:
    """A property that is right for 80% of both classes."""
    y = np.arange(400) % 2
    covered = 0
    for seed in range(50):
        wrong = np.random.default_rng(seed).random(400) < 0.2
        found = PermutedLabels(y, 9, seed).told_from(np.where(wrong, 1 - y, y), 2)
        covered += found.low <= 0.8 <= found.high
    assert covered >= 44


def test_the_same_seed_gives_the_same_figures() -> None:
    """And draws do not depend on how many are in memory together."""
    y = np.arange(N) % 2
    one, same = (PermutedLabels(y, 99, 5).told_from(noise(3), 6) for _ in range(2))
    assert one == same
    assert isinstance(one, Predictability)
