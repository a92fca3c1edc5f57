"""SVMs trained on a working set, compared with `SVC` on all samples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from classify.estimators.solvers import working_set
from classify.estimators.solvers.gram import KERNELS, Gram, Kernel
from classify.estimators.solvers.working_set import TOLERANCE, PairwiseProblem

VALUES = (0.01, 0.1, 1.0, 10.0, 100.0)


def overlapping(n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features of two classes that overlap, and their targets, 1 and -1."""
    rng = np.random.default_rng(seed)
    targets = np.where(rng.random(n_samples) < 0.4, 1.0, -1.0)
    X = rng.normal(size=(n_samples, 20)).astype(np.float32)
    X[:, 0] += 0.8 * targets
    return X, targets


@pytest.mark.parametrize("costs", [(1.0, 1.0), (0.6, 2.5)], ids=["equal", "weighted"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [80, 1000], ids=["some", "all"])
def test_a_working_set_gives_the_solution_of_svc(
    limit: int,
    kernel: Kernel,
    seed: int,
    costs: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Along a path of C, with many weights at their bound or few, the decision values agree."""
    monkeypatch.setattr(working_set, "LIMIT", limit)
    X, targets = overlapping(600, seed)
    gram = Gram.of(X)
    everything = np.arange(len(X))
    gamma = gram.gamma(everything)
    within = gram.kernel(kernel, everything, everything, gamma).astype(np.float64)
    part = everything % 6 != 0
    cost = np.where(targets < 0, *costs)
    trained = np.where(part, targets, 0.0)
    problem = PairwiseProblem(gram, kernel, gamma, trained, cost, held_out=everything)
    for C, svm in zip(VALUES, problem.train_path(VALUES), strict=True):
        theirs = SVC(C=C, kernel="precomputed", tol=1e-5).fit(
            within[np.ix_(part, part)], targets[part], sample_weight=cost[part]
        )
        expected = theirs.decision_function(within[:, part])
        assert (np.abs(svm.weights) <= C * cost * (1 + 1e-9)).all()
        assert not svm.weights[~part].any()
        np.testing.assert_allclose(svm.decision, expected, atol=30 * TOLERANCE)
        assert (np.sign(svm.decision) == np.sign(expected)).mean() > 0.99


@pytest.mark.parametrize("costs", [1.0, 1.7])
@pytest.mark.parametrize("kernel", KERNELS)
def test_with_a_small_c_all_weights_of_equal_classes_are_at_their_bounds(
    kernel: Kernel, costs: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SVC` finds the same, and is not needed up to exactly the C at which a weight leaves it."""
    X, targets = overlapping(200, 0)
    both = [np.flatnonzero(targets == target)[:60] for target in (1.0, -1.0)]
    part = np.concatenate(both)
    gram, everything = Gram.of(X), np.arange(len(X))
    gamma = gram.gamma(part)
    within = gram.kernel(kernel, everything, part, gamma).astype(np.float64)
    trained, cost = np.zeros(len(X)), np.full(len(X), costs)
    trained[part] = targets[part]
    problem = PairwiseProblem(gram, kernel, gamma, trained, cost, everything)
    largest, _ = problem._all_at_bound
    assert largest > 1e-3
    for C in (largest / 10, largest * 0.999, largest * 1.01):
        theirs = SVC(C=C, kernel="precomputed", tol=1e-9).fit(
            within[part], targets[part], sample_weight=cost[part]
        )
        at_bound = np.abs(theirs.dual_coef_) > C * costs * (1 - 1e-9)
        assert (at_bound.all() and len(theirs.support_) == len(part)) == (largest >= C)
        with monkeypatch.context() as patch:
            if largest >= C:
                patch.setattr(working_set, "SVC", None)
            (svm,) = problem.train_path([C])
        atol = 1e-7 if largest >= C else TOLERANCE
        np.testing.assert_allclose(svm.decision, theirs.decision_function(within), atol=atol)
