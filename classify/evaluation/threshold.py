"""Answering only when sure enough: a threshold for a precision, chosen on training images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ClassifierError
from reports.record import Threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray


def threshold_for(
    probabilities: NDArray[Any], codes: NDArray[np.intp], precision: float
) -> float | None:
    """Return the least probability from which on answers are right as often as is wished.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of training images, each by a model that has not seen it.
    codes : ndarray of int, shape (n_samples,)
        Position of the class of every image.
    precision : float
        Share of the answers that shall be right, above 0 and at most 1.

    Returns
    -------
    float or None
        An answer is given where the most probable class has at least this probability. None if no
        threshold leaves answers that are right so often.

    Raises
    ------
    ClassifierError
        If `precision` is no such share.

    Examples
    --------
    >>> sure = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    >>> threshold_for(sure, np.array([0, 0, 0, 1]), 1.0)
    0.7
    """
    if not 0 < precision <= 1:
        raise ClassifierError(
            f"a target precision is a share above 0 and at most 1, found {precision!r}"
        )
    surest = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == codes
    order = np.argsort(-surest, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Equally sure answers are all given, or none of them.
    last_of_equals = np.append(np.diff(surest[order]) != 0, True)
    enough = np.flatnonzero((shares >= precision) & last_of_equals)
    return float(surest[order[enough[-1]]]) if len(enough) else None


def decided(
    probabilities: NDArray[Any], codes: NDArray[np.intp], threshold: float, target: float
) -> Threshold:
    """Say what a threshold does on test images.

    Parameters
    ----------
    probabilities, codes
        Of test images; see `threshold_for`.
    threshold : float
        From `threshold_for`.
    target : float
        The precision that it was chosen for.

    Examples
    --------
    >>> sure = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> decided(sure, np.array([0, 0]), 0.7, 0.99).undecided
    0.5
    """
    answered = probabilities.max(axis=1) >= threshold
    right = answered & (probabilities.argmax(axis=1) == codes)
    return Threshold(
        target=target,
        threshold=threshold,
        precision=float(right.sum() / answered.sum()) if answered.any() else None,
        recall=float(right.mean()),
        undecided=float(1 - answered.mean()),
    )
