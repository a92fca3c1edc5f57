"""What a classifier says of its own training images, each left out of the training in its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from classify.estimators.base import encode_labels
from classify.parallel import each, in_this_process
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import Classifier
    from toolkit.progress import Progress

FOLDS = 5


def held_out_proba(
    estimator: Classifier, X: ArrayLike, y: ArrayLike, progress: Progress = silent
) -> NDArray[Any]:
    """Return the probabilities of all training images, ``(n_samples, n_classes)``.

    Parameters
    ----------
    estimator : Classifier
        Trained on `X` and `y`. One that has chosen its parameters by cross-validation has the
        answer already, as has one that was trained in one pass: for the samples that it has held
        out, its `held_out_`, alone. Another is trained anew in each of five folds.
    X, y
        What it was trained on.
    progress : Progress
        Told of the training in every fold.

    Examples
    --------
    >>> from classify.estimators.centroid import Centroid
    >>> X, y = np.eye(2, dtype=np.float32)[[0, 1] * 6], ["a", "b"] * 6
    >>> held_out_proba(Centroid().fit(X, y), X, y).argmax(axis=1).tolist()[:4]
    [0, 1, 0, 1]
    """
    found: NDArray[Any] | None = getattr(estimator, "held_out_proba_", None)
    if found is not None:
        return found
    search = getattr(estimator, "search_", None)
    fixed = clone(estimator).set_params(**(search.chosen if search else {}))
    samples, labels = np.asarray(X), np.asarray(y)
    classes, codes = encode_labels(labels)
    folds = min(FOLDS, int(np.bincount(codes).min()))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    splits = list(splitter.split(codes, codes))
    told = [_told(progress, fold, folds) for fold in range(1, folds + 1)]
    # One after the other, so that a model that has answered is not kept.
    tasks = (
        (clone(fixed), samples, labels, split, one) for split, one in zip(splits, told, strict=True)
    )
    probabilities = np.empty((len(codes), len(classes)))
    for (_, held_out), found in zip(splits, each(_of_one_fold, tasks), strict=True):
        probabilities[held_out] = found
    return probabilities


def _of_one_fold(
    estimator: Classifier,
    X: NDArray[Any],
    y: NDArray[Any],
    split: tuple[NDArray[np.intp], NDArray[np.intp]],
    progress: Progress,
) -> NDArray[Any]:
    train, held_out = split
    return estimator.fit(X[train], y[train], progress=progress).predict_proba(X[held_out])


def _told(progress: Progress, fold: int, folds: int) -> Progress:
    """Tell which fold it is, if it is trained in this process."""
    if not in_this_process():
        return silent
    return lambda stage, done, total: progress(f"{stage}, fold {fold} of {folds}", done, total)
