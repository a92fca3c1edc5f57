"""The SVMs of all pairs of many classes, compared with `SVC`."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from sklearn.svm import SVC

from classify.estimators.solvers import one_vs_one
from classify.estimators.solvers.gram import KERNELS, Gram, Kernel, ProductsOnDemand, Samples
from classify.estimators.solvers.one_vs_one import (
    OneVsOne,
    from_pairs,
    groups_of,
    votes_decision,
)
from classify.estimators.svm import SVM
from tests.classify.estimators.clusters import clusters, mean_decision

VALUES = (0.01, 0.1, 1.0, 100.0)


@pytest.mark.parametrize(
    "sizes",
    [[3] * 3, [3] * 60, [1] * 49, [1, 9, 2, 2, 2, 40, 3, 1, 1, 1], [30] * 5],
    ids=["few", "many", "square", "unequal", "large"],
)
def test_every_pair_of_classes_is_in_exactly_one_group(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No group has more samples than the limit, unless it is a single pair."""
    monkeypatch.setattr(one_vs_one, "LIMIT", 30)
    groups = groups_of(np.array(sizes))
    pairs = Counter(pair for group in groups for pair in combinations(group.tolist(), 2))
    assert set(pairs) == set(combinations(range(len(sizes)), 2))
    assert set(pairs.values()) == {1}
    assert all(np.array(sizes)[group].sum() <= 30 for group in groups if len(group) > 2)


def test_classes_with_few_samples_are_one_group() -> None:
    """A single call of `SVC` trains all pairs."""
    assert [group.tolist() for group in groups_of(np.array([2, 3, 4]))] == [[0, 1, 2]]


@pytest.mark.parametrize("limit", [1000, 60, 9], ids=["one group", "groups", "large pairs"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_decision_values_are_those_of_svc(
    kernel: Kernel, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along a path of C, for classes of different sizes, in whatever groups they are trained."""
    monkeypatch.setattr(one_vs_one, "LIMIT", limit)
    X, y = clusters(12, 12)
    kept = np.arange(len(y)) % 7 != 0
    rows, others = np.flatnonzero(kept), np.flatnonzero(~kept)
    samples: Samples = Gram.of(X) if limit == 9 else ProductsOnDemand.of(X)
    weights = np.where(np.arange(12) % 2, 0.7, 2.0)
    svms = OneVsOne(samples, kernel, y, weights, rows, VALUES)
    for C in VALUES:
        for train in svms.training():
            train()
        theirs = SVC(
            C=C, kernel=kernel, gamma=svms.gamma, class_weight=dict(enumerate(weights)), tol=1e-5
        ).fit(X[rows] * samples.scale, y[rows])
        expected = mean_decision(theirs, X[others] * samples.scale)
        np.testing.assert_allclose(svms.decide(others), expected, atol=0.02)


def test_models_of_earlier_versions_count_votes() -> None:
    """Their decision values are those of `SVC`, so that their temperature still fits."""
    X, y = clusters(12, 12)
    samples = Gram.of(X)
    svms = OneVsOne(samples, "rbf", y, np.ones(12), np.arange(len(y)), [1.0])
    for train in svms.training():
        train()
    rows = np.arange(0, len(y), 5)
    values = samples.kernel("rbf", rows, svms.rows, svms.gamma)
    found = votes_decision(values, svms.weights, svms.intercepts, svms.starts)
    theirs = SVC(C=1.0, gamma=svms.gamma, tol=1e-5).fit(X * samples.scale, y)
    expected = theirs.decision_function(X[rows] * samples.scale)
    # A pair whose margin is within the tolerance of `SVC` may go to the other class.
    assert (np.abs(found - expected) < 0.02).mean() > 0.98


def test_svms_with_a_column_per_pair_are_converted() -> None:
    """Models of earlier versions are stored so; they decide as before."""
    X, y = clusters(5, 8)
    samples = Gram.of(X)
    svms = OneVsOne(samples, "rbf", y, np.ones(5), np.arange(len(y)), [1.0])
    for train in svms.training():
        train()
    pairs = list(combinations(range(5), 2))
    coef = np.zeros((len(y), len(pairs)))
    for column, (first, second) in enumerate(pairs):
        of_first, of_second = y[svms.rows] == first, y[svms.rows] == second
        coef[of_first, column] = svms.weights[of_first, second]
        coef[of_second, column] = -svms.weights[of_second, first]
    shuffled = np.random.default_rng(0).permutation(len(y))
    intercepts = np.array([svms.intercepts[pair] for pair in pairs])
    order, weights, square, n_support = from_pairs(coef[shuffled], intercepts, 5)
    np.testing.assert_array_equal(n_support, np.diff(svms.starts))
    np.testing.assert_array_equal(square, svms.intercepts)
    positions = svms.rows[shuffled][order]
    np.testing.assert_array_equal(
        weights[np.argsort(positions)], svms.weights[np.argsort(svms.rows)]
    )


def test_the_memory_does_not_grow_with_the_pairs_of_classes() -> None:
    """One array of all samples for each of the 1,770 pairs would take 5 MB, ten of them 50."""
    X, y = clusters(60, 6)
    tracemalloc.start()
    SVM(C=[0.1, 1.0, 10.0], folds=3).fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6
