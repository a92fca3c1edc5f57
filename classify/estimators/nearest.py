"""The k nearest neighbours on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from classify.errors import ClassifierError
from classify.estimators.base import Classifier, ClassWeight
from classify.estimators.search import (
    SearchMethod,
    SearchMixin,
    SearchPoint,
    SearchResult,
    log_loss,
)
from classify.estimators.solvers.neighbours import nearest, unit_rows
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress

K_GRID = (1, 2, 3, 5, 8, 12, 20, 30)
JUDGED = 2000
"""At most so many training images choose k; all of them are looked among."""


class Nearest(SearchMixin, Classifier):
    """Answers with the class of most of the k training images that point in similar directions.

    Parameters
    ----------
    k : int or None
        Neighbours that vote. None is chosen from `K_GRID`: each training image (of more than
        `JUDGED` a random part) is judged by the others, and the least log loss decides.
    class_weight : {"balanced", None} or dict
        Whether all classes count the same, or all samples; see `class_weights`.
    random_state : int, RandomState or None
        Draws the training images that choose k, where there are many.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    k_ : int
    samples_ : ndarray of float32, shape (n_samples, n_features)
        The training images, scaled to norm one.
    codes_ : ndarray of int64, shape (n_samples,)
        Position of the class of each.
    votes_ : ndarray of float64, shape (n_classes,)
        What the vote of a neighbour of each class counts.
    search_ : SearchResult
        How k was chosen; `cv_results_` has it as scikit-learn's dict of arrays.

    Notes
    -----
    A class's probability is its share of the votes, with one vote more that all classes share
    (Laplace's rule), so that a class without a neighbour is not called impossible.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> Nearest(k=1).fit(X, ["right", "right", "up", "up"]).predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"
    title: ClassVar[str] = "Nearest neighbours on frozen features"
    search_method: ClassVar[SearchMethod] = "leave-one-out"

    def __init__(
        self,
        k: int | None = None,
        class_weight: ClassWeight = "balanced",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.k = k
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Keep the training images, and choose k on them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Used as float32.
        y : array-like of shape (n_samples,)
        progress : Progress
            Told of choosing k.

        Raises
        ------
        ClassifierError
            If there are fewer than two classes, fewer than two samples in one of them, or k makes
            no sense.
        """
        features, self.codes_ = self._take(X, y, at_least=2)
        self.samples_ = unit_rows(features)
        self.votes_ = self._class_weights(self.classes_, self.codes_)
        values = self._values(len(features))
        judged = np.arange(len(features))
        if len(features) > JUDGED:
            rng = check_random_state(self.random_state)
            judged = np.sort(rng.choice(len(features), JUDGED, replace=False))
        stage = "Nearest neighbours: choosing k"
        progress(stage, 0, len(values))
        found, _ = nearest(self.samples_[judged], self.samples_, max(values), leave_out=judged)
        truth = self.codes_[judged]
        points = []
        for done, k in enumerate(values, 1):
            scores = np.log(self._shares(found[:, :k]))
            right = scores.argmax(axis=1) == truth
            error = right.std() / len(right) ** 0.5
            loss = log_loss(scores, truth, self.votes_)
            points.append(SearchPoint({"k": k}, float(right.mean()), float(error), loss))
            progress(stage, done, len(values))
        best = min(points, key=lambda point: (point.log_loss, -point.params["k"]))
        self.k_: int = best.params["k"]
        self.search_ = SearchResult(
            folds=len(judged),
            scoring="accuracy",
            points=points,
            chosen=dict(best.params),
            method=self.search_method,
        )
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        found, _ = nearest(unit_rows(features), self.samples_, self.k_, exact=True)
        return self._shares(found)

    def _values(self, n_samples: int) -> list[int]:
        if self.k is None:
            return [k for k in K_GRID if k < n_samples]
        if not 1 <= self.k < n_samples or self.k != int(self.k):
            raise ClassifierError(
                f"k must be from 1 to {n_samples - 1}, one less than there are training images, "
                f"found {self.k!r}"
            )
        return [int(self.k)]

    def _shares(self, found: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the classes' probabilities where these are the neighbours, ``(n, k)``."""
        n_classes = len(self.votes_)
        votes = np.full((len(found), n_classes), 1.0 / n_classes)
        rows = np.arange(len(found))
        for codes in self.codes_[found].T:
            votes[rows, codes] += self.votes_[codes]
        shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
        return shares
