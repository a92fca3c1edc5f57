"""What a network is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from classify.estimators.rows import RowsOnDisk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Samples(NamedTuple):
    """Samples with their classes and groups.

    Attributes
    ----------
    X : ndarray of shape (n_samples, ...), or RowsOnDisk
    codes : ndarray of int64, shape (n_samples,)
        Classes.
    groups : ndarray of int64, shape (n_samples,), or None
    """

    X: Any
    codes: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.intp]) -> Samples:
        """Return some of the samples; rows on disk are not read."""
        groups = None if self.groups is None else self.groups[rows]
        X = self.X.part(rows) if isinstance(self.X, RowsOnDisk) else self.X[rows]
        return Samples(X, self.codes[rows], groups)
