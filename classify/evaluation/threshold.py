"""Rejecting uncertain predictions: a probability threshold for a target precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ClassifierError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ThresholdResult:
    """What a threshold does to the predictions on a test split.

    A sample is decided if its most probable class has at least the probability `threshold`.

    Attributes
    ----------
    target : float
        The precision that the threshold was chosen for on the training split.
    threshold : float
    precision : float or None
        Share of the decided samples that are correct; None if no sample is decided.
    recall : float
        Share of all samples that are decided and correct.
    undecided : float
        Share of all samples that are not decided.
    """

    target: float
    threshold: float
    precision: float | None
    recall: float
    undecided: float


def choose_threshold(
    probabilities: NDArray[Any], codes: NDArray[np.intp], precision: float
) -> float | None:
    """Return the lowest threshold whose decided samples reach the target precision.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training samples, each predicted by a model that was not trained on it.
    codes : ndarray of int, shape (n_samples,)
        True classes, as columns of `probabilities`.
    precision : float
        Target: the share of the decided samples that should be correct, above 0 and at most 1.

    Returns
    -------
    float or None
        None if no threshold reaches the target.

    Raises
    ------
    ClassifierError
        If `precision` is out of range.

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    >>> choose_threshold(probabilities, np.array([0, 0, 0, 1]), 1.0)
    0.7
    """
    if not 0 < precision <= 1:
        raise ClassifierError(
            f"a target precision is a share above 0 and at most 1, found {precision!r}",
            setting="target_precision",
        )
    top = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == codes
    order = np.argsort(-top, kind="stable")
    precisions = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    # Samples of equal probability are all decided, or none of them is.
    last_of_equals = np.append(np.diff(top[order]) != 0, True)
    possible = np.flatnonzero((precisions >= precision) & last_of_equals)
    return float(top[order[possible[-1]]]) if len(possible) else None


def apply_threshold(
    probabilities: NDArray[Any], codes: NDArray[np.intp], threshold: float, target: float
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

    Returns
    -------
    ThresholdResult

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> apply_threshold(probabilities, np.array([0, 0]), 0.7, target=0.99).undecided
    0.5
    """
    decided = probabilities.max(axis=1) >= threshold
    correct = decided & (probabilities.argmax(axis=1) == codes)
    return ThresholdResult(
        target=target,
        threshold=threshold,
        precision=float(correct.sum() / decided.sum()) if decided.any() else None,
        recall=float(correct.mean()),
        undecided=float(1 - decided.mean()),
    )
