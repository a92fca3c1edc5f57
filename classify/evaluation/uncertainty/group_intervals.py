"""Confidence intervals of 95% where samples come in groups, such as several images of a patient.

Samples of one group resemble each other, so that they tell less than as many separate ones. How
much less is measured by a bootstrap over whole groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, hstack
from scipy.special import stdtrit

from classify.evaluation.uncertainty.group_bootstrap import DRAWS, GroupBootstrap
from classify.evaluation.uncertainty.intervals import TINY, auc_limits
from toolkit.statistics import CONFIDENCE, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from classify.evaluation.uncertainty.intervals import Interval

PRIOR = 1.0
"""Weight of the assumption that groups are right or wrong as a whole."""
UPPER = (1 + CONFIDENCE) / 2
UNKNOWN = (0.0, 1.0)
FEWEST_FOR_LOSS = 20
"""With fewer groups, nothing is said of a mean loss: one group may make nearly all of it."""


class GroupIntervals:
    """Intervals of measures on samples that come in groups.

    Parameters
    ----------
    groups : array-like of int, shape (n_samples,)
        The group of each sample: any numbers.
    codes : array-like of int, shape (n_samples,)
        True classes.
    seed : int, default=0
    n_draws : int, default=10,000
        Draws of the bootstrap.

    Attributes
    ----------
    n_groups : int

    Notes
    -----
    A share's variance over the draws of a bootstrap, divided by that of as many independent
    samples, is its design effect. The effective number of samples is their number divided by the
    design effect, and by what the t distribution demands because the effect is estimated from few
    groups [1]_. Wilson's interval of so many samples is right near 0 and 1, too [2]_.

    Mistakes in few groups, or none, hardly tell the design effect. So it is a weighted mean of the
    estimate and of the assumption that all samples of a group are right or wrong together. The
    first weighs as the square of the effective number of groups that mistakes come from, the second
    as `PRIOR`: of the rules that were simulated, this one covered best. With one sample per group,
    all this is Wilson's interval of the samples, except for the randomness of the draws.

    References
    ----------
    .. [1] E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected
       number of positive counts estimated from survey data", Survey Methodology 24 (1998).
    .. [2] N. Dean and M. Pagano, "Evaluating confidence interval methods for binomial proportions
       in clustered surveys", Journal of Survey Statistics and Methodology 3 (2015).

    Examples
    --------
    Forty of fifty samples are right, in five groups that are right or wrong as a whole:

    >>> intervals = GroupIntervals(groups=np.arange(50) // 10, codes=np.zeros(50))
    >>> low, high = intervals.share(np.arange(50) < 40)
    >>> low < 0.4, high > 0.95
    (True, True)
    """

    def __init__(
        self, groups: ArrayLike, codes: ArrayLike, seed: int = 0, n_draws: int = DRAWS
    ) -> None:
        self._bootstrap = GroupBootstrap(groups, codes, seed, n_draws)
        self.n_groups = self._bootstrap.n_groups

    def table(
        self, columns: NDArray[np.intp], n_columns: int, counted: NDArray[np.bool_] | None = None
    ) -> csr_array:
        """Count the samples of each group in each column, ``(n_groups, n_columns)``.

        Parameters
        ----------
        columns : ndarray of intp, shape (n_samples,)
            The column of each sample, as its class.
        n_columns : int
        counted : ndarray of bool, shape (n_samples,), optional
            Which samples count; by default all.
        """
        index = self._bootstrap.index
        places = (index, columns) if counted is None else (index[counted], columns[counted])
        return csr_array((np.ones(len(places[0])), places), shape=(self.n_groups, n_columns))

    def sums(self, samples: NDArray[Any]) -> csr_array:
        """Return sums over the samples of each group, ``(n_groups, n_columns)``.

        Parameters
        ----------
        samples : ndarray of shape (n_columns, n_samples)
        """
        return csr_array(np.stack([self._bootstrap.sums(column) for column in samples], axis=1))

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Interval:
        """Return the interval of the share of hits among some samples, by default all.

        Parameters
        ----------
        hits, among : ndarray of bool, shape (n_samples,)
            Every hit is among them.
        """
        among = np.ones_like(hits) if among is None else among
        return self.shares(self.sums(hits[None]), self.sums(among[None]))[0]

    def shares(self, hits: csr_array, totals: csr_array) -> list[Interval]:
        """Return the interval of the share of hits in each column; that of nothing is from 0 to 1.

        Parameters
        ----------
        hits, totals : csr_array of shape (n_groups, n_columns)
            From `table`.
        """
        counts = self.effective_counts(hits, totals)
        return [wilson(*count) if count[1] else UNKNOWN for count in counts.tolist()]

    def effective_counts(self, hits: csr_array, totals: csr_array) -> NDArray[np.float64]:
        """Return as how many independent hits and samples those of each column count.

        Parameters
        ----------
        hits, totals : csr_array of shape (n_groups, n_columns)
            From `table`.

        Returns
        -------
        ndarray of float64, shape (n_columns, 2)
            Hits and samples; no samples if all are of one group, which tells nothing.
        """
        number, total = hits.sum(axis=0), totals.sum(axis=0)
        share, n_groups = _ratio(number, total), (totals > 0).sum(axis=0)
        effects = _design_effect(
            own=_ratio(
                self._variances(hits, totals, share), _ratio(share * (1 - share), total - 1)
            ),
            worst=_ratio((totals * totals).sum(axis=0), total),
            seen=np.where(share < 0.5, _effective(hits), _effective(totals - hits)),
        )
        counts = np.zeros((len(total), 2))
        known = n_groups > 1
        shrunk = effects[known] * _for_few(n_groups[known] - 1, total[known] - 1)
        counts[known] = np.stack([number[known], total[known]], axis=1) / shrunk[:, None]
        return counts

    def mean(self, values: NDArray[Any]) -> Interval | None:
        """Return the interval of the mean of a loss, or of a difference of losses.

        It is None with fewer than `FEWEST_FOR_LOSS` groups.

        Parameters
        ----------
        values : ndarray of float, shape (n_samples,)

        Notes
        -----
        The studentised bootstrap, as in
        `classify.evaluation.uncertainty.intervals.mean_loss_interval`: means of drawn groups,
        each divided by its own standard error, which is that of a ratio of sums.
        """
        mean, sums = float(values.mean()), self._bootstrap.sums
        totals, sizes = sums(values - mean), sums(np.ones(len(values)))
        columns = np.stack([totals, sizes, totals**2, totals * sizes, sizes**2], axis=1)
        error = float(_mean_and_error(columns.sum(axis=0))[1])
        if self.n_groups < FEWEST_FOR_LOSS:
            return None
        if not error > 0:
            return mean, mean
        distances = []
        for drawn in self._bootstrap.draws(columns, stratified=False):
            means, errors = _mean_and_error(drawn)
            varied = errors > TINY * error
            distances.append(means[varied] / errors[varied])
        low, high = np.quantile(np.concatenate(distances), [UPPER, 1 - UPPER])
        return mean - float(low) * error, mean - float(high) * error

    def area(self, scores: NDArray[Any], positive: NDArray[np.bool_]) -> Interval:
        """Return the interval of the area under a ROC curve.

        Parameters
        ----------
        scores : ndarray of float, shape (n_samples,)
        positive : ndarray of bool, shape (n_samples,)
            Some samples are positive, and some are not.

        Notes
        -----
        The design effect is the variance of the area by the sums of the placement values in each
        group [1]_, over that by the single placement values [2]_. The interval is Newcombe's of the
        effective numbers of samples.

        References
        ----------
        .. [1] N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53
           (1997).
        .. [2] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two
           or more correlated receiver operating characteristic curves", Biometrics 44 (1988).
        """
        sums, sides = self._bootstrap.sums, np.stack([positive, ~positive])
        counts = sides.sum(axis=1)
        sizes = np.stack([sums(side) for side in sides])
        n_groups = (sizes > 0).sum(axis=1)
        placements = _placements(scores, positive)
        area = float(placements[positive].mean())
        if n_groups.min() < 2:
            return UNKNOWN
        parts = np.where(sides, placements - area, 0) / counts[:, None]
        of_groups = np.stack([sums(part) for part in parts])
        single = _unbiased(counts) @ (parts**2).sum(axis=1)
        own = _unbiased(n_groups) @ (of_groups**2).sum(axis=1)
        own += 2 * _unbiased(self.n_groups) * of_groups[0] @ of_groups[1]
        mistakes = placements if area < 0.5 else 1 - placements
        effect = _design_effect(
            own=_ratio(own, single),
            worst=((sizes / counts[:, None]) ** 2).sum() / (1 / counts).sum(),
            seen=_effective(sums(mistakes / np.where(positive, *counts))),
        )
        shrunk = float(effect * _for_few(n_groups.min() - 1, counts.sum() - 2))
        return auc_limits(area, counts[0] / shrunk, counts[1] / shrunk)

    def _variances(self, hits: csr_array, totals: csr_array, share: NDArray[Any]) -> NDArray[Any]:
        """Return the bootstrap's variance of the share of hits in each column."""
        squares, n_draws = np.zeros(len(share)), np.zeros(len(share))
        for sums in self._bootstrap.draws(hstack([hits, totals], format="csr"), stratified=True):
            number, total = np.split(sums, 2, axis=1)
            drawn = total > 0
            squares += (np.where(drawn, _ratio(number, total) - share, 0) ** 2).sum(axis=0)
            n_draws += drawn.sum(axis=0)
        return _ratio(squares, n_draws)


def correlation_factor(hits: csr_array, totals: csr_array) -> float:
    """Return the variance of the mean of shares over that of as many uncorrelated ones.

    Parameters
    ----------
    hits, totals : csr_array of shape (n_groups, n_shares)
        Hits among samples in each group, for each of the shares; each has samples. Without any
        mistakes, groups are taken to be right or wrong as a whole, whatever share they belong to.
    """
    weights = 1 / totals.sum(axis=0)
    residuals = (hits - totals * (hits.sum(axis=0) * weights)) * weights
    if not (residuals * residuals).sum() > TINY:
        residuals = totals * weights
    return float((residuals.sum(axis=1) ** 2).sum() / (residuals * residuals).sum())


def _design_effect(own: Any, worst: Any, seen: Any) -> Any:
    """Return the design effect, at least 1, of which `seen` groups have told `own`."""
    return np.maximum(1.0, (seen**2 * own + PRIOR * worst) / (seen**2 + PRIOR))


def _effective(mistakes: Any) -> Any:
    """Return the effective number of groups that mistakes come from, by column."""
    return _ratio(mistakes.sum(axis=0) ** 2, (mistakes * mistakes).sum(axis=0))


def _for_few(degrees: Any, of_samples: Any) -> Any:
    """Return what the t distribution demands more of few groups than of as many samples."""
    return (stdtrit(degrees, UPPER) / stdtrit(of_samples, UPPER)) ** 2


def _placements(scores: NDArray[Any], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of samples on the other side that each sample is in the right order with."""
    placements = np.empty(len(scores))
    for side, sign in ((positive, 1), (~positive, -1)):
        others = np.sort(sign * scores[~side])
        own = sign * scores[side]
        below = np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")
        placements[side] = below / (2 * len(others))
    return placements


def _mean_and_error(sums: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return mean and standard error by sums over groups, in the last axis.

    They are of the values ``v`` and sizes ``n`` of the groups: v, n, v * v, v * n and n * n.
    """
    values, sizes, values_2, mixed, sizes_2 = np.moveaxis(sums, -1, 0)
    means = values / sizes
    squares = values_2 - 2 * means * mixed + means**2 * sizes_2
    return means, np.sqrt(np.maximum(squares, 0)) / sizes


def _ratio(above: Any, below: Any) -> NDArray[np.float64]:
    """Return quotients, 0 where the divisor is not positive."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    quotients: NDArray[np.float64] = np.divide(
        above, below, out=np.zeros(below.shape), where=below > 0
    )
    return quotients


def _unbiased(number: Any) -> Any:
    return number / (number - 1)
