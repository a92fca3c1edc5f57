"""Intervals and significance tests: exact figures from the definitions."""

from itertools import product
from math import comb

import pytest
from scipy.stats import binomtest

from toolkit.statistics import holm, mcnemar, paired_permutation, wilson


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
