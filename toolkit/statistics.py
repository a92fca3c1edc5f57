"""How sure a share is, and whether classifiers differ that were judged on the same images."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


CONFIDENCE = 0.95


def wilson(number: float, total: float) -> tuple[float, float]:
    """Return Wilson's 95% confidence interval of a share.

    Parameters
    ----------
    number, total : float
        So many of at least one; no whole numbers if they are effective ones.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22 (1927).

    Examples
    --------
    >>> low, high = wilson(9, 10)
    >>> round(low, 3), round(high, 3)
    (0.596, 0.982)
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, size = number / total, total + z**2
    middle = (number + z**2 / 2) / size
    reach = z / size * math.sqrt(total * share * (1 - share) + z**2 / 4)
    low = middle - reach if number else 0.0
    high = middle + reach if number < total else 1.0
    return low, high


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the p-value of McNemar's exact, two-sided test for two classifiers.

    Only images that exactly one of the two classifiers gets right say which one is better. If both
    were equally good, each such image would favour either of them with probability 1/2.

    Parameters
    ----------
    only_first, only_second : int
        Number of images that only the first, and that only the second classifier gets right.

    Returns
    -------
    float
        Probability of a division at least as uneven under that hypothesis; 1.0 if there are no
        such images.

    See Also
    --------
    paired_permutation : The same where images come in groups.
    holm : Adjust the p-values of several comparisons.

    References
    ----------
    .. [1] Q. McNemar, "Note on the sampling error of the difference between correlated proportions
       or percentages", Psychometrika 12 (1947). The exact test replaces the chi-squared
       distribution by the binomial one.

    Examples
    --------
    >>> round(mcnemar(1, 9), 4)
    0.0215
    >>> mcnemar(0, 0)
    1.0
    """
    from scipy.stats import binomtest

    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def paired_permutation(differences: ArrayLike) -> float:
    """Return the p-value of the exact, two-sided permutation test of paired groups.

    If two classifiers were equally good, every group of images could as well have its results
    exchanged between them: each group's difference is as likely with the other sign.

    Parameters
    ----------
    differences : array-like of int, shape (n_groups,)
        Of each group: images that the first classifier gets right, less those that the second does.

    Returns
    -------
    float
        Probability of a sum at least as far from 0 under that hypothesis; 1.0 if all are 0.

    See Also
    --------
    mcnemar : The same where every image is a group of its own.

    Notes
    -----
    All ``2 ** n_groups`` signs are counted, without drawing any: groups with the same absolute
    difference have a binomial number of positive signs, and these distributions are convolved.

    References
    ----------
    .. [1] R. A. Fisher, "The Design of Experiments" (1935), section 21.

    Examples
    --------
    >>> round(paired_permutation([3, 2, 4, 1, 5]), 4)
    0.0625
    >>> round(paired_permutation([1] + [-1] * 9), 4), round(mcnemar(1, 9), 4)
    (0.0215, 0.0215)
    """
    import numpy as np
    from scipy.stats import binom

    given = np.asarray(differences, dtype=np.int64)
    steps, counts = np.unique(np.abs(given[given != 0]), return_counts=True)
    probabilities = np.ones(1)
    for step, count in zip(steps, counts, strict=True):
        positive = np.zeros(step * count + 1)
        positive[::step] = binom.pmf(np.arange(count + 1), count, 0.5)
        probabilities = np.convolve(probabilities, positive)
    largest = len(probabilities) - 1
    sums = 2 * np.arange(largest + 1) - largest
    return min(1.0, float(probabilities[np.abs(sums) >= abs(given.sum())].sum()))


def largest_loss(only_first: int, only_second: int, total: int) -> float:
    """Return the one-sided 95% upper bound of how much more often the first classifier is right.

    If it is below a margin, the second classifier is not worse than the first by more than that
    (non-inferiority). A large p-value of `mcnemar` does not show this: it may be that the images
    are few.

    Parameters
    ----------
    only_first, only_second : int
        Number of images that only the first, and that only the second classifier gets right.
    total : int
        All images, at least one.

    Returns
    -------
    float
        Upper limit of the accuracy of the first minus that of the second, by Tango's score
        interval for paired proportions [1]_.

    References
    ----------
    .. [1] T. Tango, "Equivalence test and confidence interval for the difference in proportions
       for the paired-sample design", Statistics in Medicine 17 (1998).

    Examples
    --------
    Of 2,000 images, 9 are right with the first alone, 7 with the second alone: a loss of 0.1
    percentage points, or of up to 0.46.

    >>> round(largest_loss(9, 7, 2000), 4)
    0.0046
    """
    from scipy.optimize import brentq

    if only_first == total:
        return 1.0
    z, difference = NormalDist().inv_cdf(CONFIDENCE), only_first - only_second

    def excess(loss: float) -> float:
        # The share that only the second gets right is the most likely one under this loss.
        b = (2 * total - difference) * loss - only_first - only_second
        root = math.sqrt(b**2 + 8 * total * only_second * loss * (1 - loss))
        variance = total * ((root - b) / (2 * total) + loss * (1 - loss))
        return total * loss - difference - z * math.sqrt(max(variance, 0.0))

    # Not from the difference itself, which is a solution, too, where no image is right with one
    # alone.
    return float(brentq(excess, difference / total + 1e-9, 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for the number of tests by Holm's step-down method.

    Parameters
    ----------
    p_values : sequence of float

    Returns
    -------
    list of float
        Adjusted p-values, in the same order. Rejecting those below 0.05 keeps the probability of
        even one false rejection below 0.05.

    See Also
    --------
    mcnemar, paired_permutation : The tests that compare two classifiers.

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
       of Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    import numpy as np

    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return [float(value) for value in adjusted]
