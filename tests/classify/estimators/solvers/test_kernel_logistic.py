import numpy as np
import pytest

from classify.estimators.solvers import kernel_logistic
from classify.estimators.solvers.kernel_logistic import KernelLogisticProblems
from classify.estimators.solvers.logistic import LogisticProblems


def blobs(n_classes, n_samples=100, n_features=150):
    """Return centred features of overlapping classes, and three overlapping parts."""
    rng = np.random.default_rng(0)
    codes = np.arange(n_samples) % n_classes
    X = rng.normal(size=(n_samples, n_features)) + rng.normal(size=(n_classes, n_features))[codes]
    return (X - X.mean(axis=0)) / n_features**0.5, codes, rng.random((3, n_samples)) < 0.7


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_the_solution_is_that_on_the_features(n_classes, dtype, C):
    """The sums of the samples with the weights are the coefficients, to the same precision."""
    X, codes, members = blobs(n_classes)
    problems = KernelLogisticProblems.of((X @ X.T).astype(dtype), codes, members)
    coef, decision, _ = problems.minimise(problems.zeros(), C, 1e-4)
    on_features = LogisticProblems.of(X, codes, members, 1.0)
    expected = on_features.minimise(on_features.zeros(), C, 1e-6).coef
    found = np.concatenate([np.einsum("ia,ijk->ajk", X, coef[:100]), coef[-1:]])
    length = np.linalg.norm(expected[:-1], axis=0).max()
    np.testing.assert_allclose(found, expected, atol=1e-3 * length)
    np.testing.assert_allclose(decision, on_features.decision(found), atol=1e-3 * length)


def test_a_rough_solution_is_renewed_with_exact_products():
    """Its decision values become those of its weights, so the solution can get more precise."""
    X, codes, members = blobs(2)
    rough = KernelLogisticProblems.of((X @ X.T).astype(np.float32), codes, members)
    coef = rough.minimise(rough.zeros(), 1.0, 0.03).coef
    exact = KernelLogisticProblems.of(X @ X.T, codes, members)
    decision = exact.decision(exact.renewed(coef + 1))
    weights = np.einsum("ia,ijk->ajk", X, coef[:100] + 1)
    np.testing.assert_allclose(
        decision, np.einsum("ia,ajk->ijk", X, weights) + coef[-1] + 1, atol=1e-12
    )


def test_products_in_threads_give_the_same_solution(monkeypatch):
    """A large matrix is divided into rows."""
    X, codes, members = blobs(4)
    problems = KernelLogisticProblems.of(X @ X.T, codes, members)
    expected = problems.minimise(problems.zeros(), 1.0, 1e-6).coef
    monkeypatch.setattr(kernel_logistic, "LARGE", 1)
    monkeypatch.setattr(kernel_logistic, "PARTS", 3)
    coef = problems.minimise(problems.zeros(), 1.0, 1e-6).coef
    np.testing.assert_allclose(coef, expected, atol=1e-6 * np.abs(expected).max())


def test_a_singular_matrix_is_solved():
    """Samples that are there twice share their weight, and the decision values are finite."""
    X, codes, members = blobs(2)
    X, codes, members = np.tile(X, (2, 1)), np.tile(codes, 2), np.tile(members, 2)
    problems = KernelLogisticProblems.of((X @ X.T).astype(np.float32), codes, members)
    coef, decision, _ = problems.minimise(problems.zeros(), 100.0, 1e-3)
    assert np.isfinite(decision).all()
    np.testing.assert_allclose(coef[:100], coef[100:200], atol=1e-9)
