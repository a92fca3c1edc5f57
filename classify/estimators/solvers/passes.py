"""Train linear models on rows that need not fit in memory, to the optimum over all of them.

Each pass sums objectives and gradients of all models over all rows, in order: products in float32,
sums in float64. `classify.estimators.solvers.steps` turns them into steps, with the help of a
sample that stays in memory. So few passes reach the optimum, and all models share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.losses import n_outputs
from classify.estimators.solvers.sampled import Sample
from classify.estimators.solvers.steps import InMemory, Model
from classify.parallel import map_parts, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.rows import LabelledRows
    from classify.estimators.solvers.losses import Loss

SCORES = 2**22
"""Scores that are computed together: 16 MB."""
NOISE = 1e-7
"""Rounding error of a sum of losses in float32, relative to it."""
ROWS_TO_BEGIN = 16, 256
"""Rows per feature, and per class, of the part of the sample that the search begins with."""
HISTORY = 6
"""Changes of the gradient that are remembered for each model."""


@dataclass(frozen=True)
class Scaling:
    """How rows become samples to train on.

    Attributes
    ----------
    class_weights : ndarray of float64, shape (n_classes,)
        Weight of one row of each class.
    centre : ndarray of float32, shape (n_features,)
    scale : float
        The models are trained on ``scale * (rows - centre)``.
    """

    class_weights: NDArray[np.float64]
    centre: NDArray[np.float32]
    scale: float

    def samples(self, rows: LabelledRows) -> Iterator[tuple[NDArray[np.intp], Sample]]:
        """Yield rows in batches, each with its positions."""
        for positions, batch in rows.batches():
            batch -= self.centre
            batch *= np.float32(self.scale)
            codes = rows.codes[positions]
            yield positions, Sample(batch, codes, self.class_weights[codes].astype(np.float32))

    def draw(
        self, rows: LabelledRows, size: int, rng: np.random.RandomState
    ) -> tuple[NDArray[np.intp], Sample]:
        """Return the positions and the samples of randomly drawn rows."""
        drawn = np.sort(rng.choice(len(rows), size, replace=False)).astype(np.intp)
        X = np.empty((size, rows.X.shape[1]), dtype=np.float32)
        for positions, part in self.samples(rows.part(drawn)):
            X[positions] = part.X
        codes = rows.codes[drawn]
        sample = Sample(X, codes, self.class_weights[codes].astype(np.float32))
        return drawn, sample.with_spectrum()


class Trainer:
    """Trains models on all rows.

    With a cluster, its workers sum over the rows, and find the next step of each model.

    Parameters
    ----------
    loss : Loss
    rows : LabelledRows
    scaling : Scaling
    drawn : ndarray of intp, shape (n_drawn,)
        Positions of the rows in memory.
    sample : Sample
        These rows.

    Attributes
    ----------
    n_passes : int
        How often all rows were read.
    """

    def __init__(
        self,
        loss: Loss,
        rows: LabelledRows,
        scaling: Scaling,
        drawn: NDArray[np.intp],
        sample: Sample,
    ) -> None:
        self._loss, self._rows, self._scaling = loss, rows, scaling
        fold_weights = np.bincount(rows.fold_of, scaling.class_weights[rows.codes])
        self._in_memory = InMemory(
            loss, sample, rows.fold_of[drawn], fold_weights.astype(np.float64)
        )
        self._shared = share(self._in_memory)
        self._part, self._shared_part = self._in_memory, self._shared
        n_classes, n_features = len(scaling.class_weights), rows.X.shape[1]
        enough = max(ROWS_TO_BEGIN[0] * n_features, ROWS_TO_BEGIN[1] * n_classes)
        if len(drawn) >= 2 * enough:
            self._part = self._in_memory.part(len(drawn) // enough)
            self._shared_part = share(self._part)
        self.n_passes = 0

    def begin(self, C: float, before: Sequence[Model] | None, precision: float) -> list[Model]:
        """Return a model for every fold, trained on a part of the sample, or on all if it is small.

        Parameters
        ----------
        C : float
        before : sequence of Model or None
            The models of the folds for another C, from which these start.
        precision : float
            See `train`.
        """
        zeros = np.zeros((self._rows.X.shape[1] + 1, n_outputs(len(self._scaling.class_weights))))
        calls = (
            (self._shared_part, fold, C, before[fold].coef if before else zeros, precision)
            for fold in range(self._rows.n_folds)
        )
        return list(map_parts(InMemory.trained, calls))

    def refine(self, models: Sequence[Model], precision: float) -> None:
        """Train models of `begin` further, on the whole sample."""
        if self._part is self._in_memory:
            return
        calls = ((self._shared, model.held_out, model.C, model.coef, precision) for model in models)
        for model, trained in zip(models, map_parts(InMemory.trained, calls), strict=True):
            model.coef = model.candidate = trained.coef

    def train(
        self,
        models: Sequence[Model],
        precision: float,
        max_passes: int,
        progress: Callable[[int, int, int], None],
    ) -> list[Model]:
        """Repeat passes and steps; return the models that have not converged.

        Parameters
        ----------
        models : sequence of Model
        precision : float
            A model has converged if a Newton step promises to decrease its objective by no more
            than this times the weight of its rows.
        max_passes : int
            Most passes in all.
        progress : callable
            Called with the number of the pass, of the rows that were read, and of all rows.
        """
        unfinished = list(models)
        while unfinished and self.n_passes < max_passes:
            self._evaluate(unfinished, progress)
            judged = [model for model in unfinished if not model.was_rejected]
            unfinished = [model for model in unfinished if model.was_rejected]
            steps = map_parts(InMemory.step, ((self._shared, model) for model in judged))
            for model, (candidate, promised) in zip(judged, steps, strict=True):
                model.candidate = candidate
                if promised > precision:
                    unfinished.append(model)
        for model in unfinished:
            model.candidate = model.coef  # a step that no pass has evaluated may lead anywhere
        return unfinished

    def _evaluate(self, models: Sequence[Model], progress: Callable[[int, int, int], None]) -> None:
        """Sum objectives and gradients at the candidates over all rows, and judge these."""
        self.n_passes += 1
        coefs = np.stack([model.candidate for model in models], axis=1)
        held_out = [model.held_out for model in models]
        values, gradients = np.zeros(len(models)), np.zeros(coefs.shape)
        arguments = self._scaling, self._loss, held_out, share(coefs)
        n_samples = len(self._rows)
        for part, sums in self._rows.map(_sum_losses, np.arange(n_samples), *arguments):
            values += sums[0]
            gradients += sums[1]
            progress(self.n_passes, int(part[-1]) + 1, n_samples)
        for i, model in enumerate(models):
            squares = float((model.candidate[:-1] ** 2).sum())
            self._judge(model, values[i] + squares / (2 * model.C), gradients[:, i].copy())

    @staticmethod
    def _judge(model: Model, value: float, gradient: NDArray[np.float64]) -> None:
        """Accept the candidate, or if its objective is higher than before, take a part of the step.

        The part is where the slope along the step, linear between its ends, would be zero.
        """
        gradient[:-1] += model.candidate[:-1] / model.C
        if model.gradient is None:
            model.coef, model.value, model.gradient = model.candidate, value, gradient
            return
        step, change = model.candidate - model.coef, gradient - model.gradient
        along = float((step * change).sum())
        if value > model.value + NOISE * abs(model.value) and along > 0:
            part = -float((step * model.gradient).sum()) / along
            model.candidate = model.coef + min(max(part, 0.1), 0.9) * step
            model.was_rejected = True
            return
        model.was_rejected = False
        if along > 0:
            pair = step.astype(np.float32), change.astype(np.float32)
            model.history = [*model.history[1 - HISTORY :], pair]
        model.coef, model.value, model.gradient = model.candidate, value, gradient

    def held_out_scores(
        self, paths: Sequence[Sequence[Model]], positions: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return scores of some rows for every C, each by the model that does not know the row.

        Parameters
        ----------
        paths : sequence of sequences of Model
            For each C, a model for each fold.
        positions : ndarray of intp, shape (n,)

        Returns
        -------
        ndarray of float32, shape (n_values, n, n_outputs)
        """
        coefs = share(_candidates(paths))
        parts = self._rows.map(_score_held_out, positions, self._scaling, coefs)
        return np.concatenate([scores for _, scores in parts], axis=1)

    def sample_scores(
        self, models: Sequence[Model]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores of the rows that `begin` trains on, and their classes.

        Returns
        -------
        scores : ndarray of float32, shape (n, n_outputs)
            Each by the model of the fold that holds the row out.
        codes : ndarray of int64, shape (n,)
        """
        (scores,) = _scores_of(self._part.sample, self._part.fold_of, _candidates([models]))
        return scores, self._part.sample.codes


def _candidates(paths: Sequence[Sequence[Model]]) -> NDArray[np.float64]:
    """Return the coefficients for every C and fold."""
    return np.array([[model.candidate for model in path] for path in paths])


def _sum_losses(
    rows: LabelledRows,
    scaling: Scaling,
    loss: Loss,
    held_out: Sequence[int | None],
    coefs: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum the losses and their gradients over rows.

    Parameters
    ----------
    rows, scaling, loss
    held_out : sequence of int or None
        For each model, the fold that it is not trained on.
    coefs : ndarray of float64, shape (n_features + 1, n_models, n_outputs)

    Returns
    -------
    values : ndarray of float64, shape (n_models,)
    gradients : ndarray of float64, shape (n_features + 1, n_models, n_outputs)
    """
    values, gradients = np.zeros(len(held_out)), np.zeros(coefs.shape)
    for positions, batch in scaling.samples(rows):
        folds = rows.fold_of[positions]
        together = max(1, SCORES // (len(positions) * coefs.shape[2]))
        for start in range(0, len(held_out), together):
            part = slice(start, start + together)
            flat = coefs[:, part].reshape(len(coefs), -1)
            residuals = batch.scores(flat).reshape(len(positions), -1, coefs.shape[2])
            for i, fold in enumerate(held_out[part]):
                weights = batch.weights * (folds != fold)
                value, residual = loss.residual(residuals[:, i], batch.codes, weights)
                values[start + i] += value
                residuals[:, i] = residual
            sums = batch.sums(residuals.reshape(len(positions), -1))
            gradients[:, part] += sums.reshape(gradients[:, part].shape)
    return values, gradients


def _score_held_out(
    rows: LabelledRows, scaling: Scaling, coefs: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the scores of rows for every C, each by the model of the fold that holds it out.

    Parameters
    ----------
    rows, scaling
    coefs : ndarray of float64, shape (n_values, n_folds, n_features + 1, n_outputs)

    Returns
    -------
    ndarray of float32, shape (n_values, n_rows, n_outputs)
    """
    parts = [
        _scores_of(batch, rows.fold_of[positions], coefs)
        for positions, batch in scaling.samples(rows)
    ]
    return np.concatenate(parts, axis=1)


def _scores_of(
    sample: Sample, fold_of: NDArray[np.intp], coefs: NDArray[np.float64]
) -> NDArray[np.float32]:
    scores = np.empty((len(coefs), len(fold_of), coefs.shape[-1]), dtype=np.float32)
    for fold in np.unique(fold_of):
        part = np.flatnonzero(fold_of == fold)
        known = sample[part]
        for of_value, of_folds in zip(scores, coefs, strict=True):
            of_value[part] = known.scores(of_folds[fold])
    return scores
