"""Whether classifiers that were judged on the same images differ by more than chance."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from reports.record import Comparison
from toolkit.statistics import holm, mcnemar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


def compare(y_true: ArrayLike, predicted: Mapping[str, ArrayLike]) -> list[Comparison]:
    """Compare every pair of classifiers.

    Parameters
    ----------
    y_true : array-like of shape (n_test,)
        Labels.
    predicted : mapping of str to array-like of shape (n_test,)
        What each classifier says, by its name.

    Returns
    -------
    list of Comparison
        One for each pair, with p-values that are adjusted for the number of pairs.

    Examples
    --------
    >>> [pair] = compare(["a", "b", "b"], {"svm": ["a", "b", "b"], "cnn": ["a", "a", "b"]})
    >>> pair.only_first, pair.only_second, pair.p_value
    (1, 0, 1.0)
    """
    truth = np.asarray(y_true)
    right: dict[str, NDArray[np.bool_]] = {
        name: np.asarray(labels) == truth for name, labels in predicted.items()
    }
    pairs = list(combinations(right, 2))
    counts = [
        (int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum())) for a, b in pairs
    ]
    p_values = [mcnemar(*pair) for pair in counts]
    return [
        Comparison(first, second, *count, p_value=p, p_adjusted=adjusted)
        for (first, second), count, p, adjusted in zip(
            pairs, counts, p_values, holm(p_values), strict=True
        )
    ]
