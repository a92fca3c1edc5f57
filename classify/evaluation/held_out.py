"""Held-out predictions for training samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from classify.estimators.base import encode_labels
from classify.estimators.cross_validation import fold_numbers, stratified_folds
from classify.estimators.groups import divided_classes, encode_groups
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
    divided_classes : ndarray of shape (n_divided,)
        The labels of classes for which they are optimistic: samples of one group were both trained
        on and held out, because the class would have vanished from the training otherwise.
    """

    probabilities: NDArray[Any]
    codes: NDArray[np.int64]
    rows: NDArray[np.intp]
    divided_classes: NDArray[Any]


def hold_out(
    estimator: Classifier,
    X: Any,
    y: ArrayLike,
    progress: Progress = silent,
    groups: ArrayLike | None = None,
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
    groups : array-like of shape (n_samples,), optional
        What it was trained with. Whole groups are held out.

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
        divided = getattr(estimator, "divided_classes_", classes[:0])
        return HeldOutProbabilities(known, codes[rows], rows, divided)
    fewest = getattr(estimator, "min_class_size", 1) + 1
    if isinstance(X, RowsOnDisk) or int(np.bincount(codes).min()) < fewest:
        return None
    search = getattr(estimator, "search_", None)
    untrained = clone(estimator).set_params(**(search.chosen if search else {}))
    samples, labels = np.asarray(X), np.asarray(y)
    of_samples, seed = encode_groups(groups, len(codes)), getattr(estimator, "random_state", 0)
    splits = stratified_folds(codes, FOLDS, seed, of_samples)
    reporters = [_fold_progress(progress, fold, len(splits)) for fold, _ in enumerate(splits, 1)]
    # A generator, so that a model is freed once it has predicted.
    tasks = (
        (clone(untrained), samples, labels, of_samples, split, reporter)
        for split, reporter in zip(splits, reporters, strict=True)
    )
    probabilities = np.empty((len(codes), len(classes)))
    for (_, held_out), predicted in zip(
        splits, parallel_starmap(_predict_fold, tasks), strict=True
    ):
        probabilities[held_out] = predicted
    divided = classes[divided_classes(codes, of_samples, fold_numbers(splits))]
    return HeldOutProbabilities(probabilities, codes, np.arange(len(codes)), divided)


def _predict_fold(
    estimator: Classifier,
    X: NDArray[Any],
    y: NDArray[Any],
    groups: NDArray[np.int64] | None,
    split: tuple[NDArray[np.intp], NDArray[np.intp]],
    progress: Progress,
) -> NDArray[Any]:
    train, held_out = split
    of_train = None if groups is None else groups[train]
    estimator.fit(X[train], y[train], progress=progress, groups=of_train)
    return estimator.predict_proba(X[held_out])


def _fold_progress(progress: Progress, fold: int, folds: int) -> Progress:
    """Add the fold to the stage; a fold that is trained in another process reports nothing."""
    if not in_this_process():
        return silent
    return lambda stage, done, total: progress(f"{stage}, fold {fold} of {folds}", done, total)
