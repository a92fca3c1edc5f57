"""The steps of models that are trained on more rows than memory, from a sample of the rows.

The second derivatives of the sample stand for those of all rows, and the gradients of the last
passes correct them: L-BFGS, with the sample's derivatives in place of a multiple of the identity.

References
----------
R. H. Byrd, S. L. Hansen, J. Nocedal and Y. Singer, A stochastic quasi-Newton method for large-scale
optimization, 2016; J. Nocedal and S. J. Wright, Numerical Optimization, 2006, algorithm 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.solvers.sampled import Objective, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.estimators.solvers.losses import Loss

LARGEST_CHANGE = 2.0
"""Root mean square of the changes of the sample's scores in one step. Farther away, the second
derivatives say nothing about the losses."""


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


@dataclass(frozen=True)
class InMemory:
    """The rows that stay in memory, which give the steps.

    Attributes
    ----------
    loss : Loss
    sample : Sample
    fold_of : ndarray of intp, shape (n_drawn,)
    fold_weights : ndarray of float64, shape (n_folds,)
        Total weight of all rows of each fold.
    """

    loss: Loss
    sample: Sample
    fold_of: NDArray[np.intp]
    fold_weights: NDArray[np.float64]

    def part(self, stride: int) -> InMemory:
        """Return every `stride`-th row."""
        sample = self.sample[slice(None, None, stride)].with_spectrum()
        return replace(self, sample=sample, fold_of=self.fold_of[::stride])

    def weight(self, held_out: int | None) -> float:
        """Return the total weight of all rows, or of those that a fold trains on."""
        total = float(self.fold_weights.sum())
        return total if held_out is None else total - float(self.fold_weights[held_out])

    def objective(self, C: float, held_out: int | None) -> Objective:
        """Return the objective over the sample, with no weight for the rows of a fold."""
        weights = self.sample.weights * (self.fold_of != held_out)
        factor = self.weight(held_out) / float(weights.sum(dtype=np.float64))
        return Objective(self.loss, replace(self.sample, weights=weights), factor, 1 / C)

    def trained(
        self, held_out: int, C: float, coef: NDArray[np.float64], precision: float
    ) -> Model:
        """Return a model that is trained on the sample without a fold, from `coef` on."""
        coef = self.objective(C, held_out).minimise(coef, precision * self.weight(held_out))
        return Model(C, held_out, coef, coef)

    def step(self, model: Model) -> tuple[NDArray[np.float64], float]:
        """Return the next candidate, and the decrease that is promised per weight of a row."""
        assert model.gradient is not None
        objective = self.objective(model.C, model.held_out)
        scores = self.sample.scores(model.coef)
        rest, parts = model.gradient, []
        for step, change in reversed(model.history):
            part = float((step * rest).sum()) / float((step * change).sum())
            rest = rest - part * change
            parts.append(part)
        direction = objective.solve(scores, rest) / _curvature_missed(objective, scores, model)
        for (step, change), part in zip(model.history, reversed(parts), strict=True):
            along = float((change * direction).sum()) / float((step * change).sum())
            direction = direction + (part - along) * step
        change = np.sqrt(np.mean(self.sample.scores(direction) ** 2, dtype=np.float64))
        direction *= min(1.0, LARGEST_CHANGE / max(float(change), np.finfo(float).tiny))
        promised = float((direction * model.gradient).sum()) / 2
        return model.coef - direction, promised / self.weight(model.held_out)


def _curvature_missed(objective: Objective, scores: NDArray[Any], model: Model) -> float:
    """Return by what factor all rows curve the objective more than the sample, on the last step."""
    if not model.history:
        return 1.0
    step, change = model.history[-1]
    of_sample = float((step * objective.times(scores, step)).sum())
    return max(1.0, float((step * change).sum()) / of_sample)
