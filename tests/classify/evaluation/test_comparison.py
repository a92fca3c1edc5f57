"""Whether classifiers that were judged on the same images differ by more than chance."""

from math import comb

import numpy as np
import pytest

from classify.evaluation.comparison import compare
from reports.wording.differences import holm, mcnemar


@pytest.mark.parametrize(("first", "second"), [(0, 6), (3, 9), (12, 5), (40, 20)])
def test_mcnemar_counts_the_tails_of_a_fair_coin(first, second):
    """Both tails at least as uneven as what was seen, each outcome as likely as coins make it."""
    tosses, fewer = first + second, min(first, second)
    tail = sum(comb(tosses, k) for k in range(fewer + 1)) / 2**tosses
    assert mcnemar(first, second) == pytest.approx(2 * tail)


def test_mcnemar_of_an_even_division_is_one():
    """Nothing, and as many on either side, are no sign of a difference."""
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1.0


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    """The k-th smallest of m is taken m - k + 1 times, and is at least as large as the last."""
    assert holm([0.04, 0.001, 0.02, 0.03]) == pytest.approx([0.06, 0.004, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_every_pair_is_compared_once_on_the_same_images():
    """Three classifiers are three pairs, each with the images that only one of it gets right."""
    truth = np.array(["a"] * 60 + ["b"] * 40)
    good, bad = truth.copy(), truth.copy()
    good[:2] = "b"
    bad[1:31] = "b"
    pairs = compare(truth, {"good": good, "same": good, "bad": bad})
    assert [(pair.first, pair.second) for pair in pairs] == [
        ("good", "same"),
        ("good", "bad"),
        ("same", "bad"),
    ]
    assert [(pair.only_first, pair.only_second) for pair in pairs] == [(0, 0), (29, 1), (29, 1)]
    assert pairs[0].p_adjusted == 1.0
    assert pairs[1].p_value < pairs[1].p_adjusted < 1e-6


def test_equally_good_classifiers_seldom_seem_to_differ():
    """Of 200 pairs that are equally good, at most one in twenty has a p-value below 0.05."""
    rng = np.random.default_rng(0)
    truth = np.zeros(300, dtype=int)
    low = 0
    for _ in range(200):
        a, b = (rng.random((2, 300)) < 0.1).astype(int)
        low += compare(truth, {"a": a, "b": b})[0].p_value < 0.05
    assert low <= 10
