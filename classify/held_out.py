"""What a classifier says of its own training images, each left out of the training in its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from cache.console import silent
from classify.base import encode_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cache.console import Progress
    from classify.base import Classifier

FOLDS = 5


def held_out_proba(
    estimator: Classifier, X: ArrayLike, y: ArrayLike, progress: Progress = silent
) -> NDArray[Any]:
    """Return the probabilities of all training images, ``(n_samples, n_classes)``.

    Parameters
    ----------
    estimator : Classifier
        Trained on `X` and `y`. One that has chosen its parameters by cross-validation has the
        answer already; another is trained anew in each of five folds.
    X, y
        What it was trained on.
    progress : Progress
        Told of the training in every fold.

    Examples
    --------
    >>> from classify.centroid import Centroid
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
    probabilities = np.empty((len(codes), len(classes)))
    for fold, (train, held_out) in enumerate(splitter.split(codes, codes), 1):

        def told(stage: str, done: int, total: int, fold: int = fold) -> None:
            progress(f"{stage}, fold {fold} of {folds}", done, total)

        model = clone(fixed).fit(samples[train], labels[train], progress=told)
        probabilities[held_out] = model.predict_proba(samples[held_out])
    return probabilities
