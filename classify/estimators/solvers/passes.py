"""Train linear models on rows that need not fit in memory, to the optimum over all of them.

A sample of the rows stays in memory. Each pass sums objectives and gradients of all models over all
rows, in order: products in float32, sums in float64. The second derivatives of the sample stand for
those of all rows, and the gradients of the last passes correct them (L-BFGS, with the sample's
derivatives in place of a multiple of the identity). So few passes reach the optimum, and all models
share them.

References
----------
R. H. Byrd, S. L. Hansen, J. Nocedal and Y. Singer, A stochastic quasi-Newton method for large-scale
optimization, 2016; J. Nocedal and S. J. Wright, Numerical Optimization, 2006, algorithm 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.rows import batches
from classify.estimators.solvers.sampled import Objective, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.rows import RowsOnDisk
    from classify.estimators.solvers.losses import Loss

SCORES = 2**22
"""Scores that are computed together: 16 MB."""
NOISE = 1e-7
"""Rounding error of a sum of losses in float32, relative to it."""
LARGEST_CHANGE = 2.0
"""Root mean square of the changes of the sample's scores in one step. Farther away, the second
derivatives say nothing about the losses."""
HISTORY = 6
"""Changes of the gradient that are remembered for each model."""


@dataclass(frozen=True)
class Rows:
    """Rows, and what is known of each of them.

    Attributes
    ----------
    stored : ndarray of float32 or RowsOnDisk, shape (n_samples, n_features)
    codes : ndarray of int64, shape (n_samples,)
        Class of every row.
    fold_of : ndarray of intp, shape (n_samples,)
        Number of the fold that holds it out.
    class_weights : ndarray of float64, shape (n_classes,)
        Weight of one row of each class.
    centre : ndarray of float32, shape (n_features,)
    scale : float
        The models are trained on ``scale * (rows - centre)``.
    """

    stored: NDArray[np.float32] | RowsOnDisk
    codes: NDArray[np.int64]
    fold_of: NDArray[np.intp]
    class_weights: NDArray[np.float64]
    centre: NDArray[np.float32]
    scale: float

    def read(self, positions: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Sample]]:
        """Yield the rows at some positions in batches, each with its positions."""
        for some, batch in batches(self.stored, positions):
            batch -= self.centre
            batch *= np.float32(self.scale)
            codes = self.codes[some]
            yield some, Sample(batch, codes, self.class_weights[codes].astype(np.float32))

    @cached_property
    def fold_weights(self) -> NDArray[np.float64]:
        """Total weight of the rows of each fold."""
        return np.bincount(self.fold_of, self.class_weights[self.codes]).astype(np.float64)

    def weight(self, held_out: int | None) -> float:
        """Return the total weight of all rows, or of those that a fold trains on."""
        total = float(self.fold_weights.sum())
        return total if held_out is None else total - float(self.fold_weights[held_out])

    def draw(self, size: int, rng: np.random.RandomState) -> tuple[NDArray[np.intp], Sample]:
        """Return the positions and the rows of a random sample."""
        n_samples, n_features = self.stored.shape
        drawn = np.sort(rng.choice(n_samples, size, replace=False)).astype(np.intp)
        X = np.empty((size, n_features), dtype=np.float32)
        done = 0
        for some, batch in self.read(drawn):
            X[done : done + len(some)] = batch.X
            done += len(some)
        codes = self.codes[drawn]
        return drawn, Sample(X, codes, self.class_weights[codes].astype(np.float32))


@dataclass
class Model:
    """A model while it is trained.

    Attributes
    ----------
    C : float
    held_out : int or None
        The fold whose rows it is not trained on.
    coef : ndarray of float64, shape (n_features + 1, n_outputs)
        The best so far; see `classify.estimators.solvers.sampled.Objective`.
    value : float
        The objective over all rows at `coef`; infinite before the first pass.
    gradient : ndarray of float64 or None
        Its gradient at `coef`; None before the first pass.
    candidate : ndarray of float64
        Where the last step has led to, and the next pass evaluates.
    was_rejected : bool
        Whether the last candidate was worse, so that the next one is nearer.
    history : list of (ndarray of float32, ndarray of float32)
        Steps, and the changes of the gradient along them.
    """

    C: float
    held_out: int | None
    coef: NDArray[np.float64]
    candidate: NDArray[np.float64]
    value: float = np.inf
    gradient: NDArray[np.float64] | None = None
    was_rejected: bool = False
    history: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=list)


class Trainer:
    """Trains models on all rows.

    Parameters
    ----------
    loss : Loss
    rows : Rows
    drawn : ndarray of intp, shape (n_drawn,)
        Positions of the rows in memory.
    sample : Sample
        These rows.

    Attributes
    ----------
    n_passes : int
        How often all rows were read.
    """

    def __init__(self, loss: Loss, rows: Rows, drawn: NDArray[np.intp], sample: Sample) -> None:
        self._loss, self._rows, self._sample = loss, rows, sample
        self._folds = rows.fold_of[drawn]
        self.n_passes = 0

    def on_sample(
        self, C: float, held_out: int | None, coef: NDArray[np.float64], precision: float
    ) -> Model:
        """Return a model that is trained on the sample alone, from some coefficients on."""
        weight, sample = self._rows.weight(held_out), self._without(held_out)
        factor = weight / float(sample.weights.sum(dtype=np.float64))
        objective = Objective(self._loss, sample, factor, 1 / C)
        coef = objective.minimise(coef, precision * weight)
        return Model(C, held_out, coef, coef)

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
            unfinished = [model for model in unfinished if not self._step(model, precision)]
        for model in unfinished:
            model.candidate = model.coef  # a step that no pass has evaluated may lead anywhere
        return unfinished

    def _evaluate(self, models: Sequence[Model], progress: Callable[[int, int, int], None]) -> None:
        """Sum objectives and gradients at the candidates over all rows, and judge these."""
        self.n_passes += 1
        coefs = np.stack([model.candidate for model in models], axis=1)
        values = np.zeros(len(models))
        gradients = np.zeros(coefs.shape)
        n_samples = len(self._rows.codes)
        for some, batch in self._rows.read(np.arange(n_samples)):
            folds = self._rows.fold_of[some]
            together = max(1, SCORES // (len(some) * coefs.shape[2]))
            for start in range(0, len(models), together):
                part = slice(start, start + together)
                flat = coefs[:, part].reshape(len(coefs), -1)
                residuals = batch.scores(flat).reshape(len(some), -1, coefs.shape[2])
                for i, model in enumerate(models[part]):
                    weights = batch.weights * (folds != model.held_out)
                    loss, residual = self._loss.residual(residuals[:, i], batch.codes, weights)
                    values[start + i] += loss
                    residuals[:, i] = residual
                sums = batch.sums(residuals.reshape(len(some), -1))
                gradients[:, part] += sums.reshape(gradients[:, part].shape)
            progress(self.n_passes, int(some[-1]) + 1, n_samples)
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

    def _step(self, model: Model, precision: float) -> bool:
        """Find the next candidate; return whether the model has converged."""
        assert model.gradient is not None
        if model.was_rejected:
            return False
        weight, sample = self._rows.weight(model.held_out), self._without(model.held_out)
        factor = weight / float(sample.weights.sum(dtype=np.float64))
        objective = Objective(self._loss, sample, factor, 1 / model.C)
        scores = sample.scores(model.coef)
        rest, parts = model.gradient, []
        for step, change in reversed(model.history):
            part = float((step * rest).sum()) / float((step * change).sum())
            rest = rest - part * change
            parts.append(part)
        direction = objective.solve(scores, rest) / _curvature_missed(objective, scores, model)
        for (step, change), part in zip(model.history, reversed(parts), strict=True):
            along = float((change * direction).sum()) / float((step * change).sum())
            direction = direction + (part - along) * step
        change = np.sqrt(np.mean(sample.scores(direction) ** 2, dtype=np.float64))
        direction *= min(1.0, LARGEST_CHANGE / max(float(change), np.finfo(float).tiny))
        model.candidate = model.coef - direction
        return float((direction * model.gradient).sum()) / 2 <= precision * weight

    def _without(self, held_out: int | None) -> Sample:
        """Return the sample, with no weight for the rows of a fold."""
        weights = self._sample.weights * (self._folds != held_out)
        return Sample(self._sample.X, self._sample.codes, weights)

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
        shape = len(paths), len(positions), paths[0][0].coef.shape[1]
        scores, done = np.empty(shape, dtype=np.float32), 0
        for some, batch in self._rows.read(positions):
            folds = self._rows.fold_of[some]
            for fold in np.unique(folds):
                part = np.flatnonzero(folds == fold)
                known = batch[part]
                for of_value, models in zip(scores, paths, strict=True):
                    of_value[done + part] = known.scores(models[fold].candidate)
            done += len(some)
        return scores

    def sample_scores(self, models: Sequence[Model]) -> NDArray[np.float32]:
        """Return `held_out_scores` of the sample."""
        scores = np.empty((len(self._folds), models[0].coef.shape[1]), dtype=np.float32)
        for model in models:
            part = np.flatnonzero(self._folds == model.held_out)
            scores[part] = self._sample[part].scores(model.candidate)
        return scores


def _curvature_missed(objective: Objective, scores: NDArray[Any], model: Model) -> float:
    """Return by what factor all rows curve the objective more than the sample, on the last step."""
    if not model.history:
        return 1.0
    step, change = model.history[-1]
    of_sample = float((step * objective.times(scores, step)).sum())
    return max(1.0, float((step * change).sum()) / of_sample)
