"""How familiar a sample is: how much it is like the training samples, whatever its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from classify.errors import ClassifierError, ModelError
from classify.estimators.solvers.neighbours import BLOCK, nearest, unit_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

FORMAT = 1
"""Of the arrays that `Familiarity.to_arrays` returns."""


class Familiarity:
    """Tell familiar samples from samples that are unlike all training samples.

    Parameters
    ----------
    n_neighbours : int, default=5
        Training samples that a sample is compared with: the most similar ones.

    Attributes
    ----------
    held_out_scores_ : ndarray of float32, shape (n_samples_,)
        Scores of the training samples, each without itself and its group, sorted.
    n_samples_, n_features_in_ : int

    Notes
    -----
    The score of a sample is its mean cosine similarity to the nearest training samples [1]_. Its
    *familiarity* is the share of the training samples that have no higher score when they are held
    out, with the sample itself counted among both: a conformal p-value [2]_. A sample that is drawn
    as the training samples were has a familiarity of at most `share` with a probability of at most
    `share`, for any distribution and any number of samples: held-out scores are never higher than
    they would be with the new sample among the neighbours, and with it, all would be exchangeable.

    Norms of embeddings are left out, because they mislead: drawn shapes, noise and flat colours
    have smaller ones than photographs, so that they lie nearer to the mean of all photographs than
    photographs do. `benchmarks/open_set.py` compares this score with others.

    References
    ----------
    .. [1] Y. Sun, Y. Ming, X. Zhu and Y. Li, "Out-of-distribution detection with deep nearest
       neighbors", ICML (2022).
    .. [2] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with conformal
       p-values", Annals of Statistics 51 (2023).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal([1.0, 1.0, 0.0], 0.1, (99, 3)).astype(np.float32)
    >>> familiarity = Familiarity().fit(X)
    >>> familiarity.familiarity([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).round(2).tolist()
    [0.83, 0.01]
    """

    def __init__(self, n_neighbours: int = 5) -> None:
        self.n_neighbours = n_neighbours

    def fit(self, X: ArrayLike, groups: NDArray[np.int64] | None = None) -> Self:
        """Keep the directions of training samples, and score each without itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples. Their directions are kept as float16.
        groups : ndarray of int, shape (n_samples,), optional
            Group of every sample. New samples are of other groups; so samples of the same group
            are not compared with each other.

        Returns
        -------
        Familiarity
            This object.

        Raises
        ------
        ClassifierError
            If there are fewer than two samples or groups, or a value is not a finite number.
        """
        rows = unit_rows(_finite(X))
        groups = np.arange(len(rows)) if groups is None else np.asarray(groups)
        self._rows = rows.astype(np.float16).astype(np.float32)
        n_others = len(rows) - int(np.bincount(groups).max(initial=0))
        if n_others < 1:
            raise ClassifierError(
                "how familiar samples are takes at least two training samples of different groups, "
                f"found {len(rows):,} of one group; add images"
            )
        self.n_neighbours_ = min(self.n_neighbours, n_others)
        self.held_out_scores_ = np.sort(self._score_others(rows, groups)).astype(np.float32)
        return self

    @property
    def n_samples_(self) -> int:
        """Number of training samples."""
        return len(self._rows)

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return int(self._rows.shape[1])

    def score(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the mean cosine similarity to the nearest training samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            At most 1; higher is more familiar.
        """
        rows = unit_rows(_finite(X, self.n_features_in_))
        means: NDArray[np.float32] = nearest(rows, self._rows, self.n_neighbours_)[1].mean(axis=1)
        return means

    def familiarity(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the share of the training samples that are no more familiar.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of float64, shape (n_samples,)
            From ``1 / (n_samples_ + 1)`` to 1; see the notes on the class.
        """
        no_higher = np.searchsorted(self.held_out_scores_, self.score(X), side="right")
        shares: NDArray[np.float64] = (no_higher + 1) / (self.n_samples_ + 1)
        return shares

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` needs to make an equal object."""
        return {
            "format": np.array(FORMAT),
            "n_neighbours": np.array(self.n_neighbours_),
            "rows": self._rows.astype(np.float16),
            "held_out_scores": self.held_out_scores_,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make an object from what `to_arrays` has returned.

        Raises
        ------
        ModelError
            If the arrays are something else, or of a newer version.
        """
        if int(arrays["format"]) > FORMAT:
            raise ModelError(
                f"it has format {int(arrays['format'])}, this version reads format {FORMAT}; "
                "upgrade frozen-features"
            )
        rows, scores = arrays["rows"], arrays["held_out_scores"]
        n_neighbours = int(arrays["n_neighbours"])
        fits = (
            rows.dtype == np.float16
            and rows.ndim == 2
            and scores.dtype == np.float32
            and scores.shape == (len(rows),)
            and rows.size > 0
            and 1 <= n_neighbours < len(rows)
            and bool(np.isfinite(rows).all() and np.isfinite(scores).all())
            and bool((np.diff(scores) >= 0).all())
        )
        if not fits:
            raise ModelError("its arrays do not fit together; take a complete copy of the run")
        loaded = cls(n_neighbours)
        loaded._rows, loaded.held_out_scores_ = rows.astype(np.float32), scores
        loaded.n_neighbours_ = n_neighbours
        return loaded

    def _score_others(
        self, rows: NDArray[np.float32], groups: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the score of every training sample without those of its group."""
        scores = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), BLOCK):
            block = slice(start, start + BLOCK)
            cosines = rows[block] @ self._rows.T
            cosines[groups[block, None] == groups] = -np.inf
            nearest_ones = np.partition(cosines, -self.n_neighbours_, axis=1)
            scores[block] = nearest_ones[:, -self.n_neighbours_ :].mean(axis=1)
        return scores


def _finite(X: ArrayLike, n_features: int | None = None) -> NDArray[np.float32]:
    """Return samples as an array of two dimensions.

    Raises
    ------
    ClassifierError
        If they are something else.
    """
    rows = np.asarray(X, dtype=np.float32)
    if rows.ndim != 2 or (n_features is not None and rows.shape[1] != n_features):
        expected = "n_features" if n_features is None else n_features
        raise ClassifierError(f"expected shape (n_samples, {expected}), found {rows.shape}")
    if not np.isfinite(rows).all():
        raise ClassifierError("expected finite numbers, found others; leave these samples out")
    return rows
