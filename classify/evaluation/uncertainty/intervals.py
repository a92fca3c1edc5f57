"""Confidence intervals of 95% for the measures of a classifier besides its accuracy."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from toolkit.statistics import CONFIDENCE, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DRAWS = 1000
AT_ONCE = 2**22
"""Losses that are in memory together."""
TINY = 1e-9
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

Interval = tuple[float, float]


def share_interval(number: int, total: int) -> Interval:
    """Return Wilson's interval of a share; that of nothing is from 0 to 1."""
    return wilson(number, total) if total else (0.0, 1.0)


def mean_interval(
    n_correct: Sequence[int] | NDArray[Any], n_samples: Sequence[int] | NDArray[Any]
) -> Interval:
    """Return the interval of a mean of shares, such as the balanced accuracy.

    Parameters
    ----------
    n_correct, n_samples : sequence of int
        Of each class; `n_samples` is at least one.

    Notes
    -----
    Each share's Wilson interval is put together by the method of variance estimates recovery [1]_.
    It needs no normal distribution, and is no point where every sample is correct, as a bootstrap's
    would be.

    References
    ----------
    .. [1] G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a
       general approach", Statistics in Medicine 27 (2008).

    Examples
    --------
    >>> low, high = mean_interval([9, 10], [10, 10])
    >>> round(low, 3), round(high, 3)
    (0.744, 0.991)
    """
    intervals = [wilson(*counts) for counts in zip(n_correct, n_samples, strict=True)]
    return mean_of_shares(np.divide(n_correct, n_samples), intervals)


def mean_of_shares(
    shares: NDArray[np.float64], intervals: Sequence[Interval], correlation: float = 1.0
) -> Interval:
    """Return the interval of a mean of shares, from those of the shares.

    Parameters
    ----------
    shares : ndarray of shape (n_shares,)
    intervals : sequence of tuple of float, length n_shares
    correlation : float, default=1.0
        The variance of the mean, over that of as many uncorrelated shares.
    """
    below, above = np.sqrt(
        correlation * ((np.array(intervals) - shares[:, None]) ** 2).sum(axis=0)
    ) / len(shares)
    mean = float(shares.mean())
    return max(0.0, mean - float(below)), min(1.0, mean + float(above))


def f1_interval(n_correct: int, n_true: int, n_predicted: int) -> Interval:
    """Return the interval of the F1 score of a class.

    Parameters
    ----------
    n_correct, n_true, n_predicted : int
        Samples of the class that are predicted as such, all samples of the class, and all that are
        predicted as such.

    Notes
    -----
    F1 is ``2 * J / (1 + J)``, where ``J`` is the share of the correct samples among those that are
    of the class or predicted as such. The limits are those of Wilson's interval of ``J``.

    Examples
    --------
    >>> low, high = f1_interval(9, 10, 10)
    >>> round(low, 3), round(high, 3)
    (0.687, 0.974)
    """
    return f1_limits(*share_interval(n_correct, n_true + n_predicted - n_correct))


def f1_limits(low: float, high: float) -> Interval:
    """Return the limits of F1 where these are those of the share `J`; see `f1_interval`."""
    return 2 * low / (1 + low), 2 * high / (1 + high)


def roc_auc_interval(areas: Sequence[float], n_positive: Sequence[int], total: int) -> Interval:
    """Return the interval of the mean area under ROC curves.

    Parameters
    ----------
    areas : sequence of float
        Area under each class's curve, against the rest.
    n_positive : sequence of int
        Samples of each of these classes.
    total : int
        All samples.

    Notes
    -----
    For each curve, the limits are the areas at which the observed one is 1.96 standard errors away,
    with the standard error for that area: Newcombe's method 5 [1]_. It is no point where every pair
    is in the right order. Several curves are of the same samples, so that their errors do not
    cancel out: the limits are the means of theirs, which is on the safe side.

    References
    ----------
    .. [1] R. G. Newcombe, "Confidence intervals for an effect size measure based on the
       Mann-Whitney statistic. Part 2", Statistics in Medicine 25 (2006).

    Examples
    --------
    >>> low, high = roc_auc_interval([0.9], [50], 100)
    >>> round(low, 3), round(high, 3)
    (0.816, 0.946)
    >>> round(roc_auc_interval([1.0], [50], 100)[0], 3)
    0.96
    """
    limits = [
        auc_limits(area, positive, total - positive)
        for area, positive in zip(areas, n_positive, strict=True)
    ]
    low, high = np.mean(limits, axis=0)
    return float(low), float(high)


def auc_limits(area: float, n_positive: float, n_negative: float) -> Interval:
    """Return the interval of the area under one ROC curve by Newcombe's method 5."""
    extra = max(0.0, (n_positive + n_negative) / 2 - 1)

    def distance(limit: float) -> float:
        spread = 1 + extra * ((1 - limit) / (2 - limit) + limit / (1 + limit))
        return (area - limit) ** 2 - Z**2 * limit * (1 - limit) * spread / (n_positive * n_negative)

    # Where all pairs are in one order, the area itself is a root, too.
    low = float(brentq(distance, 0, min(area, 1 - TINY))) if area > 0 else 0.0
    high = float(brentq(distance, max(area, TINY), 1)) if area < 1 else 1.0
    return low, high


def mean_loss_interval(losses: NDArray[Any], seed: int = 0) -> Interval:
    """Return the interval of a mean loss, or of a mean difference, by the studentised bootstrap.

    Parameters
    ----------
    losses : ndarray of shape (n_samples,)
    seed : int, default=0

    Notes
    -----
    A few wrong predictions make most of a log loss. Then the quantiles of the means themselves
    miss the true mean too often, and those of the means divided by their standard errors [1]_ do
    not.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 12.5.

    Examples
    --------
    >>> low, high = mean_loss_interval(np.array([0.0, 1.0] * 50))
    >>> round(low, 1), round(high, 1)
    (0.4, 0.6)
    """
    n, mean = len(losses), float(losses.mean())
    error = float(losses.std()) / n**0.5
    if not error > 0:
        return mean, mean
    rng = np.random.default_rng(seed)
    deviations = []
    for start in range(0, DRAWS, max(1, AT_ONCE // n)):
        n_draws = min(max(1, AT_ONCE // n), DRAWS - start)
        drawn = losses[rng.integers(0, n, (n_draws, n))]
        errors = drawn.std(axis=1) / n**0.5
        differences = drawn.mean(axis=1) - mean
        deviations.append(differences[errors > 0] / errors[errors > 0])
    low, high = np.quantile(
        np.concatenate(deviations), [(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2]
    )
    return mean - float(low) * error, mean - float(high) * error
