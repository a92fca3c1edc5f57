"""How classifiers compare on training samples that they were not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.evaluation.metrics import sample_losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class HeldOut:
    """Predictions for training samples, each by a model that was not trained on it.

    Attributes
    ----------
    rows : ndarray of intp, shape (n_held_out,)
        Positions of the samples in the training split, ascending.
    losses : ndarray of float64, shape (n_held_out,)
        Negative logarithm of the probability of the true class.
    correct : ndarray of bool, shape (n_held_out,)
    """

    rows: NDArray[np.intp]
    losses: NDArray[np.float64]
    correct: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        probabilities: NDArray[Any],
        codes: NDArray[np.intp],
        rows: NDArray[np.intp],
        answers: NDArray[np.intp],
    ) -> HeldOut:
        """Judge the predictions of the samples `rows`, whose true classes are `codes`."""
        return cls(rows, sample_losses(probabilities, codes), answers == codes)


@dataclass(frozen=True)
class Validation:
    """A classifier on training samples that it was not trained on.

    Attributes
    ----------
    n_samples : int
    accuracy : float
    log_loss : float
    """

    n_samples: int
    accuracy: float
    log_loss: float


def validate(held_out: Mapping[str, HeldOut]) -> dict[str, Validation]:
    """Compare classifiers on the samples that none of them was trained on.

    Parameters
    ----------
    held_out : mapping of str to HeldOut
        Of each classifier. Cross-validation holds every sample out, a network only some.

    Returns
    -------
    dict of str to Validation
        On the samples that all have in common; on its own ones each, if there are none.

    Examples
    --------
    >>> rows, losses = np.arange(4), np.array([0.1, 0.2, 0.3, 0.4])
    >>> compared = validate({
    ...     "svm": HeldOut(rows, losses, losses < 0.4),
    ...     "dense": HeldOut(rows[2:], losses[2:], losses[2:] < 0.5),
    ... })
    >>> compared["svm"]
    Validation(n_samples=2, accuracy=0.5, log_loss=0.35)
    """
    if not held_out:
        return {}
    common = reduce(np.intersect1d, (one.rows for one in held_out.values()))
    compared = {}
    for name, one in held_out.items():
        chosen = np.isin(one.rows, common) if len(common) else np.full(len(one.rows), True)
        compared[name] = Validation(
            n_samples=int(chosen.sum()),
            accuracy=float(one.correct[chosen].mean()),
            log_loss=float(one.losses[chosen].mean()),
        )
    return compared
