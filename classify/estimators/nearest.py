"""k nearest neighbours with k chosen by leave-one-out validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.utils import check_random_state

from classify.errors import ClassifierError
from classify.estimators.base import ClassWeight, FeatureClassifier
from classify.estimators.groups import separable_groups
from classify.estimators.search import SearchMethod, SearchMixin, SearchPoint, SearchResult
from classify.estimators.solvers.neighbours import nearest, unit_rows
from classify.estimators.solvers.probabilities import (
    fit_temperature,
    log_loss,
    scaled_softmax,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.progress import Progress

K_GRID = (1, 2, 3, 5, 8, 12, 20, 30)
TIE_BREAK = 1e-6
"""By so much the vote of the nearest neighbour counts more than that of the last one."""
MAX_VALIDATION = 2000
"""Largest number of training samples that k is validated on."""


class Nearest(SearchMixin, FeatureClassifier):
    """k nearest neighbours by cosine similarity, with k chosen by leave-one-out validation.

    Parameters
    ----------
    k : int or None, default=None
        Number of neighbours that vote. None chooses it from `K_GRID`: every training sample (at
        most `MAX_VALIDATION`, drawn at random) is predicted from the others, or from those of other
        groups, and the lowest log loss decides.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples; see `class_weights`.
    random_state : int, RandomState or None, default=0
        Draws the samples that k is validated on.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    k_ : int
        The chosen k.
    samples_ : ndarray of float32, shape (n_samples, n_features)
        The training samples, scaled to unit norm.
    codes_ : ndarray of int64, shape (n_samples,)
        Their classes, as positions in `classes_`.
    votes_ : ndarray of float64, shape (n_classes,)
        Weight of the vote of a neighbour of each class.
    shares_ : ndarray of float64, shape (n_classes,)
        Each class's share of the votes of all samples.
    temperature_ : float
        Factor on the logarithms of the votes before the softmax.
    search_ : SearchResult
        The validation; `cv_results_` and `best_params_` are as in `GridSearchCV`.

    See Also
    --------
    Centroid : Needs fewer samples still.

    Notes
    -----
    To the votes comes one that the classes share as they share the samples, so that no class has
    probability zero. Where votes are equal, the nearer neighbours decide. The probabilities come
    from temperature scaling (see `classify.estimators.solvers.probabilities`) in the validation: of
    the logarithms of the votes, as multiples of what random neighbours would give, so that votes
    that tell nothing give the shares of the classes.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> Nearest(k=1).fit(X, ["right", "right", "up", "up"]).predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    title: ClassVar[str] = "Nearest neighbours on frozen features"
    search_method: ClassVar[SearchMethod] = "leave-one-out"
    min_class_size: ClassVar[int] = 1

    def __init__(
        self,
        k: int | None = None,
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.k = k
        self.class_weight = class_weight
        self.random_state = random_state

    def _fit(
        self,
        features: NDArray[np.float32],
        codes: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> None:
        if groups is not None:
            groups = separable_groups(codes, groups)
        n_others = len(features) - (1 if groups is None else int(np.bincount(groups).max()))
        values = self._values(len(features), n_others)
        self.codes_ = codes
        self.samples_ = unit_rows(features)
        self.votes_ = self._class_weights(codes)
        weighted = np.bincount(codes) * self.votes_
        self.shares_: NDArray[np.float64] = weighted / weighted.sum()
        validated = np.arange(len(features))
        if len(features) > MAX_VALIDATION:
            rng = check_random_state(self.random_state)
            validated = np.sort(rng.choice(len(features), MAX_VALIDATION, replace=False))
        stage = "Nearest neighbours: choosing k"
        progress(stage, 0, len(values))
        neighbours, _ = nearest(
            self.samples_[validated],
            self.samples_,
            min(max(values), n_others),
            leave_out=validated,
            groups=groups,
        )
        points = []
        for done, k in enumerate(values, 1):
            points.append(
                self._search_point(
                    k,
                    neighbours[:, :k],
                    codes[validated],
                    np.arange(len(validated)) if groups is None else groups[validated],
                )
            )
            progress(stage, done, len(values))
        best = min(points, key=lambda point: (point.log_loss, -point.params["k"]))
        self.k_: int = best.params["k"]
        lifts = self._lifts(neighbours[:, : self.k_])
        self.temperature_ = self._fit_temperature(lifts, codes[validated])
        self.search_ = SearchResult(
            folds=len(validated),
            scoring="accuracy",
            points=points,
            chosen=dict(best.params),
            method=self.search_method,
        )

    def _values(self, n_samples: int, n_others: int) -> list[int]:
        if self.k is None:
            return [k for k in K_GRID if k <= n_others]
        if not 1 <= self.k < n_samples or self.k != int(self.k):
            raise ClassifierError(
                f"k must be from 1 to {n_samples - 1}, one less than the number of training "
                f"images, found {self.k!r}"
            )
        return [int(self.k)]

    def _search_point(
        self,
        k: int,
        neighbours: NDArray[np.intp],
        codes: NDArray[np.int64],
        groups: NDArray[np.int64],
    ) -> SearchPoint:
        lifts = self._lifts(neighbours)
        scores = self._fit_temperature(lifts, codes) * lifts + np.log(self.shares_)
        correct = scores.argmax(axis=1) == codes
        # Of sums over groups, whose samples tend to be right or wrong together.
        deviations = np.bincount(groups, correct - correct.mean())
        error = (deviations**2).sum() ** 0.5 / len(correct)
        loss = log_loss(scores, codes, self.votes_)
        return SearchPoint({"k": k}, float(correct.mean()), float(error), loss)

    def _predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        neighbours, _ = nearest(unit_rows(features), self.samples_, self.k_, exact=True)
        scores = self.temperature_ * self._lifts(neighbours) + np.log(self.shares_)
        return scaled_softmax(scores)

    def _fit_temperature(self, lifts: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
        return fit_temperature(lifts, codes, self.votes_, np.log(self.shares_))

    def _lifts(self, neighbours: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return logarithms of votes, as multiples of the classes' shares.

        `neighbours` are positions, ``(n_samples, k)``.
        """
        votes = np.tile(self.shares_, (len(neighbours), 1))
        rows = np.arange(len(neighbours))
        n_neighbours = neighbours.shape[1]
        for rank, codes in enumerate(self.codes_[neighbours].T):
            nearer = 1 + TIE_BREAK * (n_neighbours - rank) / n_neighbours
            votes[rows, codes] += nearer * self.votes_[codes]
        lifts: NDArray[np.float64] = np.log(votes / self.shares_)
        return lifts

    def upgrade(self) -> None:
        """Convert a model of an earlier version, without temperature scaling."""
        if not hasattr(self, "temperature_"):
            self.temperature_ = 1.0
            self.shares_ = np.full(len(self.votes_), 1 / len(self.votes_))
