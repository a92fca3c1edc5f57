"""Refusing samples that are unlike the training samples: how many, and what that brings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from classify.errors import ClassifierError
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from toolkit.statistics import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RejectionResult:
    """What refusing unfamiliar samples does to a test split.

    Attributes
    ----------
    share : float
        Of new samples like the training samples that may be refused.
    n_test, n_refused : int
    refused_low, refused_high : float
        95% confidence interval of the share that is refused.
    accuracy : float or None
        Share of the others that are predicted correctly; None if there are none.
    accuracy_low, accuracy_high : float or None
        95% confidence interval of the accuracy.
    """

    share: float
    n_test: int
    n_refused: int
    refused_low: float
    refused_high: float
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None


def fewest_samples(share: float) -> int:
    """Return how many training samples are needed to refuse a share of familiar samples.

    Parameters
    ----------
    share : float
        Above 0 and below 1.

    Raises
    ------
    ClassifierError
        If `share` is out of range.

    Examples
    --------
    >>> fewest_samples(0.05), fewest_samples(0.01)
    (19, 99)
    """
    if not 0 < share < 1:
        raise ClassifierError(
            f"the share of familiar images to refuse is above 0 and below 1, found {share!r}",
            setting="reject",
        )
    return math.ceil(round(1 / share, 9)) - 1


def is_refused(familiarity: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Return which samples are refused, so that at most a share of familiar ones is.

    Parameters
    ----------
    familiarity : ndarray of float, shape (n_samples,)
        From `classify.evaluation.unfamiliar.familiarity.Familiarity`.
    share : float
        Above 0 and below 1.

    Examples
    --------
    >>> import numpy as np
    >>> is_refused(np.array([0.5, 0.01]), 0.05).tolist()
    [False, True]
    """
    refused: NDArray[np.bool_] = familiarity <= share
    return refused


def apply_rejection(
    familiarity: NDArray[Any],
    correct: NDArray[np.bool_],
    share: float,
    strata: NDArray[np.intp] | None = None,
    groups: NDArray[Any] | None = None,
) -> RejectionResult:
    """Measure what refusing unfamiliar samples does on a test split.

    Parameters
    ----------
    familiarity : ndarray of float, shape (n_samples,)
        Of the test samples.
    correct : ndarray of bool, shape (n_samples,)
        Whether each is predicted correctly.
    share : float
        Of new samples like the training samples that may be refused.
    strata : ndarray of int, shape (n_samples,), optional
        True classes; needed with groups.
    groups : ndarray of int, shape (n_samples,), optional
        The group of each sample, which the intervals then know of; see
        `classify.evaluation.uncertainty.group_intervals`.

    Examples
    --------
    >>> import numpy as np
    >>> result = apply_rejection(np.array([0.01, 0.4, 0.9]), np.array([False, True, True]), 0.05)
    >>> result.n_refused, result.accuracy
    (1, 1.0)
    """
    refused = is_refused(familiarity, share)
    n_test, n_refused = len(refused), int(refused.sum())
    n_kept, n_correct = n_test - n_refused, int(correct[~refused].sum())
    low, high = None, None
    if groups is None:
        refused_low, refused_high = wilson(n_refused, n_test)
        if n_kept:
            low, high = wilson(n_correct, n_kept)
    else:
        intervals = GroupIntervals(groups, strata if strata is not None else 0 * groups)
        refused_low, refused_high = intervals.share(refused)
        if n_kept:
            low, high = intervals.share(correct & ~refused, among=~refused)
    return RejectionResult(
        share=share,
        n_test=n_test,
        n_refused=n_refused,
        refused_low=refused_low,
        refused_high=refused_high,
        accuracy=n_correct / n_kept if n_kept else None,
        accuracy_low=low,
        accuracy_high=high,
    )
