"""How well labels can be told from properties in bins, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.evaluation.uncertainty.intervals import mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FOLDS = 5
PENALTY = 10.0
"""Of the ridge regression of several properties together."""
_AT_ONCE = 2**22
"""Cells of the tables of draws that are in memory together."""


@dataclass(frozen=True)
class Predictability:
    """How well labels can be told from one or several properties.

    Attributes
    ----------
    accuracy : float
        Balanced accuracy on held-out samples.
    low, high : float
        Its 95% interval.
    p_value : float
        Share of permutations of the labels with at least this accuracy.
    """

    accuracy: float
    low: float
    high: float
    p_value: float


class PermutedLabels:
    """Labels and many permutations of them, and the folds in which samples are held out.

    Parameters
    ----------
    y : ndarray of int64, shape (n_samples,)
        Classes, from 0 on; every class occurs.
    n_draws : int
        Number of permutations.
    seed : int, default=0
        Draws folds and permutations.

    Notes
    -----
    The folds do not depend on the labels, so that the labels and their permutations are treated
    alike: without any relation to the properties, each accuracy among them is equally probable to
    be the largest, and the test is exact [1]_.

    References
    ----------
    .. [1] M. Ojala and G. C. Garriga, "Permutation tests for studying classifier performance",
       Journal of Machine Learning Research 11 (2010).

    Examples
    --------
    >>> y = np.arange(200) % 2
    >>> labels = PermutedLabels(y, n_draws=99)
    >>> found = labels.told_from(np.where(np.arange(200) < 150, y, 0), 2)
    >>> found.p_value, found.low > 0.5
    (0.01, True)
    """

    def __init__(self, y: NDArray[np.int64], n_draws: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._folds = rng.permutation(len(y)) % FOLDS
        self._labels = np.stack([y, *(rng.permutation(y) for _ in range(n_draws))])
        self._counts = np.bincount(y)

    def told_from(self, codes: NDArray[np.int64], n_bins: int) -> Predictability:
        """Predict the class that is relatively most frequent in the bin of a sample.

        Parameters
        ----------
        codes : ndarray of int64, shape (n_samples,)
            The bin of each sample.
        n_bins : int
        """
        n_classes = len(self._counts)
        cells = FOLDS * n_bins * n_classes
        where = (self._folds * n_bins + codes) * n_classes
        step = max(1, _AT_ONCE // max(cells, len(codes)))
        correct = []
        for start in range(0, len(self._labels), step):
            labels = self._labels[start : start + step]
            index = where + labels + cells * np.arange(len(labels))[:, None]
            tables = np.bincount(index.ravel(), minlength=cells * len(labels))
            correct.append(_correct(tables.reshape(len(labels), FOLDS, n_bins, n_classes)))
        return self._judged(np.concatenate(correct))

    def told_from_all(self, bins: Sequence[tuple[NDArray[np.int64], int]]) -> Predictability:
        """Predict by a ridge regression of the classes on all bins together.

        Parameters
        ----------
        bins : sequence of (ndarray of int64 of shape (n_samples,), int)
            Bin of each sample, and number of bins, of every property.
        """
        X = np.concatenate([np.eye(n, dtype=np.float32)[codes] for codes, n in bins], axis=1)
        n_classes, n_samples = len(self._counts), len(X)
        shares = self._counts / n_samples
        step = max(1, _AT_ONCE // (n_samples * n_classes))
        smoothers = [self._smoother(X, fold) for fold in range(FOLDS)]
        correct = []
        for start in range(0, len(self._labels), step):
            labels = self._labels[start : start + step]
            hits = np.zeros((len(labels), n_classes), dtype=np.int64)
            for fold, smoother in enumerate(smoothers):
                held_out = self._folds == fold
                # (draws, classes, training samples)
                targets = labels[:, None, ~held_out] == np.arange(n_classes)[:, None]
                rows = targets.reshape(-1, smoother.shape[0]).astype(np.float32)
                scores = rows @ smoother + rows.mean(axis=1, keepdims=True)
                scores = scores.reshape(len(labels), n_classes, -1)
                # A share divided by that of the class: every class counts the same.
                answers = (scores / shares[:, None]).argmax(axis=1)
                truth = labels[:, held_out]
                for code in range(n_classes):
                    hits[:, code] += ((answers == code) & (truth == code)).sum(axis=1)
            correct.append(hits)
        return self._judged(np.concatenate(correct))

    def _smoother(self, X: NDArray[np.float32], fold: int) -> NDArray[np.float32]:
        """Return the matrix that turns targets of training samples into scores of held-out ones.

        Returns
        -------
        ndarray of float32, shape (n_training, n_held_out)
        """
        held_out = self._folds == fold
        mean = X[~held_out].mean(axis=0)
        train, test = X[~held_out] - mean, X[held_out] - mean
        gram = train.T @ train + PENALTY * np.eye(X.shape[1], dtype=np.float32)
        smoother: NDArray[np.float32] = train @ np.linalg.solve(gram, test.T)
        return smoother

    def _judged(self, correct: NDArray[np.int64]) -> Predictability:
        """Return what the correct samples of each class, of the labels and of each draw, say."""
        accuracies = (correct / self._counts).mean(axis=1)
        low, high = mean_interval(correct[0], self._counts)
        reached = int((accuracies[1:] >= accuracies[0] - 1e-12).sum())
        return Predictability(float(accuracies[0]), low, high, (reached + 1) / len(accuracies))


def _correct(tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many samples of each class are predicted correctly by the other folds.

    Parameters
    ----------
    tables : ndarray of int64, shape (n_draws, n_folds, n_bins, n_classes)
        Number of samples.

    Returns
    -------
    ndarray of int64, shape (n_draws, n_classes)
    """
    others = tables.sum(axis=1, keepdims=True) - tables
    shares = others / np.maximum(others.sum(axis=2, keepdims=True), 1)
    answers = shares.argmax(axis=3)
    hits = np.take_along_axis(tables, answers[..., None], axis=3)[..., 0]
    n_classes = tables.shape[3]
    return np.stack(
        [np.where(answers == code, hits, 0).sum(axis=(1, 2)) for code in range(n_classes)], axis=1
    )
