"""Linear classifiers that follow from sums over the rows: exact, in one pass over them."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from classify.errors import ClassifierError
from classify.estimators.base import ClassWeight, RowsClassifier
from classify.estimators.cross_validation import fold_numbers, number_of_folds, search_folds
from classify.estimators.groups import divided_classes
from classify.estimators.rows import LabelledRows, RowsOnDisk
from classify.estimators.search import SearchMixin, SearchPoint, SearchResult
from classify.estimators.solvers.gram import same_features, unit_scale
from classify.estimators.solvers.losses import n_outputs as outputs_of
from classify.estimators.solvers.moments import Moments, require_memory
from classify.estimators.solvers.probabilities import (
    class_scores,
    fit_temperature,
    scaled_log_loss,
    scaled_softmax,
)
from classify.estimators.solvers.span import coordinates
from classify.parallel import share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from toolkit.progress import Progress

# Matrices up to this size are factored by one thread. On busy cores, the threads of BLAS wait for
# each other, which took ten times as long on two cores.
SMALL = 2048
# Rows whose products are summed together, for each feature. Their sum takes as much memory as its
# square, so a sum of fewer rows would mostly be copied.
ROWS_PER_FEATURE = 2
# Held-out decision values of all points that are in memory together: 128 MB.
AT_ONCE = 2**24


class Solution(NamedTuple):
    """A linear model.

    Attributes
    ----------
    coef : ndarray of float64, shape (n_outputs, n_features)
        One output for two classes, else one for each.
    centre : ndarray of float64, shape (n_features,)
        Mean of the rows that it was trained on.
    offset : ndarray of float64, shape (n_outputs,)
        Decision values at the centre.
    """

    coef: NDArray[np.float64]
    centre: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def intercept(self) -> NDArray[np.float64]:
        """Decision values of a row of zeros, ``(n_outputs,)``."""
        intercept: NDArray[np.float64] = self.offset - self.coef @ self.centre
        return intercept


class ClosedForm(SearchMixin, RowsClassifier):
    """A linear classifier whose solution follows from `Moments` of the rows.

    A subclass implements `_points` and `_solve`, and may override `_criteria`. `fit` takes
    `RowsOnDisk` as well as an array. It reads every row twice, whatever the number of points and
    folds: once for the moments of the folds, which give all models, and once for the held-out
    scores. With fewer samples than features in an array, it does so in coordinates of their span,
    see `solvers.span`.
    """

    folds: int
    class_weight: ClassWeight
    random_state: int | np.random.RandomState | None
    chosen_name: ClassVar[str]
    chosen_by: ClassVar[str] = "log loss"
    n_passes_: ClassVar[int] = 2
    """How often all rows are read."""

    @abstractmethod
    def _points(self) -> list[dict[str, Any]]:
        """Return the parameters to try, the strongest regularisation first."""

    @abstractmethod
    def _solve(self, moments: Moments, points: Iterable[dict[str, Any]]) -> Iterator[Solution]:
        """Train a model for every point; `scale_` is set."""

    def check_memory(self, n_samples: int, n_dimensions: int, n_classes: int) -> None:
        """Check that the products of the features will fit in memory, before there are any rows.

        Parameters
        ----------
        n_samples : int
        n_dimensions : int
            Number of features; of samples in memory, if those are fewer.
        n_classes : int

        Raises
        ------
        ClassifierError
            If they are larger than the memory of this machine.
        """
        n_folds = number_of_folds(n_samples, self.folds)
        require_memory(n_dimensions, n_folds, len(self._points()) * outputs_of(n_classes))

    def _criteria(
        self,
        folds: Sequence[Moments],  # noqa: ARG002 - of a subclass
        solutions: Sequence[Sequence[Solution]],  # noqa: ARG002
        found: Sequence[SearchPoint],
    ) -> list[float]:
        """Return what the chosen point has the least of: by default the log loss.

        Parameters
        ----------
        folds : sequence of Moments
        solutions : sequence of sequences of Solution
            For each fold, the model of every point, trained on the other folds.
        found : sequence of SearchPoint
            Held-out scores of every point.
        """
        return [point.log_loss or 0.0 for point in found]

    def _fit(
        self,
        features: NDArray[np.float32] | RowsOnDisk,
        codes: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> None:
        weights = self._class_weights(codes)
        if not weights.min() > 0:
            raise ClassifierError(
                f"the weights of the classes must be positive, found {self.class_weight!r}",
                setting="class_weight",
            )
        fold_of = fold_numbers(search_folds(codes, self.folds, self.random_state, groups))
        self.divided_classes_ = self.classes_[divided_classes(codes, groups, fold_of)]
        with threadpool_limits(1 if _n_dimensions(features) <= SMALL else None, user_api="blas"):
            self._train(features, codes, fold_of, weights, progress)

    def _train(
        self,
        features: NDArray[np.float32] | RowsOnDisk,
        codes: NDArray[np.int64],
        fold_of: NDArray[np.intp],
        weights: NDArray[np.float64],
        progress: Progress,
    ) -> None:
        """Set the coefficients, found on the features or on coordinates of their span."""
        if isinstance(features, RowsOnDisk) or _n_dimensions(features) == features.shape[1]:
            rows = LabelledRows(features, codes, fold_of)
            solution = self._search(rows, weights, None, progress)
            self.coef_, centre = solution.coef.astype(np.float32), solution.centre
        else:
            Z, to_features = coordinates(features)
            rows = LabelledRows(Z, codes, fold_of)
            solution = self._search(rows, weights, unit_scale(features), progress)
            self.coef_ = to_features(solution.coef)
            centre = np.average(features, axis=0, weights=weights[codes])
        self.intercept_ = solution.offset - self.coef_ @ centre

    def _search(
        self,
        rows: LabelledRows,
        weights: NDArray[np.float64],
        scale: float | None,
        progress: Progress,
    ) -> Solution:
        """Choose a point by held-out rows, and train it on all rows.

        `scale` gives the samples unit mean squared norm, if the rows do not say.
        """
        points, stage = self._points(), f"{self.title}: choosing {self.chosen_name}"
        n_outputs = outputs_of(len(weights))
        require_memory(rows.X.shape[1], rows.n_folds, len(points) * n_outputs)
        folds = _moments_of_folds(rows, weights, partial(progress, f"{self.title}: summing"))
        total = reduce(add, folds)
        if total.variation <= 0:
            raise same_features()
        self.scale_ = scale or total.unit_scale
        solutions: list[list[Solution]] = []
        for fold in folds:
            progress(stage, len(solutions), len(folds))
            solutions.append(list(self._solve(total - fold, points)))
        progress(stage, len(folds), len(folds))

        report = partial(progress, f"{self.title}: predicting held-out rows")
        sample = _sample(len(rows.codes), len(points) * n_outputs, self.random_state)
        scores = _held_out_scores(rows, sample, solutions, report)
        found = [
            _search_point(point, class_scores(of_point), rows, sample, weights)
            for point, of_point in zip(points, scores, strict=True)
        ]
        # Rounded, so that a negligible difference does not favour a weaker regularisation.
        best = int(np.argmin(np.round(self._criteria(folds, solutions, found), 5)))
        self.search_ = SearchResult(
            rows.n_folds, "accuracy", found, dict(points[best]), self.chosen_by
        )
        chosen = np.empty((len(rows.codes), n_outputs))
        chosen[sample] = scores[best]
        rest = np.setdiff1d(np.arange(len(chosen)), sample)
        if len(rest):
            best_only = [[of_fold[best]] for of_fold in solutions]
            chosen[rest] = _held_out_scores(rows, rest, best_only, report)[0]
        held_out = class_scores(chosen)
        self.temperature_ = fit_temperature(held_out, rows.codes, weights)
        self.held_out_proba_ = scaled_softmax(held_out, self.temperature_)
        (solution,) = self._solve(total, [points[best]])
        return solution


def _n_dimensions(X: NDArray[Any] | RowsOnDisk) -> int:
    """Return the number of features; of samples in memory, if those are fewer."""
    return X.shape[1] if isinstance(X, RowsOnDisk) else min(X.shape)


def _moments_of_folds(
    rows: LabelledRows, weights: NDArray[np.float64], report: Callable[[int, int], None]
) -> list[Moments]:
    shift = next(rows.batches())[1].mean(axis=0, dtype=np.float64)
    folds: list[Moments] = []
    done = 0
    for fold in range(rows.n_folds):
        positions = np.flatnonzero(rows.fold_of == fold)
        parts = rows.map(
            _moments, positions, weights, shift, least=ROWS_PER_FEATURE * rows.X.shape[1]
        )
        for part, moments in parts:
            done += len(part)
            report(done, len(rows))
            if len(folds) > fold:
                folds[fold] += moments
            else:
                folds.append(moments)
    return folds


def _moments(
    rows: LabelledRows, weights: NDArray[np.float64], shift: NDArray[np.float64]
) -> Moments:
    return Moments.of(rows.batches(), rows.codes, weights, shift)


def _sample(
    n_rows: int, n_values: int, seed: int | np.random.RandomState | None
) -> NDArray[np.intp]:
    """Draw the rows whose scores by every point are in memory together: all, unless too many."""
    at_once = max(1, AT_ONCE // n_values)
    if n_rows <= at_once:
        return np.arange(n_rows)
    drawn: NDArray[np.intp] = check_random_state(seed).choice(n_rows, at_once, replace=False)
    return np.sort(drawn)


def _held_out_scores(
    rows: LabelledRows,
    positions: NDArray[np.intp],
    solutions: Sequence[Sequence[Solution]],
    report: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """Return the decision values of some rows by every model of the fold that holds them out.

    Parameters
    ----------
    rows : LabelledRows
    positions : ndarray of intp, shape (n,)
    solutions : sequence of sequences of Solution
        For each fold, its models.
    report : callable
        Called with the number of rows that are done, and of all.

    Returns
    -------
    ndarray of float64, shape (n_models, n, n_outputs)
    """
    coefs = share([np.concatenate([model.coef for model in fold]) for fold in solutions])
    intercepts = [np.concatenate([model.intercept for model in fold]) for fold in solutions]
    parts, done = [], 0
    for part, decided in rows.map(_decide, positions, coefs, intercepts):
        parts.append(decided)
        done += len(part)
        report(done, len(positions))
    by_model = np.concatenate(parts).reshape(len(positions), len(solutions[0]), -1)
    return by_model.swapaxes(0, 1)


def _decide(
    rows: LabelledRows, coefs: list[NDArray[np.float64]], intercepts: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the decision values of rows by the models of the folds that hold them out."""
    decided = np.empty((len(rows), len(intercepts[0])))
    for positions, batch in rows.batches():
        X, folds = batch.astype(np.float64), rows.fold_of[positions]
        for fold in np.unique(folds):
            part = folds == fold
            decided[positions[part]] = X[part] @ coefs[fold].T + intercepts[fold]
    return decided


def _search_point(
    params: dict[str, Any],
    scores: NDArray[np.float64],
    rows: LabelledRows,
    sample: NDArray[np.intp],
    weights: NDArray[np.float64],
) -> SearchPoint:
    codes, fold_of = rows.codes[sample], rows.fold_of[sample]
    correct = scores.argmax(axis=1) == codes
    accuracies = np.array([correct[fold_of == fold].mean() for fold in np.unique(fold_of)])
    loss = scaled_log_loss(scores, codes, weights)
    return SearchPoint(dict(params), float(accuracies.mean()), float(accuracies.std()), loss)
