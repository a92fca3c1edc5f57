"""The answer of a run in one sentence."""

from __future__ import annotations

from dataclasses import replace

from reports.wording.headline import headline
from tests.reports.samples import sample

RUN = sample(["cats", "dogs"], n_per_class=50)[0]


def scored(accuracy: float, low: float, high: float, title: str):
    return replace(
        RUN.results[0],
        title=title,
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
    )


def test_the_headline_says_which_order_may_be_chance():
    """Classifiers whose intervals overlap with the best one's are named, others not."""
    results = [
        scored(0.95, 0.93, 0.97, title="A"),
        scored(0.94, 0.92, 0.96, title="B"),
        scored(0.6, 0.5, 0.7, title="C"),
    ]
    found = headline(RUN, results)
    assert found is not None
    assert found.sentence == ("A: 95.0% of 100 test images correct (95% interval 93.0% to 97.0%).")
    assert (found.title, found.share, found.low, found.high) == ("A", "95.0%", "93.0%", "97.0%")
    assert found.remarks == [
        "Its interval overlaps with that of B: the order of the two may be chance.",
        "Always predicting the most frequent class would reach 50.0%.",
    ]


def test_a_run_without_classifiers_has_no_headline():
    """There is nothing to say, and no division by zero."""
    assert headline(RUN, []) is None
    empty = replace(RUN, data=replace(RUN.data, test_counts=[0, 0]))
    found = headline(empty, RUN.results[:1])
    assert found is not None
    assert found.remarks == []
