"""Rejecting uncertain predictions: a probability threshold that reaches a target precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from classify.errors import ClassifierError
from classify.evaluation.calibration import answered
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Probability that a chosen threshold reaches its target on unseen images."""
CANDIDATES = expit(np.linspace(16, -6, 89))
"""Thresholds that are tried, the strictest first: a quarter apart in log odds."""
STARTS = (0.1, 0.25, 0.5)
"""Shares of the samples that are decided where a sequence of tests starts."""


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
        Wilson's 95% confidence interval of the precision.
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
    decided = [top >= candidate for candidate in CANDIDATES]
    n_decided = np.array([rows.sum() for rows in decided])
    starts = {
        int(np.argmax(n_decided >= least))
        for least in (max(needed, share * len(top)) for share in STARTS)
        if n_decided[-1] >= least
    }
    passed = []
    for start in starts:
        for candidate in range(start, len(CANDIDATES)):
            n_wrong = (wrong & decided[candidate]).sum()
            p_value = binom.cdf(n_wrong, n_decided[candidate], 1 - precision)
            if p_value > (1 - CONFIDENCE) / len(starts):
                break
            passed.append(float(CANDIDATES[candidate]))
    return min(passed, default=None)


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
    low, high = wilson(n_correct, n_decided) if n_decided else (None, None)
    return ThresholdResult(
        target=target,
        threshold=threshold,
        precision=n_correct / n_decided if n_decided else None,
        precision_low=low,
        precision_high=high,
        recall=float(correct.mean()),
        undecided=float(1 - decided.mean()),
    )
