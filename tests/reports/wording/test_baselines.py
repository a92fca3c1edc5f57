"""What the best accuracy is held against, in the answer of the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.pages.page import render
from reports.ranking import ranked
from reports.wording.baselines import yardsticks
from tests.reports.samples import sample

RUN, PREDICTIONS = sample(["cats", "dogs"], n_per_class=20)
LESSON = replace(RUN.data, train_counts=[1000, 1000], test_counts=[500, 500])


def scored(classifier: str, accuracy: float):
    return replace(RUN.results[0], classifier=classifier, title=classifier, accuracy=accuracy)


def test_a_network_from_scratch_is_told_beside_a_better_one():
    """Its accuracy, and by how many points it is behind."""
    found = yardsticks(RUN, [scored("svm", 0.98), scored("dense", 0.97), scored("cnn", 0.661)])
    assert found[1] == (
        "A network trained from scratch on these pictures alone gets 66.1% right, 31.9 points less."
    )


def test_with_several_bases_it_has_a_base_in_its_name():
    """And is told all the same; one that is as good is not said to be worse."""
    told = yardsticks(RUN, [scored("svm@vgg16", 0.98), scored("cnn@vgg16", 0.5)])
    assert "48.0 points less" in told[1]
    assert len(yardsticks(RUN, [scored("svm", 0.9), scored("cnn", 0.9)])) == 1


@pytest.mark.parametrize("names", [["svm", "dense"], ["cnn", "svm"]])
def test_no_network_from_scratch_or_none_better_than_it(names: list[str]):
    """Where there is none, or it is the best, nothing is made up."""
    found = yardsticks(RUN, [scored(name, 0.9 - 0.1 * i) for i, name in enumerate(names)])
    assert len(found) == 1


def test_the_lesson_is_told_on_its_own_data_alone():
    """As many cats and dogs; any other pictures have nothing to do with it."""
    best = [scored("svm", 0.98)]
    told = yardsticks(replace(RUN, data=LESSON), best)[-1]
    assert "89.5% by its dense head" in told
    assert "68.5% by its scratch CNN" in told
    assert "eleven minutes" in told
    for other in (
        replace(LESSON, classes=["mice", "men"]),
        replace(LESSON, train_counts=[1000, 999]),
        replace(LESSON, test_counts=[100, 100]),
    ):
        assert "lesson" not in " ".join(yardsticks(replace(RUN, data=other), best))


def test_the_page_says_them_before_the_table():
    """They stand in the answer, above the fold."""
    html = render(RUN, PREDICTIONS, None)
    for sentence in yardsticks(RUN, ranked(RUN.results)):
        assert 0 < html.find(sentence) < html.find('id="results-title"')
