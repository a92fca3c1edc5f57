"""Draws of whole groups of samples, for intervals that know that samples come in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

DRAWS = 10_000
AT_ONCE = 2**20
"""Weights of groups that are in memory together."""


class GroupBootstrap:
    """Whole groups, drawn with replacement within their strata.

    A group's stratum is the most frequent class of its samples, since a test split has about the
    same share of every class whenever it is drawn. Strata of a single group are put together.

    Parameters
    ----------
    groups : array-like of int, shape (n_samples,)
        The group of each sample: any numbers.
    codes : array-like of int, shape (n_samples,)
        True classes.
    seed : int, default=0
    n_draws : int, default=10,000

    Attributes
    ----------
    index : ndarray of intp, shape (n_samples,)
        The group of each sample, from 0 to `n_groups` - 1.
    n_groups : int
    strata : ndarray of intp, shape (n_groups,)
        The stratum of each group.

    Examples
    --------
    >>> bootstrap = GroupBootstrap(groups=[7, 7, 3, 3, 5, 5], codes=[0, 0, 0, 1, 1, 1])
    >>> bootstrap.n_groups, bootstrap.index.tolist(), bootstrap.strata.tolist()
    (3, [2, 2, 0, 0, 1, 1], [0, 0, 0])
    """

    def __init__(
        self, groups: ArrayLike, codes: ArrayLike, seed: int = 0, n_draws: int = DRAWS
    ) -> None:
        names, index = np.unique(np.asarray(groups), return_inverse=True)
        self.index: NDArray[np.intp] = index.reshape(-1)
        self.n_groups, self._seed, self._n_draws = len(names), seed, n_draws
        self.strata = _strata(self.index, np.asarray(codes, dtype=np.intp), self.n_groups)

    def sums(self, samples: ArrayLike) -> NDArray[np.float64]:
        """Return the sum of a value over the samples of each group, ``(n_groups,)``."""
        values = np.asarray(samples, dtype=np.float64)
        found: NDArray[np.float64] = np.bincount(
            self.index, weights=values, minlength=self.n_groups
        ).astype(np.float64)
        return found

    def draws(
        self, columns: csr_array | NDArray[Any], *, stratified: bool
    ) -> Iterator[NDArray[np.float64]]:
        """Yield sums of columns over the groups of each draw, several draws at once.

        Parameters
        ----------
        columns : csr_array or ndarray of shape (n_groups, n_columns)
        stratified : bool
            Whether groups are drawn within their strata, n - 1 times from n, with weights that make
            up for it: then the variance over the draws is not too small, however few groups there
            are [1]_. Otherwise as many as there are of all.

        Yields
        ------
        ndarray of float64, shape (n_draws, n_columns)

        References
        ----------
        .. [1] J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data",
           Journal of the American Statistical Association 83 (1988).
        """
        rng = np.random.default_rng(self._seed)
        strata = self.strata if stratified else np.zeros_like(self.strata)
        order = np.argsort(strata, kind="stable")
        sizes = np.bincount(strata)
        drawn = sizes - stratified
        weights = np.repeat(sizes / np.maximum(drawn, 1), sizes)
        first, size = (np.repeat(a, drawn) for a in (np.cumsum(sizes) - sizes, sizes))
        transposed = columns[order].T
        at_once = max(1, AT_ONCE // max(self.n_groups, columns.shape[1]))
        for start in range(0, self._n_draws, at_once):
            n_draws = min(at_once, self._n_draws - start)
            chosen = (rng.random((n_draws, len(first))) * size).astype(np.intp)
            chosen += first + np.arange(n_draws)[:, None] * self.n_groups
            counts = np.bincount(chosen.ravel(), minlength=n_draws * self.n_groups)
            times = counts.reshape(n_draws, self.n_groups) * weights
            yield (transposed @ times.T).T


def _strata(index: NDArray[np.intp], codes: NDArray[np.intp], n_groups: int) -> NDArray[np.intp]:
    """Return the stratum of each group; each has two groups, unless there is only one group."""
    pairs, counts = np.unique(np.stack([index, codes]), axis=1, return_counts=True)
    last = np.lexsort((-pairs[1], counts, pairs[0]))
    majority = np.empty(n_groups, dtype=np.intp)
    majority[pairs[0, last]] = pairs[1, last]
    _, strata, sizes = np.unique(majority, return_inverse=True, return_counts=True)
    alone = sizes[strata] == 1
    if alone.any():
        target = len(sizes)
        if alone.sum() == 1 and n_groups > 1:
            target = int(np.argmin(np.where(sizes > 1, sizes, n_groups + 1)))
        strata[alone] = target
    _, merged = np.unique(strata, return_inverse=True)
    return merged.reshape(-1).astype(np.intp)
