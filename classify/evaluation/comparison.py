"""Pairwise comparison of classifiers that were evaluated on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from toolkit.statistics import holm, mcnemar, paired_permutation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Comparison:
    """Whether two classifiers differ significantly on the same samples.

    Attributes
    ----------
    first, second : str
        Names of the classifiers.
    only_first, only_second : int
        Samples that only the first, and only the second classifier predicts correctly.
    p_value : float
        Of McNemar's exact test, or of the permutation test of groups.
    p_adjusted : float
        The same, adjusted for the number of pairs (Holm).
    """

    first: str
    second: str
    only_first: int
    only_second: int
    p_value: float
    p_adjusted: float


def compare_predictions(
    y_true: ArrayLike, y_pred: Mapping[str, ArrayLike], groups: ArrayLike | None = None
) -> list[Comparison]:
    """Test for every pair of classifiers whether their accuracies differ.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : mapping of str to array-like of shape (n_samples,)
        Predicted labels by name of the classifier.
    groups : array-like of int, shape (n_samples,), optional
        The group of each sample, such as the patient: any numbers. Groups are then compared as a
        whole; see `toolkit.statistics.paired_permutation`. None is a group of its own for each.

    Returns
    -------
    list of Comparison
        One for each pair, in the order of `y_pred`.

    Examples
    --------
    >>> y_pred = {"svm": ["a", "b", "b"], "cnn": ["a", "a", "b"]}
    >>> [pair] = compare_predictions(["a", "b", "b"], y_pred)
    >>> pair.only_first, pair.only_second, pair.p_value
    (1, 0, 1.0)
    """
    truth = np.asarray(y_true)
    correct: dict[str, NDArray[np.bool_]] = {
        name: np.asarray(labels) == truth for name, labels in y_pred.items()
    }
    pairs = list(combinations(correct, 2))
    counts = [
        (int((correct[a] & ~correct[b]).sum()), int((correct[b] & ~correct[a]).sum()))
        for a, b in pairs
    ]
    if groups is None:
        p_values = [mcnemar(*pair) for pair in counts]
    else:
        index = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        right = {name: np.bincount(index, weights=hits) for name, hits in correct.items()}
        p_values = [paired_permutation(right[a] - right[b]) for a, b in pairs]
    return [
        Comparison(first, second, *count, p_value=p_value, p_adjusted=adjusted)
        for (first, second), count, p_value, adjusted in zip(
            pairs, counts, p_values, holm(p_values), strict=True
        )
    ]
