"""How a classifier does on the test samples whose label was corrected, and on the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from toolkit.statistics import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RelabelledResult:
    """Test samples whose label was corrected apart from the others.

    Attributes
    ----------
    n_relabelled, n_relabelled_correct : int
        Those whose label was corrected, and how many of them are predicted correctly.
    n_others, n_others_correct : int
        The others.
    others_low, others_high : float or None
        95% interval of the accuracy on the others; None if there are none.
    """

    n_relabelled: int
    n_relabelled_correct: int
    n_others: int
    n_others_correct: int
    others_low: float | None
    others_high: float | None


def relabelled_apart(
    correct: NDArray[np.bool_],
    relabelled: NDArray[np.bool_],
    strata: NDArray[np.intp],
    groups: NDArray[Any] | None = None,
) -> RelabelledResult:
    """Measure the accuracy on test samples whose label was corrected, and on the others.

    Parameters
    ----------
    correct : ndarray of bool, shape (n_test,)
        Whether each test sample is predicted correctly.
    relabelled : ndarray of bool, shape (n_test,)
        Whether its label was corrected.
    strata : ndarray of int, shape (n_test,)
        True classes.
    groups : ndarray of int, shape (n_test,), optional
        The group of each sample, which the interval then knows of; see
        `classify.evaluation.uncertainty.group_intervals`.

    Examples
    --------
    >>> import numpy as np
    >>> correct, relabelled = np.array([True, False, True]), np.array([True, False, False])
    >>> found = relabelled_apart(correct, relabelled, np.array([0, 1, 1]))
    >>> found.n_relabelled_correct, found.n_others, found.n_others_correct
    (1, 2, 1)
    """
    n_others, n_others_correct = int((~relabelled).sum()), int((correct & ~relabelled).sum())
    low, high = None, None
    if n_others:
        low, high = wilson(n_others_correct, n_others)
        if groups is not None:
            others = GroupIntervals(groups, strata)
            low, high = others.share(correct & ~relabelled, among=~relabelled)
    return RelabelledResult(
        n_relabelled=int(relabelled.sum()),
        n_relabelled_correct=int((correct & relabelled).sum()),
        n_others=n_others,
        n_others_correct=n_others_correct,
        others_low=low,
        others_high=high,
    )
