"""Choosing C (and the kernel) by cross-validation inside the training data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from classify.errors import ClassifierError
from reports.record import Search, SearchPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cache.console import Progress

log = logging.getLogger(__name__)

# On VGG16's embeddings of the lesson's training images, scaled to unit mean squared norm, an SVM
# ceases to change below 0.005 (every image is a support vector at its bound) and above 15 (none
# is), and logistic regression gains nothing beyond 100. Near the top, a step of half a decade moves
# the cross-validated accuracy by less than its standard error.
C_GRID: tuple[float, ...] = tuple(10.0 ** (half / 2) for half in range(-6, 7))


@dataclass(frozen=True)
class Outcome:
    """What a cross-validated search found.

    Attributes
    ----------
    record : Search
        Every point with its score, for the report.
    chosen : dict
        The best point.
    scores : ndarray of float64, shape (n_samples, n_classes)
        The best point's class scores of every sample, each by a model that has not seen it.
    """

    record: Search
    chosen: dict[str, Any]
    scores: NDArray[np.float64]


def c_grid(C: float | Sequence[float] | None) -> list[float]:
    """Return the values of C to try, ascending: `C_GRID`, one fixed value, or the given ones.

    Raises
    ------
    ClassifierError
        If a value is not a positive finite number, or there is none.

    Examples
    --------
    >>> c_grid(1), c_grid([10, 0.1])
    ([1.0], [0.1, 10.0])
    """
    values = sorted({float(value) for value in np.atleast_1d(C_GRID if C is None else C)})
    if not values or not all(0 < value < np.inf for value in values):
        raise ClassifierError(
            f"C must be a positive number or several of them, found {C!r}; "
            "leave it out to have it chosen by cross-validation"
        )
    return values


def class_scores(decision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one column a class, whose softmax is the sigmoid of a binary `decision`.

    Examples
    --------
    >>> class_scores(np.array([3.0]))
    array([[-1.5,  1.5]])
    """
    if decision.ndim == 1:
        return np.stack([-decision / 2, decision / 2], axis=1)
    return decision


def log_loss(scores: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Return the mean negative log probability of the true classes, the softmax of `scores`.

    Examples
    --------
    >>> round(log_loss(np.array([[0.0, 0.0]]), np.array([1])), 4)
    0.6931
    """
    return float(-log_softmax(scores, axis=1)[np.arange(len(codes)), codes].mean())


def cross_validate(
    points: Sequence[dict[str, Any]],
    score_fold: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
    codes: NDArray[np.int64],
    *,
    folds: int,
    seed: int | np.random.RandomState | None,
    progress: Progress,
    stage: str,
    loss: Callable[[NDArray[np.float64], NDArray[np.int64]], float] = log_loss,
) -> Outcome:
    """Score every point on stratified folds, and choose the one of least log loss.

    Accuracy counts a few dozen errors, and over a decade or two of C goes up and down by chance;
    the log loss weighs how sure every answer was, and has one minimum. Of equally good points the
    one with the smallest C (the strongest regularisation) is chosen, and of these the first listed.

    Parameters
    ----------
    points : sequence of dict
        Parameters, each with a ``C``.
    score_fold : callable
        Given the positions of the training and of the validation samples, returns the class scores
        of the latter for every point, ``(n_points, n_validation, n_classes)``. Called from several
        threads at once.
    codes : ndarray of int64, shape (n_samples,)
        Position of the class of every sample; at least two samples a class.
    folds : int
        Fewer are made where a class has fewer samples than that.
    seed : int, RandomState or None
        Shuffles the samples before they are split.
    progress : Progress
        Told about every finished fold.
    stage : str
        What `progress` calls the search.
    loss : callable
        Given the class scores of all samples, each by a model that has not seen it, and `codes`,
        returns their log loss.

    Raises
    ------
    ClassifierError
        If `folds` is less than two.
    """
    splits = _stratified_folds(codes, folds, seed)
    scores: NDArray[np.float64] | None = None
    correct = np.empty((len(points), len(splits)))
    progress(stage, 0, len(splits))
    # The folds take a core each; a BLAS that took all cores for each of them would only wait.
    with threadpool_limits(1, user_api="blas"):
        scored = joblib.Parallel(
            n_jobs=min(len(splits), joblib.cpu_count()), prefer="threads", return_as="generator"
        )(joblib.delayed(score_fold)(train, held_out) for train, held_out in splits)
        for fold, ((_, held_out), found) in enumerate(zip(splits, scored, strict=True)):
            if scores is None:
                scores = np.empty((len(points), len(codes), found.shape[2]))
            scores[:, held_out] = found
            correct[:, fold] = (found.argmax(axis=2) == codes[held_out]).mean(axis=1)
            progress(stage, fold + 1, len(splits))
    assert scores is not None
    means, deviations = correct.mean(axis=1), correct.std(axis=1)
    losses = [loss(found, codes) for found in scores]
    # Rounded, so that differences that mean nothing do not decide for a larger C.
    best = min(range(len(points)), key=lambda i: (round(losses[i], 5), points[i]["C"]))
    record = Search(
        folds=len(splits),
        scoring="accuracy",
        points=[
            SearchPoint(dict(point), float(mean), float(deviation), log_loss=found)
            for point, mean, deviation, found in zip(points, means, deviations, losses, strict=True)
        ],
        chosen=dict(points[best]),
        chosen_by="log loss",
    )
    return Outcome(record, dict(points[best]), scores[best])


def _stratified_folds(
    codes: NDArray[np.int64], folds: int, seed: int | np.random.RandomState | None
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Split into `folds` folds, or as many as the smallest class has samples."""
    if folds < 2:
        raise ClassifierError(f"cross-validation needs at least 2 folds, found {folds}")
    smallest = int(np.bincount(codes).min())
    if smallest < folds:
        log.info(
            "the smallest class has %d training images: %d folds instead of %d",
            smallest,
            smallest,
            folds,
        )
    splitter = StratifiedKFold(min(folds, smallest), shuffle=True, random_state=seed)
    return list(splitter.split(codes, codes))
