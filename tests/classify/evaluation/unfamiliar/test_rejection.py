"""Refusing unfamiliar samples: how many are refused, and what that does to the accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.evaluation.unfamiliar.rejection import apply_rejection, fewest_samples
from toolkit.statistics import wilson


def test_the_accuracy_is_that_of_what_is_not_refused() -> None:
    """With the interval of both shares."""
    familiarity = np.array([0.02, 0.05, 0.06, 0.5, 1.0])
    correct = np.array([False, True, True, False, True])
    result = apply_rejection(familiarity, correct, 0.05)
    assert (result.n_test, result.n_refused, result.accuracy) == (5, 2, 2 / 3)
    assert (result.refused_low, result.refused_high) == wilson(2, 5)
    assert (result.accuracy_low, result.accuracy_high) == wilson(2, 3)


def test_nothing_is_said_of_the_accuracy_if_all_are_refused() -> None:
    """Rather than a share of none."""
    result = apply_rejection(np.array([0.01, 0.02]), np.array([True, True]), 0.05)
    assert (result.n_refused, result.accuracy, result.accuracy_low) == (2, None, None)


@pytest.mark.parametrize(("share", "fewest"), [(0.05, 19), (0.01, 99), (0.1, 9), (0.03, 33)])
def test_so_many_samples_are_needed_that_one_can_be_refused(share: float, fewest: int) -> None:
    """The least familiar of so many is refused; with one sample less none is."""
    assert fewest_samples(share) == fewest
    assert 1 / (fewest + 1) <= share < 1 / fewest


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_is_between_0_and_1(share: float) -> None:
    """The error names the setting."""
    with pytest.raises(ClassifierError, match="above 0 and below 1") as caught:
        fewest_samples(share)
    assert caught.value.setting == "reject"


def test_the_intervals_know_of_groups() -> None:
    """They are wider where a group is refused, or right, as a whole."""
    familiarity = np.array([0.01, 0.5, 0.5, 0.5, 0.5]).repeat(20)
    correct = np.array([True, False, True, True, True]).repeat(20)
    codes, groups = np.zeros(100, dtype=np.intp), np.arange(5).repeat(20)
    apart = apply_rejection(familiarity, correct, 0.05)
    grouped = apply_rejection(familiarity, correct, 0.05, codes, groups)
    assert (grouped.n_refused, grouped.accuracy) == (apart.n_refused, apart.accuracy) == (20, 0.75)
    assert grouped.refused_low < apart.refused_low
    assert grouped.refused_high > apart.refused_high
    assert (grouped.accuracy_low or 0) < (apart.accuracy_low or 0)


def test_with_groups_the_accuracy_is_still_that_of_what_is_not_refused() -> None:
    """Its interval is around it, also where most samples are refused."""
    familiarity = np.array([0.01] * 8 + [0.5, 0.5]).repeat(10)
    codes, groups = np.zeros(100, dtype=np.intp), np.arange(10).repeat(10)
    result = apply_rejection(familiarity, np.ones(100, dtype=bool), 0.05, codes, groups)
    assert (result.n_refused, result.accuracy, result.accuracy_high) == (80, 1.0, 1.0)
