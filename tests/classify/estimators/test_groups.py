"""Groups, and folds and draws that do not divide them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.errors import ClassifierError
from classify.estimators.cross_validation import fold_numbers, held_out_part, stratified_folds
from classify.estimators.groups import (
    divided_classes,
    draw_groups,
    encode_groups,
    rows_of_groups,
    separable_groups,
)


@pytest.mark.parametrize(
    "groups",
    [
        ["p1", "p2", "p1", None],
        [("a", 1), ("a", 2), ("a", 1), ("b", 1)],
        np.array([7, 3, 7, 5]),
        pd.Series([1.5, 2.5, 1.5, None]),
        pd.Series(["x", "y", "x", pd.NA], dtype="string"),
        pd.Categorical(["x", "y", "x", "z"]),
    ],
)
def test_groups_are_anything_hashable(groups):
    """Equal values are one group; a missing value is a group of its own."""
    codes = encode_groups(groups, 4)
    assert codes.dtype == np.int64
    assert codes.tolist() == [0, 1, 0, 2]


def test_missing_groups_are_not_one_group():
    """Each sample without a group is one."""
    assert encode_groups(["a", None, "a", None, float("nan")], 5).tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize("groups", [None, [3, 1, 2], ["a", None, None]])
def test_a_group_for_each_sample_is_no_groups(groups):
    """Then everything is as without groups."""
    assert encode_groups(groups, 3) is None


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["a", "b"], "one group for each of 3 samples, found 2"),
        (5, "one group for each of 3 samples, found 1"),
        ([["a"], ["b"], ["b"]], "names or numbers"),
        (np.zeros((3, 2)), "names or numbers"),
    ],
)
def test_what_is_no_group_is_refused(groups, words):
    """The message says what was expected."""
    with pytest.raises(ClassifierError, match=words):
        encode_groups(groups, 3)


@st.composite
def grouped_samples(draw, *, one_class=False):
    """Draw classes with at least two samples each, and groups; of one class each, if asked for."""
    n_classes = draw(st.integers(2, 6))
    classes, numbers = st.integers(0, n_classes - 1), st.integers(0, draw(st.integers(0, 12)))
    codes = np.array([*range(n_classes)] * 2 + draw(st.lists(classes, max_size=40)))
    groups = np.array(draw(st.lists(numbers, min_size=len(codes), max_size=len(codes))))
    if one_class:
        groups = groups * n_classes + codes
    return codes, np.unique(groups, return_inverse=True)[1]


def in_several_groups(codes, groups):
    """Return the classes that are in more than one group."""
    return {code for code in np.unique(codes) if len(np.unique(groups[codes == code])) > 1}


@given(grouped_samples(), st.integers(2, 6), st.integers(0, 9))
def test_no_group_is_ever_on_both_sides(samples, folds, seed):
    """Except the samples of the classes that are said to be divided, which would vanish."""
    codes, groups = samples
    splits = stratified_folds(codes, folds, seed, groups)
    divided = divided_classes(codes, groups, fold_numbers(splits))
    whole = ~np.isin(codes, divided)
    for train, held_out in splits:
        assert not set(groups[train][whole[train]]) & set(groups[held_out][whole[held_out]])
        assert set(codes[train]) == set(codes)
        np.testing.assert_array_equal(np.union1d(train, held_out), np.arange(len(codes)))
    held_out = np.concatenate([part for _, part in splits])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(len(codes)))
    assert len(splits) == min(folds, len(np.unique(separable_groups(codes, groups))))


@given(grouped_samples(one_class=True), st.integers(2, 6), st.integers(0, 9))
def test_only_a_class_in_one_group_is_divided(samples, folds, seed):
    """Where every group is of one class, as a patient with one diagnosis."""
    codes, groups = samples
    splits = stratified_folds(codes, folds, seed, groups)
    divided = divided_classes(codes, groups, fold_numbers(splits))
    assert set(divided) == set(codes) - in_several_groups(codes, groups)


def test_groups_that_cannot_all_be_apart_are_divided_and_said():
    """Of three groups in two folds, two are together, and some class is in just these two."""
    codes = np.array([0, 0, 1, 1, 2, 2]).repeat(4)
    groups = np.array([0, 1, 0, 2, 1, 2]).repeat(4)
    splits = stratified_folds(codes, 2, 0, groups)
    assert len(divided_classes(codes, groups, fold_numbers(splits))) == 1
    for train, _ in splits:
        assert set(codes[train]) == {0, 1, 2}


def test_without_groups_the_folds_are_the_same_as_before():
    """One group per sample is no group, and a run without groups keeps its figures."""
    codes = np.random.default_rng(0).integers(0, 3, 200)
    for seed in range(3):
        plain = stratified_folds(codes, 5, seed)
        again = stratified_folds(codes, 5, seed, encode_groups(np.arange(200), 200))
        for one, other in zip(plain, again, strict=True):
            np.testing.assert_array_equal(one[1], other[1])


def test_classes_and_sizes_are_as_even_as_the_groups_allow():
    """300 groups of one to nine samples and three classes: every fold has a fifth of each."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), rng.integers(1, 10, 300))
    codes = rng.integers(0, 3, 300)[groups]
    splits = stratified_folds(codes, 5, 0, groups)
    shares = np.array([np.bincount(codes[part]) for _, part in splits]) / np.bincount(codes)
    assert np.abs(shares - 0.2).max() < 0.01


