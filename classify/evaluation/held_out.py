"""Held-out predictions for training samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from classify.estimators.base import encode_labels
from classify.parallel import in_this_process, parallel_starmap
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import Classifier
    from toolkit.progress import Progress

FOLDS = 5


def held_out_proba(
    estimator: Classifier, X: ArrayLike, y: ArrayLike, progress: Progress = silent
) -> NDArray[Any]:
    """Return probabilities of training samples, each by a model that was not trained on it.

    Parameters
    ----------
    estimator : Classifier
        Trained on `X` and `y`. If it has the attribute `held_out_proba_`, that is returned: of all
        samples where the parameters were chosen by cross-validation, of the samples `held_out_`
        where some were held out. Otherwise copies of it are trained in five folds, with the
        parameters that it has chosen.
    X, y : array-like
        What it was trained on.
    progress : Progress, default=silent
        Called during the training of every fold.

    Returns
    -------
    ndarray of shape (n_samples, n_classes) or (n_held_out, n_classes)

    Examples
    --------
    >>> from classify.estimators.centroid import Centroid
    >>> X, y = np.eye(2, dtype=np.float32)[[0, 1] * 6], ["a", "b"] * 6
    >>> held_out_proba(Centroid().fit(X, y), X, y).argmax(axis=1).tolist()[:4]
    [0, 1, 0, 1]
    """
    known: NDArray[Any] | None = getattr(estimator, "held_out_proba_", None)
    if known is not None:
        return known
    search = getattr(estimator, "search_", None)
    untrained = clone(estimator).set_params(**(search.chosen if search else {}))
    samples, labels = np.asarray(X), np.asarray(y)
    classes, codes = encode_labels(labels)
    folds = min(FOLDS, int(np.bincount(codes).min()))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    splits = list(splitter.split(codes, codes))
    reporters = [_fold_progress(progress, fold, folds) for fold in range(1, folds + 1)]
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
    return probabilities


def images_to_hold_out(estimator: Classifier) -> int:
    """Return how many training images of every class `held_out_proba` needs."""
    if hasattr(estimator, "held_out_proba_"):
        return 0
    least: int = getattr(estimator, "min_class_size", 1)
    return least + 1


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
