"""Held-out predictions for training samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from classify.estimators.base import encode_labels
from classify.estimators.cross_validation import stratified_folds
from classify.estimators.rows import RowsOnDisk
from classify.parallel import in_this_process, parallel_starmap
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import Classifier
    from toolkit.progress import Progress

FOLDS = 5


@dataclass(frozen=True)
class HeldOutProbabilities:
    """Probabilities of training samples, each by a model that was not trained on it.

    Attributes
    ----------
    probabilities : ndarray of shape (n_held_out, n_classes)
    codes : ndarray of int64, shape (n_held_out,)
        True classes, as columns of `probabilities`.
    rows : ndarray of intp, shape (n_held_out,)
        Positions of the samples in the training split.
    """

    probabilities: NDArray[Any]
    codes: NDArray[np.int64]
    rows: NDArray[np.intp]


def hold_out(
    estimator: Classifier, X: Any, y: ArrayLike, progress: Progress = silent
) -> HeldOutProbabilities | None:
    """Predict training samples without having trained on them.

    Parameters
    ----------
    estimator : Classifier
        Trained on `X` and `y`. If it has the attribute `held_out_proba_`, that is taken: of all
        samples where the parameters were chosen by cross-validation, of the samples `held_out_`
        where some were held out. Otherwise copies of it are trained in five folds, with the
        parameters that it has chosen.
    X, y : array-like
        What it was trained on.
    progress : Progress, default=silent
        Called during the training of every fold.

    Returns
    -------
    HeldOutProbabilities or None
        None if a class has too few samples to leave one out, or `X` is on disk.

    Examples
    --------
    >>> from classify.estimators.centroid import Centroid
    >>> X, y = np.eye(2, dtype=np.float32)[[0, 1] * 6], ["a", "b"] * 6
    >>> hold_out(Centroid().fit(X, y), X, y).probabilities.argmax(axis=1).tolist()[:4]
    [0, 1, 0, 1]
    """
    classes, codes = encode_labels(y)
    known: NDArray[Any] | None = getattr(estimator, "held_out_proba_", None)
    if known is not None:
        rows = getattr(estimator, "held_out_", np.arange(len(codes)))
        return HeldOutProbabilities(known, codes[rows], rows)
    fewest = getattr(estimator, "min_class_size", 1) + 1
    if isinstance(X, RowsOnDisk) or int(np.bincount(codes).min()) < fewest:
        return None
    search = getattr(estimator, "search_", None)
    untrained = clone(estimator).set_params(**(search.chosen if search else {}))
    samples, labels = np.asarray(X), np.asarray(y)
    splits = stratified_folds(codes, FOLDS, getattr(estimator, "random_state", 0))
    reporters = [_fold_progress(progress, fold, len(splits)) for fold, _ in enumerate(splits, 1)]
    # A generator, so that a model is freed once it has predicted.
    tasks = (
        (clone(untrained), samples, labels, split, reporter)
        for split, reporter in zip(splits, reporters, strict=True)
    )
    probabilities = np.empty((len(codes), len(classes)))
    for (_, held_out), predicted in zip(
        splits, parallel_starmap(_predict_fold, tasks), strict=True
    ):
        probabilities[held_out] = predicted
    return HeldOutProbabilities(probabilities, codes, np.arange(len(codes)))


def _predict_fold(
    estimator: Classifier,
    X: NDArray[Any],
    y: NDArray[Any],
    split: tuple[NDArray[np.intp], NDArray[np.intp]],
    progress: Progress,
) -> NDArray[Any]:
    train, held_out = split
    return estimator.fit(X[train], y[train], progress=progress).predict_proba(X[held_out])


def _fold_progress(progress: Progress, fold: int, folds: int) -> Progress:
    """Add the fold to the stage; a fold that is trained in another process reports nothing."""
    if not in_this_process():
        return silent
    return lambda stage, done, total: progress(f"{stage}, fold {fold} of {folds}", done, total)
