"""Sums over rows."""

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.estimators.solvers import moments
from classify.estimators.solvers.moments import Moments, require_memory

WEIGHTS = np.array([0.5, 1.0, 3.0])


def drawn(n_rows=700, n_features=600, offset=2.0):
    """Return rows of three classes, more features than are mirrored together, and class codes."""
    rng = np.random.default_rng(0)
    rows = offset + rng.normal(size=(n_rows, n_features))
    return rows.astype(np.float32), rng.integers(0, 3, n_rows)


def summed(rows, codes, positions, shift=0.0):
    """Return the moments of some rows, which come in parts of 100."""
    parts = (positions[start : start + 100] for start in range(0, len(positions), 100))
    shifts = np.full(rows.shape[1], shift)
    return Moments.of(((some, rows[some]) for some in parts), codes, WEIGHTS, shifts)


def assert_same(found, expected):
    assert found.n_rows == expected.n_rows
    for name in ("squares", "shift", "weights", "sums", "products"):
        theirs = np.asarray(getattr(expected, name))
        tolerance = 1e-11 * np.abs(theirs).max()
        np.testing.assert_allclose(getattr(found, name), theirs, rtol=0, atol=tolerance)


def test_they_are_the_weighted_sums():
    """Of every class, and of all products; the squares are without weights or shift."""
    rows, codes = drawn()
    found = summed(rows, codes, np.arange(700), shift=1.5)
    exact = rows.astype(np.float64)
    shifted, weights = exact - 1.5, WEIGHTS[codes]
    assert found.n_rows == 700
    assert found.squares == pytest.approx((exact**2).sum())
    np.testing.assert_allclose(found.weights, WEIGHTS * np.bincount(codes))
    np.testing.assert_allclose(found.products, (shifted * weights[:, None]).T @ shifted)
    for code in range(3):
        of_class = shifted[codes == code].sum(axis=0) * WEIGHTS[code]
        np.testing.assert_allclose(found.sums[code], of_class)


def test_the_sum_of_parts_is_the_whole():
    """And the whole without a part is the rest, although each has a shift of its own."""
    rows, codes = drawn()
    whole = summed(rows, codes, np.arange(700), shift=1.0)
    first, rest = summed(rows, codes, np.arange(250), 1.0), np.arange(250, 700)
    assert_same(first + summed(rows, codes, rest, shift=3.0), whole)
    assert_same(whole - summed(rows, codes, rest, shift=-2.0), first)


def test_scatters_are_covariances():
    """Around the mean of all rows, and around the mean of each row's class."""
    rows, codes = drawn()
    found = summed(rows, codes, np.arange(700))
    exact, weights = rows.astype(np.float64), WEIGHTS[codes]
    mean = np.average(exact, axis=0, weights=weights)
    np.testing.assert_allclose(found.mean, mean)
    total = np.cov(exact.T, aweights=weights, ddof=0) * weights.sum()
    np.testing.assert_allclose(found.total_scatter, total, atol=1e-8)
    assert found.variation == pytest.approx(np.trace(total))
    within = sum(
        WEIGHTS[code] * np.cov(exact[codes == code].T, ddof=0) * (codes == code).sum()
        for code in range(3)
    )
    np.testing.assert_allclose(found.within_scatter, within, atol=1e-8)
    of_class = (exact[codes == 1] - mean).sum(axis=0) * WEIGHTS[1]
    np.testing.assert_allclose(found.deviations[1], of_class, atol=1e-8)


def test_a_shift_keeps_the_digits_of_small_differences():
    """Features of 10,000 that vary by a hundredth."""
    rng = np.random.default_rng(0)
    rows, codes = 1e4 + 0.01 * rng.normal(size=(500, 3)), np.arange(500) % 3
    expected = np.cov(rows.T, aweights=WEIGHTS[codes], ddof=0) * WEIGHTS[codes].sum()
    found = summed(rows, codes, np.arange(500), shift=1e4).total_scatter
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    unshifted = summed(rows, codes, np.arange(500)).total_scatter
    assert np.abs(unshifted / expected - 1).max() > 1e-6


def test_a_class_may_be_missing():
    """Its weight and sums are zero, and it has no scatter."""
    rows, codes = drawn(n_features=5)
    found = summed(rows, codes, np.flatnonzero(codes != 2))
    assert found.weights[2] == 0
    assert np.isfinite(found.within_scatter).all()


def test_matrices_that_exceed_the_memory_are_an_error(monkeypatch):
    """Before anything is read; the message says how large they are."""
    monkeypatch.setattr(moments, "memory_gib", lambda: 4.0)
    require_memory(8192, 3, 13)
    with pytest.raises(ClassifierError, match=r"25,088 features take 33 GiB in 3 folds.* has 4;"):
        require_memory(25088, 3, 13)
    monkeypatch.setattr(moments, "memory_gib", lambda: None)
    require_memory(25088, 3, 13)
