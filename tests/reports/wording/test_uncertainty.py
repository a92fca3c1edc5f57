"""Readers learn what the intervals are by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.pages.page import render, render_comparison
from reports.records import Comparison, Run
from reports.tables import remarks
from reports.wording.uncertainty import cut_sentences
from tests.reports.samples import sample

RUN, PREDICTIONS = sample(["cats", "dogs"], n_per_class=50, classifiers=("svm", "dense"))
COMPARED = replace(RUN, comparisons=[Comparison("svm", "dense", 4, 6, 0.75, 0.75)])


def by_groups(number: int) -> Run:
    return replace(COMPARED, data=replace(RUN.data, test_groups=number, by_groups=True))


def test_the_report_says_what_its_intervals_are_by():
    """Neither Wilson nor McNemar is named where images come in groups."""
    alone, groups = render(COMPARED, PREDICTIONS, None), render(by_groups(42), PREDICTIONS, None)
    assert "95% Wilson intervals" in alone
    assert "McNemar's exact test" in alone.replace("&#39;", "'")
    assert "group" not in " ".join(remarks(COMPARED))
    assert "Bars are 95% intervals by a bootstrap over 42 groups of test images" in groups
    assert "Exact permutation test on the same 42 groups of test images" in groups
    assert "Wilson" not in groups
    assert "McNemar" not in groups


@pytest.mark.parametrize(("number", "rough"), [(9, True), (10, False)])
def test_few_groups_make_an_interval_rough(number: int, rough: bool):
    """On the page and in the terminal."""
    run = by_groups(number)
    for text in (render(run, PREDICTIONS, None), "\n".join(remarks(run))):
        assert f"95% interval by a bootstrap over {number} groups of test images" in text
        assert ("rough" in text) is rough


def test_a_single_group_has_no_interval():
    """Nothing can be drawn from it again."""
    run = by_groups(1)
    for text in (render(run, PREDICTIONS, None), "\n".join(remarks(run))):
        assert "The 95% interval says nothing: all test images are of one group" in text
        assert "over 1 group" not in text
        assert "same 1 group" not in text


def test_a_comparison_of_runs_names_the_intervals_of_all():
    """Some may be by groups, and some not."""
    runs = [(Path("a"), RUN), (Path("b"), by_groups(42)), (Path("c"), RUN)]
    page = render_comparison(runs)
    expected = "Bars are 95% Wilson intervals; 95% intervals by a bootstrap over 42 groups"
    assert page.count("Wilson") == 1
    assert expected in page


def test_a_single_image_of_a_group_that_is_trained_on_belongs_to_it():
    """In the singular."""
    data = replace(RUN.data, groups=9, cut_groups=1, cut_test_images=1)
    (sentence,) = cut_sentences(data)
    assert sentence.startswith("1 of 100 test images belongs to groups that are trained on")
