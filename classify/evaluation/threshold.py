"""Rejecting uncertain predictions: a probability threshold that reaches a target precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betainc, expit
from scipy.stats import binom

from classify.errors import ClassifierError
from classify.evaluation.calibration import answered
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Probability that a chosen threshold reaches its target on unseen images."""
CANDIDATES = np.append(expit(np.linspace(16, -6, 89)), 0.0)
"""Thresholds that are tried, the strictest first: a quarter apart in log odds, and none."""
STARTS = (0.1, 0.25, 0.5)
"""Shares of the samples that are decided where a sequence of tests starts."""
TEST_DRAWS = 1000
"""Of the bootstrap over groups, for the tests of all thresholds together."""


@dataclass(frozen=True)
class ThresholdResult:
    """What a threshold does to the predictions on a test split.

    A sample is decided if the class that is answered has at least the probability `threshold`.

    Attributes
    ----------
    target : float
        The precision that the threshold was chosen for on the training split.
    threshold : float
    precision : float or None
        Share of the decided samples that are correct; None if no sample is decided.
    precision_low, precision_high : float or None
        Its 95% confidence interval: Wilson's, or that of
        `classify.evaluation.uncertainty.group_intervals`.
    recall : float
        Share of all samples that are decided and correct.
    undecided : float
        Share of all samples that are not decided.
    """

    target: float
    threshold: float
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    recall: float
    undecided: float


def choose_threshold(
    probabilities: NDArray[Any],
    codes: NDArray[np.intp],
    precision: float,
    answers: NDArray[np.intp] | None = None,
    groups: NDArray[Any] | None = None,
) -> float | None:
    """Return the lowest threshold that reaches the target precision on unseen samples, too.

    It does so with a probability of at least `CONFIDENCE`, if unseen samples are drawn as these
    are.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training samples, each predicted by a model that was not trained on it.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.
    precision : float
        Target: the share of the decided samples that should be correct, above 0 and below 1.
    answers : ndarray of int, shape (n_samples,), optional
        Predicted classes; None is the most probable ones.
    groups : ndarray of int, shape (n_samples,), optional
        The group of each sample. The tests then count the effective numbers of samples; see
        `classify.evaluation.uncertainty.group_intervals`.

    Returns
    -------
    float or None
        None if no threshold can be shown to reach the target; see `fewest_samples`.

    Raises
    ------
    ClassifierError
        If `precision` is out of range.

    Notes
    -----
    Learn then Test [1]_ with fixed-sequence testing: from each of the `STARTS`, looser and looser
    `CANDIDATES` are tested, until one is not shown to reach the target by an exact binomial test.
    Within a sequence, no correction for the number of tests is needed; between the sequences, it is
    Bonferroni's. Where they start depends on the probabilities alone, not on the true classes.

    References
    ----------
    .. [1] A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan and L. Lei, "Learn then Test:
       Calibrating predictive algorithms to achieve risk control", arXiv:2110.01052 (2021).

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6]]).repeat(40, axis=0)
    >>> codes = np.array([0, 1]).repeat([60, 20])
    >>> round(choose_threshold(probabilities, codes, 0.9), 3)
    0.622
    """
    needed = fewest_samples(precision)
    answers, top = answered(probabilities, answers)
    wrong = answers != codes
    decided = top >= CANDIDATES[:, None]
    if groups is None:
        n_decided, n_samples = decided.sum(axis=1), float(len(top))
        p_values = binom.cdf((wrong & decided).sum(axis=1), n_decided, 1 - precision)
    else:
        n_decided, n_samples, p_values = _tests_of_groups(decided, wrong, precision, groups, codes)
    starts = {
        int(np.argmax(n_decided >= least))
        for least in (max(needed, share * n_samples) for share in STARTS)
        if n_decided[-1] >= least
    }
    passed = []
    for start in starts:
        for candidate in range(start, len(CANDIDATES)):
            if p_values[candidate] > (1 - CONFIDENCE) / len(starts):
                break
            passed.append(float(CANDIDATES[candidate]))
    return min(passed, default=None)


def _tests_of_groups(
    decided: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    precision: float,
    groups: NDArray[Any],
    codes: NDArray[np.intp],
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Return the effective numbers of decided samples and of all, and the p-value of each test.

    The numbers are those without any mistake, so that they do not depend on the true classes. The
    binomial distribution of numbers that are not whole is that of the incomplete beta function.
    """
    intervals = GroupIntervals(groups, codes, n_draws=TEST_DRAWS)
    totals, mistakes = intervals.sums(decided), intervals.sums(decided & wrong)
    numbers = intervals.effective_counts(totals, totals)[:, 1]
    n_wrong, n = intervals.effective_counts(mistakes, totals).T
    possible = n_wrong < n
    p_values = np.ones(len(n))
    p_values[possible] = betainc((n - n_wrong)[possible], n_wrong[possible] + 1, precision)
    return numbers, float(numbers[-1]), p_values


def fewest_samples(precision: float) -> int:
    """Return how many samples, all correct, are needed to show a precision.

    Parameters
    ----------
    precision : float
        Above 0 and below 1.

    Raises
    ------
    ClassifierError
        If `precision` is out of range.

    Examples
    --------
    >>> fewest_samples(0.9), fewest_samples(0.99)
    (29, 299)
    """
    if not 0 < precision < 1:
        raise ClassifierError(
            f"a target precision is a share above 0 and below 1, found {precision!r}; no number "
            "of images can show that every prediction is correct",
            setting="target_precision",
        )
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(precision))


def apply_threshold(
    probabilities: NDArray[Any],
    codes: NDArray[np.intp],
    threshold: float,
    target: float,
    answers: NDArray[np.intp] | None = None,
    groups: NDArray[Any] | None = None,
) -> ThresholdResult:
    """Measure what a threshold does on a test split.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of test samples.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.
    threshold : float
        From `choose_threshold`.
    target : float
        The precision that it was chosen for.
    answers : ndarray of int, shape (n_samples,), optional
        Predicted classes; None is the most probable ones.
    groups : ndarray of int, shape (n_samples,), optional
        The group of each sample, which the interval then knows of; see
        `classify.evaluation.uncertainty.group_intervals`.

    Returns
    -------
    ThresholdResult

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> apply_threshold(probabilities, np.array([0, 0]), 0.7, target=0.99).undecided
    0.5
    """
    answers, top = answered(probabilities, answers)
    decided = top >= threshold
    correct = decided & (answers == codes)
    n_decided, n_correct = int(decided.sum()), int(correct.sum())
    low, high = None, None
    if n_decided:
        low, high = (
            wilson(n_correct, n_decided)
            if groups is None
            else GroupIntervals(groups, codes).share(correct, among=decided)
        )
    return ThresholdResult(
        target=target,
        threshold=threshold,
        precision=n_correct / n_decided if n_decided else None,
        precision_low=low,
        precision_high=high,
        recall=float(correct.mean()),
        undecided=float(1 - decided.mean()),
    )
