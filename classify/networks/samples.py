"""What a network is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Samples(NamedTuple):
    """Samples with their classes and groups.

    Attributes
    ----------
    X : ndarray of shape (n_samples, ...)
    codes : ndarray of int64, shape (n_samples,)
        Classes.
    groups : ndarray of int64, shape (n_samples,), or None
    """

    X: NDArray[Any]
    codes: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.intp]) -> Samples:
        """Return some of the samples."""
        groups = None if self.groups is None else self.groups[rows]
        return Samples(self.X[rows], self.codes[rows], groups)
