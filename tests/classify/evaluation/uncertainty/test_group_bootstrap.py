"""Whole groups are drawn within their strata."""

import numpy as np
import pytest

from classify.evaluation.uncertainty import group_bootstrap
from classify.evaluation.uncertainty.group_bootstrap import DRAWS, GroupBootstrap


def drawn(bootstrap, columns, *, stratified=True):
    return np.concatenate(list(bootstrap.draws(columns, stratified=stratified)))


def test_a_stratum_is_the_most_frequent_class_of_a_group():
    """Groups 0 to 3 have mostly class 0 and 1, in turn."""
    groups = np.repeat([10, 20, 30, 40], 3)
    codes = [0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1]
    assert GroupBootstrap(groups, codes).strata.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("codes", "strata"),
    [
        ([0, 0, 1], [0, 0, 0]),
        ([0, 0, 1, 2], [0, 0, 1, 1]),
        ([2, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]),
    ],
)
def test_no_stratum_has_a_single_group(codes, strata):
    """Single ones are put together; a last one goes to the smallest stratum."""
    assert GroupBootstrap(range(len(codes)), codes).strata.tolist() == strata


def test_every_draw_has_as_many_groups_of_each_stratum():
    """The number of groups of a stratum never changes, their sums do."""
    bootstrap = GroupBootstrap(range(10), [0] * 4 + [1] * 6)
    columns = np.stack([np.arange(10) < 4, np.arange(10) >= 4, np.arange(10)], axis=1)
    sums = drawn(bootstrap, columns.astype(float))
    assert sums.shape == (DRAWS, 3)
    assert sums[:, 0] == pytest.approx(4)
    assert sums[:, 1] == pytest.approx(6)
    assert len(np.unique(sums[:, 2])) > 10


@pytest.mark.parametrize("n_groups", [2, 5])
def test_the_variance_of_few_groups_is_not_too_small(n_groups):
    """It is that of a sum of strata with unbiased variances, unless strata are ignored."""
    values = np.random.default_rng(0).normal(size=(2 * n_groups, 1))
    bootstrap = GroupBootstrap(range(2 * n_groups), np.repeat([0, 1], n_groups))
    expected = sum(n_groups * part.var(ddof=1) for part in np.split(values, 2))
    assert drawn(bootstrap, values).var() == pytest.approx(expected, rel=0.05)
    plain = drawn(bootstrap, values, stratified=False).var()
    assert plain == pytest.approx(2 * n_groups * values.var(), rel=0.05)


def test_draws_do_not_depend_on_how_many_are_in_memory(monkeypatch):
    """The same seed gives the same sums, a few at a time."""
    values = np.arange(6.0)[:, None]
    whole = drawn(GroupBootstrap(range(6), [0] * 6), values)
    monkeypatch.setattr(group_bootstrap, "AT_ONCE", 600)
    assert (drawn(GroupBootstrap(range(6), [0] * 6), values) == whole).all()
    assert (drawn(GroupBootstrap(range(6), [0] * 6, seed=1), values) != whole).any()
