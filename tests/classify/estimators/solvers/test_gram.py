import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from classify.errors import ClassifierError
from classify.estimators.solvers import gram
from classify.estimators.solvers.gram import Gram


@pytest.fixture(name="X")
def features():
    return 30 * np.random.default_rng(0).random((12, 40)).astype(np.float32)


def test_the_mean_squared_norm_is_scaled_to_one(X):
    """The mean of the diagonal is one, so one grid of C suits every backbone."""
    gram = Gram.of(X)
    assert gram.products.dtype == np.float32
    assert gram.products.diagonal().mean() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(gram.products, X @ X.T * gram.scale**2, rtol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 3, 5, 26])
def test_blocks_of_products_are_those_of_all_samples(n_samples, monkeypatch):
    """Also if the samples do not divide into equal blocks, or into as many."""
    monkeypatch.setattr(gram, "LARGEST", 4)
    X = np.random.default_rng(1).normal(size=(n_samples, 7)).astype(np.float32)
    found = Gram.of(X)
    np.testing.assert_allclose(found.products, found.scale**2 * (X @ X.T), atol=1e-6)
    np.testing.assert_array_equal(found.products, found.products.T)


def test_gamma_is_that_of_scikit_learn_on_the_given_rows(X):
    """The width is 1 / (n_features * variance) of the given rows of the scaled features."""
    gram = Gram.of(X)
    rows = np.array([1, 4, 5, 9])
    scaled = X[rows].astype(np.float64) * gram.scale
    assert gram.gamma(rows) == pytest.approx(1 / (40 * scaled.var()), rel=1e-5)


def test_the_rbf_kernel_is_that_of_the_features(X):
    """Computed from inner products, it is scikit-learn's kernel on the features."""
    gram = Gram.of(X)
    rows, columns = np.array([0, 3, 7]), np.arange(12)
    found = gram.kernel("rbf", rows, columns, 0.7)
    expected = rbf_kernel(X[rows] * gram.scale, X[columns] * gram.scale, gamma=0.7)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_kernel_does_not_change_the_gram_matrix(X):
    """The matrix serves every kernel in turn."""
    gram = Gram.of(X)
    before = gram.products.copy()
    everything = np.arange(12)
    gram.kernel("rbf", everything, everything, 0.7)
    np.testing.assert_array_equal(gram.products, before)


def test_features_that_are_all_zero_are_an_error():
    """The message says to check the weights."""
    with pytest.raises(ClassifierError, match=r"mean squared norm is 0\.0"):
        Gram.of(np.zeros((3, 5), dtype=np.float32))
