"""Intervals and significance tests: exact figures from the definitions."""

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from toolkit.statistics import holm, largest_loss, mcnemar, paired_permutation, wilson


@pytest.mark.parametrize(("first", "second"), [(0, 6), (3, 9), (12, 5), (40, 20)])
def test_mcnemar_counts_the_tails_of_a_fair_coin(first, second):
    """The p-value is the binomial probability of both tails at least as uneven as observed."""
    tosses, fewer = first + second, min(first, second)
    tail = sum(comb(tosses, k) for k in range(fewer + 1)) / 2**tosses
    assert mcnemar(first, second) == pytest.approx(2 * tail)


def test_mcnemar_of_an_even_division_is_one():
    """No discordant images, or as many on either side, show no difference."""
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1.0


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    """The k-th smallest of m is multiplied by m - k + 1, and never falls below the one before."""
    assert holm([0.04, 0.001, 0.02, 0.03]) == pytest.approx([0.06, 0.004, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("number", "total"), [(0, 1), (1, 1), (0, 7), (3, 4), (981, 1000)])
def test_wilsons_interval_is_that_of_scipy(number: int, total: int) -> None:
    """Also at both ends, where it reaches 0 and 1."""
    expected = binomtest(number, total).proportion_ci(0.95, method="wilson")
    assert wilson(number, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("differences", [[3, -1, 2, 2, 0], [1, 1, 1, -5, 4, 4, 2], [6], [0, 0], []])
def test_the_permutation_test_counts_all_signs(differences):
    """The share of all signs whose sum is at least as far from 0."""
    sums = [
        sum(sign * one for sign, one in zip(signs, differences, strict=True))
        for signs in product([1, -1], repeat=len(differences))
    ]
    extreme = sum(abs(one) >= abs(sum(differences)) for one in sums)
    assert paired_permutation(differences) == pytest.approx(extreme / len(sums))


@pytest.mark.parametrize(("first", "second"), [(0, 6), (3, 9), (0, 0), (40, 20), (7, 7)])
def test_the_permutation_test_of_single_images_is_mcnemars(first, second):
    """Images that both get right, or neither does, are differences of 0."""
    differences = [1] * first + [-1] * second + [0] * 5
    assert paired_permutation(differences) == pytest.approx(mcnemar(first, second))


@pytest.mark.parametrize(
    ("first", "second", "total"), [(9, 7, 2000), (0, 0, 50), (4, 0, 30), (0, 12, 100), (30, 20, 60)]
)
def test_the_largest_loss_is_where_the_score_test_rejects(first, second, total):
    """Its variance is that of the shares that are the most likely ones under this loss."""
    loss = largest_loss(first, second, total)

    def surprise(share):
        counts = np.array([first, second, total - first - second])
        shares = np.array([share + loss, share, 1 - loss - 2 * share])
        return -np.sum(counts * np.log(np.maximum(shares, 1e-300)))

    limits = max(0.0, -loss), (1 - loss) / 2
    share = minimize_scalar(surprise, bounds=limits, options={"xatol": 1e-12}).x
    variance = total * (2 * share + loss - loss**2)
    assert (first - second - total * loss) / variance**0.5 == pytest.approx(-1.6449, abs=2e-3)


def test_no_loss_is_larger_than_that_of_all():
    """Where every image is right with the first alone."""
    assert largest_loss(5, 0, 5) == 1.0


def test_the_largest_loss_covers_the_true_one():
    """In about 95% of the draws of 2,000 images, with a loss of 0.3 points."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(2000, [0.006, 0.003, 0.991], size=400)
    covered = [largest_loss(first, second, 2000) >= 0.003 for first, second, _ in drawn.tolist()]
    assert 0.92 <= np.mean(covered) <= 0.98
