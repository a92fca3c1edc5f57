"""What the training of a network with one of several learning rates gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sweep:
    """The training history of one of several learning rates.

    Attributes
    ----------
    learning_rate : float
    history : dict of str to list of float
        `loss` and `accuracy` on the training samples, `val_loss` and `val_accuracy` on the
        validation samples; one value per epoch.
    """

    learning_rate: float
    history: dict[str, list[float]]


@dataclass(frozen=True)
class FinishedRate:
    """What one of several learning rates gave; with it, a training that was stopped goes on.

    Attributes
    ----------
    learning_rate : float
    history : dict of str to list of float
        As in `Sweep`.
    probabilities : ndarray of float64, shape (n_held_out, n_classes)
        Of the validation samples, at the best epoch.
    """

    learning_rate: float
    history: dict[str, list[float]]
    probabilities: NDArray[np.float64]
