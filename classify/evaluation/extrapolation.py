"""What twice as many training samples would bring: a learning curve, extrapolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST_SIZES = 3
MOST_SIZES = 4
"""Of the largest sizes; a power law need not hold for smaller ones."""
NEAR_CHANCE = 0.6
"""A classifier whose error is a larger share of chance's is at the start of its curve, which need
not be a power law."""
EXPONENTS = np.arange(0.05, 2.1, 0.1)
USUAL_EXPONENT, SPREAD = 0.8, 0.3
"""Of a normal distribution that weights the exponents before a curve is seen. In eight simulated
data sets, which differed in classes, features, size and wrong labels, they were 0.76 +- 0.31."""
PERCENTILES = (5, 50, 95)
NEGLIGIBLE = 0.001
CURVES = 500
"""Drawn for each exponent."""


@dataclass(frozen=True)
class Gain:
    """The gain in expected accuracy from twice as many training samples.

    Attributes
    ----------
    expected : float
        Median.
    low, high : float
        5th and 95th percentile.
    """

    expected: float
    low: float
    high: float


def expected_gain(
    sizes: Sequence[int], correct: Sequence[NDArray[np.bool_]], n_classes: int
) -> Gain | None:
    """Extrapolate a learning curve to twice the largest number of training samples.

    Parameters
    ----------
    sizes : sequence of int
        Training samples, ascending.
    correct : sequence of ndarray of bool, shape (n_draws, n_test)
        For each size, which test samples were predicted correctly after each draw of training
        samples. The last size, which is all samples, has one draw.
    n_classes : int

    Returns
    -------
    Gain or None
        None if nothing can be said: with fewer than three sizes at which the classifier is clearly
        better than chance, with single draws, where the error rises with the size, and where the
        range reaches from a loss to a quarter of all errors.

    Notes
    -----
    The expected error is ``a + b * n ** -c`` [1]_, with an asymptote `a` [2]_. A few sizes do not
    determine `c`. So curves of all exponents are drawn, each exponent with the weight that it has
    once the errors are seen; for a given one, `a` and `b` follow by generalised least squares.
    Curves that tend to an error below zero are left out.

    The errors are uncertain because the test samples, which are the same for all sizes, are few;
    and because some training sets are better than others of their size [3]_. All draws are parts
    of one training set. If it is better than others, all sizes are better by about as much, so
    that the gain is the same. What is left is that the parts differ. Its variance is estimated from
    the draws, and taken to be proportional to ``1 / n - 1 / n_all``; the largest size has none.

    References
    ----------
    .. [1] J. Hestness et al., "Deep learning scaling is predictable, empirically",
       arXiv:1712.00409 (2017).
    .. [2] T. Viering and M. Loog, "The shape of learning curves: a review", IEEE Transactions on
       Pattern Analysis and Machine Intelligence 45 (2023).
    .. [3] S. Mukherjee et al., "Estimating dataset size requirements for classifying DNA microarray
       data", Journal of Computational Biology 10 (2003).

    Examples
    --------
    Errors of 20%, 14%, 11% and 9.5% tend to 8%:

    >>> wrong = [(400, 1), (280, 1), (220, 1), (190, 1)]
    >>> correct = [np.tile(np.arange(2000) >= n, (2, 1)) for n, _ in wrong]
    >>> gain = expected_gain([100, 200, 400, 800], correct, 2)
    >>> round(gain.expected, 3)
    0.008
    """
    chance = 1 - 1 / n_classes
    kept = [i for i, draws in enumerate(correct) if 1 - float(draws.mean()) < NEAR_CHANCE * chance][
        -MOST_SIZES:
    ]
    wrong = [~correct[i] for i in kept]
    if len(kept) < FEWEST_SIZES or min(len(draws) for draws in wrong[:-1]) < 2:
        return None
    errors = np.array([draws.mean() for draws in wrong])
    shares = np.array([sizes[i] for i in kept]) / sizes[-1]
    low, expected, high = _percentiles(shares, errors, _covariance(shares, wrong))
    if high < 0 or (low < 0 and high > max(errors[-1] / 4, NEGLIGIBLE)):
        return None
    # On these test samples, nothing can be gained but the samples that are wrong now.
    return Gain(*(min(gain, float(errors[-1])) for gain in (expected, low, high)))


def _covariance(
    shares: NDArray[np.float64], wrong: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Return the covariance of the mean errors of all sizes, ``(n_sizes, n_sizes)``."""
    n_test = wrong[0].shape[1]
    covariance: NDArray[np.float64] = np.cov([draws.mean(axis=0) for draws in wrong]) / n_test
    # Where nothing was wrong, or nothing changed, this is zero. Two more samples that are right and
    # two that are wrong (Agresti and Coull), and a quarter of one that changed, are added.
    error = float(wrong[-1].mean())
    smoothed = (error * n_test + 2) / (n_test + 4)
    covariance += max(smoothed * (1 - smoothed) - error * (1 - error), 0.0) / n_test
    covariance += np.eye(len(wrong)) / (4 * n_test**2)
    of_all = [
        share / (1 - share) * (draws.mean(axis=1).var(ddof=1) - _test_variance(draws))
        for share, draws in zip(shares[:-1], wrong[:-1], strict=True)
    ]
    factors = [(1 / share - 1) / len(draws) for share, draws in zip(shares, wrong, strict=True)]
    return covariance + max(float(np.mean(of_all)), 0.0) * np.diag(factors)


def _test_variance(draws: NDArray[np.bool_]) -> float:
    """Return how much draws would vary by the choice of the test samples alone."""
    return float(np.mean(draws.var(axis=0, ddof=1)) / draws.shape[1])


def _percentiles(
    shares: NDArray[np.float64], errors: NDArray[np.float64], covariance: NDArray[np.float64]
) -> list[float]:
    """Return percentiles of the gain over curves drawn from all exponents."""
    rng = np.random.default_rng(0)
    precision = np.linalg.inv(covariance)
    gains: list[NDArray[Any]] = []
    log_weights: list[NDArray[Any]] = []
    for c in EXPONENTS:
        # The error of all samples, and the last halving's, which `b` is expressed by.
        X = np.stack([np.ones_like(shares), (shares**-c - 1) / (2**c - 1)], axis=1)
        information = X.T @ precision @ X
        spread = np.linalg.inv(information)
        mean = spread @ X.T @ precision @ errors
        residuals = errors - X @ mean
        error, halving = rng.multivariate_normal(mean, spread, CURVES).T
        log_weight = -0.5 * (
            residuals @ precision @ residuals
            + np.linalg.slogdet(information)[1]
            + ((c - USUAL_EXPONENT) / SPREAD) ** 2
        )
        gain = halving * 2**-c
        asymptote = error - halving / (2**c - 1)
        gains.append(gain)
        log_weights.append(np.where(asymptote >= 0, log_weight, -np.inf))
    return _weighted(np.concatenate(gains), np.concatenate(log_weights))


def _weighted(values: NDArray[Any], log_weights: NDArray[Any]) -> list[float]:
    order = np.argsort(values)
    weights = np.exp(log_weights - log_weights.max())[order]
    cumulated = np.cumsum(weights) / weights.sum()
    found = np.searchsorted(cumulated, np.array(PERCENTILES) / 100)
    return [round(float(value), 6) for value in values[order][found]]