def test_small_classes_are_spread_over_all_folds():
    """Classes of two groups do not all go to the first folds."""
    codes, groups = np.arange(100).repeat(4), np.arange(200).repeat(2)
    splits = stratified_folds(codes, 5, 0, groups)
    assert [len(part) for _, part in splits] == [80] * 5


@given(grouped_samples(), st.integers(1, 5), st.integers(0, 9))
def test_a_draw_takes_whole_groups(samples, least, seed):
    """And at least some of every class."""
    codes, groups = samples
    separable = separable_groups(codes, groups)
    counts = np.bincount(codes)
    drawn = draw_groups(codes, separable, np.maximum(1, counts // 2), seed, least=least)
    rest = np.setdiff1d(np.arange(len(codes)), drawn)
    assert not set(separable[drawn]) & set(separable[rest])
    assert (np.bincount(codes[drawn]) >= np.minimum(least, counts)).all()


@given(grouped_samples(one_class=True), st.integers(0, 9))
def test_the_part_that_is_held_out_has_and_leaves_every_class(samples, seed):
    """Otherwise a network would be stopped by the images of one class."""
    codes, groups = samples
    train, held_out = held_out_part(codes, 5, seed, groups)
    assert set(codes[train]) == set(codes[held_out]) == set(codes)
    separable = separable_groups(codes, groups)
    assert not set(separable[train]) & set(separable[held_out])


@given(grouped_samples(), st.integers(0, 9))
def test_the_part_that_is_held_out_never_takes_a_whole_class(samples, seed):
    """Even where groups have several classes."""
    codes, groups = samples
    train, held_out = held_out_part(codes, 5, seed, groups)
    assert set(codes[train]) == set(codes)
    assert len(held_out)


def test_the_part_that_is_held_out_is_about_a_fifth():
    """Where the groups are small enough."""
    codes = np.random.default_rng(0).integers(0, 2, 100).repeat(3)
    _, held_out = held_out_part(codes, 5, 0, np.arange(100).repeat(3))
    assert abs(len(held_out) - 60) <= 6


def test_rows_of_groups_are_complete():
    """Every sample is in the rows of its group."""
    groups = np.array([2, 0, 1, 0, 2])
    assert [rows.tolist() for rows in rows_of_groups(groups)] == [[1, 3], [2], [0, 4]]
