"""Linear classifiers that are trained on rows that need not fit in memory, to the same optimum."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from classify.estimators.base import ClassWeight, RowsClassifier
from classify.estimators.cross_validation import fold_numbers, stratified_folds
from classify.estimators.groups import divided_classes
from classify.estimators.rows import LabelledRows
from classify.estimators.search import (
    C_GRID,
    SearchMixin,
    SearchPoint,
    SearchResult,
    positive_grid,
)
from classify.estimators.solvers.gram import scale_of, squared_norms
from classify.estimators.solvers.losses import LogLoss, Loss, SquaredHinge
from classify.estimators.solvers.passes import Scaling, Trainer
from classify.estimators.solvers.probabilities import (
    class_scores,
    fit_temperature,
    log_loss,
    scaled_log_loss,
    scaled_softmax,
)
from classify.estimators.solvers.steps import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.estimators.rows import RowsOnDisk
    from toolkit.progress import Progress

ROWS_PER_FEATURE, SAMPLE_BYTES = 64, (2**24, 2**28)
"""Rows of the sample that stays in memory, and its least and largest size in bytes."""
MAX_HELD_OUT = 20_000
HELD_OUT_NUMBERS = 2**24
"""Most rows, and most of their scores, that the search is judged by."""
MAX_SEARCH_PASSES, MAX_PASSES = 16, 24
SEARCH_PRECISION, PRECISION = 1e-5, 1e-7
"""Decrease of the objective per sample that ends the training: in the search, and for the chosen C.
"""
BELOW, PAST = 1, 2
"""Values of C on either side of the best one on the sample with which the search begins."""
WORSE = 2
"""Values of C beyond the best one on the sample that end the search there."""


class Streamed(SearchMixin, RowsClassifier):
    """A linear classifier for rows on disk, with the solution that it would have in memory.

    Parameters
    ----------
    C : float, sequence of float or None, default=None
        Inverse of the penalty, as for `LogReg`. From several values, or from `C_GRID` for None, the
        one with the lowest cross-validated log loss is chosen.
    folds : int, default=5
        Folds of the cross-validation.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples; see `class_weights`.
    random_state : int, RandomState or None, default=0
        Divides the rows into folds, and draws the sample that stays in memory.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    C_ : float
        The chosen C.
    scale_ : float
        Factor that gives the rows unit mean squared norm.
    coef_ : ndarray of float32, shape (1, n_features) or (n_classes, n_features)
        For the features as they are.
    intercept_ : ndarray of float64, shape (1,) or (n_classes,)
    temperature_ : float
        Factor on the decision values before the softmax.
    n_passes_ : int
        How often all rows were read.
    search_ : SearchResult
        The cross-validation; `cv_results_` and `best_params_` are as in `GridSearchCV`. Values of C
        far from the best are not in it.
    held_out_ : ndarray of intp, shape (n_held_out,)
        Positions of the rows that the search was judged by: all, or a random part of many.
    held_out_proba_ : ndarray of float64, shape (n_held_out, n_classes)
        Their probabilities, each by a model that was not trained on the row.

    Notes
    -----
    The first pass finds the mean and the scale. A sample of the rows stays in memory. The models of
    all folds and values of C are trained on a part of it first, those near the best C then on the
    whole sample, and at last on all rows, all of them in the same passes; see
    `classify.estimators.solvers.passes`.
    If the best turns out to be the last of them, further values follow. With more rows the best C
    is larger, so the search begins with more values above the best one on the sample than below
    it. The model for the chosen C starts from the mean of its folds.

    In memory are the sample (at most 256 MB), one batch of rows, and the coefficients and gradients
    of the models that are trained together.
    """

    loss: ClassVar[Loss]
    C_: float

    def __init__(
        self,
        C: float | Sequence[float] | None = None,
        folds: int = 5,
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.C = C
        self.folds = folds
        self.class_weight = class_weight
        self.random_state = random_state

    def _fit(
        self,
        rows: NDArray[np.float32] | RowsOnDisk,
        codes: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> None:
        values = positive_grid("C", self.C, C_GRID)
        weights = self._class_weights(codes)
        rng = check_random_state(self.random_state)
        splits = stratified_folds(codes, self.folds, rng, groups)
        fold_of = fold_numbers(splits)
        self.divided_classes_ = self.classes_[divided_classes(codes, groups, fold_of)]
        labelled = LabelledRows(rows, codes, fold_of)
        scaling = self._scaling(labelled, weights, progress)
        self.scale_ = scaling.scale
        drawn, sample = scaling.draw(labelled, _sample_size(*rows.shape), rng)
        n_held_out = min(len(codes), MAX_HELD_OUT, HELD_OUT_NUMBERS // len(weights))
        self.held_out_ = np.sort(rng.choice(len(codes), n_held_out, replace=False)).astype(np.intp)
        trainer = Trainer(self.loss, labelled, scaling, drawn, sample)
        paths, middle = self._on_sample(trainer, values, weights, progress)
        chosen = self._search(trainer, labelled, weights, paths, middle, progress)
        coef = np.mean([model.candidate for model in chosen], axis=0)
        model = Model(chosen[0].C, None, coef, coef)
        if self._train(trainer, [model], PRECISION, MAX_PASSES, progress):
            warnings.warn(
                f"{self.title}: not converged after {MAX_PASSES + 1} passes over the rows, with "
                f"C = {model.C:.4g}; a smaller C converges sooner",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.n_passes_, self.C_ = trainer.n_passes + 1, model.C
        self.coef_ = (model.candidate[:-1].T * self.scale_).astype(np.float32)
        self.intercept_ = model.candidate[-1] - self.coef_ @ scaling.centre.astype(np.float64)

    def _scaling(
        self, rows: LabelledRows, weights: NDArray[np.float64], progress: Progress
    ) -> Scaling:
        """Find the mean of the rows, and the factor that gives them unit mean squared norm."""
        total, squares, n_samples = np.zeros(rows.X.shape[1]), 0.0, len(rows)
        for positions, sums in rows.map(_sums, np.arange(n_samples)):
            total += sums[0]
            squares += sums[1]
            progress(f"{self.title}: reading", int(positions[-1]) + 1, n_samples)
        centre = (total / n_samples).astype(np.float32)
        return Scaling(weights, centre, scale_of(squares / n_samples))

    def _on_sample(
        self,
        trainer: Trainer,
        values: Sequence[float],
        weights: NDArray[np.float64],
        progress: Progress,
    ) -> tuple[list[list[Model]], int]:
        """Train the folds of ascending values of C on the sample, until they overfit it.

        Returns
        -------
        paths : list of list of Model
            For each C, a model for each fold. Those for larger values are as the last one.
        middle : int
            The C with the lowest held-out log loss.
        """
        paths: list[list[Model]] = []
        losses: list[float] = []
        middle = 0
        for C in values:
            paths.append(trainer.begin(C, paths[-1] if paths else None, SEARCH_PRECISION))
            scores, codes = trainer.sample_scores(paths[-1])
            losses.append(self._log_loss(class_scores(scores.astype(np.float64)), codes, weights))
            progress(f"{self.title}: training on a sample", len(paths), len(values))
            middle = int(np.argmin(np.round(losses, 5)))
            if len(paths) > middle + WORSE:
                break
        for C in values[len(paths) :]:
            paths.append([replace(model, C=C) for model in paths[-1]])
        return paths, middle

    def _search(
        self,
        trainer: Trainer,
        rows: LabelledRows,
        weights: NDArray[np.float64],
        paths: Sequence[Sequence[Model]],
        middle: int,
        progress: Progress,
    ) -> Sequence[Model]:
        """Train the folds of the values of C near `middle`; return those of the best.

        `paths` has a model for each fold for each C, trained on the sample.
        """
        wanted = range(max(0, middle - BELOW), min(len(paths), middle + PAST + 1))
        # Larger values of C start from the one in the middle, see below.
        up_to_middle = [model for path in paths[wanted.start : middle + 1] for model in path]
        trainer.refine(up_to_middle, SEARCH_PRECISION)
        points: dict[int, SearchPoint] = {}
        scores: dict[int, NDArray[np.float64]] = {}
        while True:
            fresh = [i for i in wanted if i not in points]
            for i in fresh:  # the sample alone is overfitted by a C beyond the best
                start = max((j for j in [middle, *points] if j < i), default=i)
                for model, other in zip(paths[i], paths[start], strict=True):
                    model.candidate = other.candidate
            models = [model for i in fresh for model in paths[i]]
            self._train(trainer, models, SEARCH_PRECISION, MAX_SEARCH_PASSES, progress)
            decisions = trainer.held_out_scores([paths[i] for i in fresh], self.held_out_)
            for i, decision in zip(fresh, decisions, strict=True):
                scores[i] = class_scores(decision.astype(np.float64))
                points[i] = self._point(paths[i][0].C, scores[i], rows, weights)
            best = min(points, key=lambda i: (round(points[i].log_loss or 0.0, 5), i))
            scores = {best: scores[best]}
            wanted = range(max(0, best - 1), min(len(paths), best + 2))
            if all(i in points for i in wanted):
                break
        self.search_ = SearchResult(
            folds=len(paths[0]),
            scoring="accuracy",
            points=[points[i] for i in sorted(points)],
            chosen=dict(points[best].params),
        )
        self.temperature_ = self._temperature(scores[best], rows.codes[self.held_out_], weights)
        self.held_out_proba_ = scaled_softmax(scores[best], self.temperature_)
        return paths[best]

    def _point(
        self,
        C: float,
        scores: NDArray[np.float64],
        rows: LabelledRows,
        weights: NDArray[np.float64],
    ) -> SearchPoint:
        codes, folds = rows.codes[self.held_out_], rows.fold_of[self.held_out_]
        correct = scores.argmax(axis=1) == codes
        accuracies = [float(correct[folds == fold].mean()) for fold in np.unique(folds)]
        loss = self._log_loss(scores, codes, weights)
        return SearchPoint({"C": C}, float(np.mean(accuracies)), float(np.std(accuracies)), loss)

    def _train(
        self,
        trainer: Trainer,
        models: Sequence[Model],
        precision: float,
        max_passes: int,
        progress: Progress,
    ) -> list[Model]:
        """Train on all rows; return the models that have not converged."""

        def report(number: int, done: int, total: int) -> None:
            progress(f"{self.title}: pass {number + 1}", done, total)

        return trainer.train(models, precision, max_passes, report)

    def _log_loss(
        self, scores: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> float:
        return log_loss(scores, codes, weights)

    def _temperature(
        self,
        scores: NDArray[np.float64],  # noqa: ARG002 - see StreamedSVM
        codes: NDArray[np.int64],  # noqa: ARG002
        weights: NDArray[np.float64],  # noqa: ARG002
    ) -> float:
        return 1.0


class StreamedLogReg(Streamed):
    """`LogReg` for rows on disk; `Streamed` documents the parameters and attributes."""

    title: ClassVar[str] = "Logistic regression on frozen features, from disk"
    loss: ClassVar[Loss] = LogLoss()


class StreamedSVM(Streamed):
    """A linear SVM with the squared hinge loss, one class against the rest, for rows on disk.

    `Streamed` documents the parameters and attributes. The probabilities are the softmax of the
    decision values times a temperature that is fitted on the held-out rows.
    """

    title: ClassVar[str] = "Linear SVM on frozen features, from disk"
    loss: ClassVar[Loss] = SquaredHinge()

    def _log_loss(
        self, scores: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> float:
        return scaled_log_loss(scores, codes, weights)

    def _temperature(
        self, scores: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> float:
        return fit_temperature(scores, codes, weights)


def _sums(rows: LabelledRows) -> tuple[NDArray[np.float64], float]:
    """Return the sum of rows, and of their squared norms."""
    total, squares = np.zeros(rows.X.shape[1]), 0.0
    for _, batch in rows.batches():
        total += batch.sum(axis=0, dtype=np.float64)
        squares += float(squared_norms(batch).sum(dtype=np.float64))
    return total, squares


def _sample_size(n_samples: int, n_features: int) -> int:
    least, most = (size // (4 * n_features) for size in SAMPLE_BYTES)
    return min(n_samples, max(1, least, min(most, ROWS_PER_FEATURE * n_features)))
