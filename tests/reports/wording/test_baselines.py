"""What the best accuracy is compared with, in the headline of the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.pages.page import render
from reports.ranking import ranked
from reports.wording.baselines import baseline_sentences
from tests.reports.samples import sample

RUN, PREDICTIONS = sample(["cats", "dogs"], n_per_class=20)
LESSON = replace(RUN.data, train_counts=[1000, 1000], test_counts=[500, 500])


def scored(classifier: str, accuracy: float):
    return replace(RUN.results[0], classifier=classifier, title=classifier, accuracy=accuracy)


def test_a_network_from_scratch_is_compared_with_a_better_one():
    """With its accuracy and the difference in points."""
    found = baseline_sentences(
        RUN, [scored("svm", 0.98), scored("dense", 0.97), scored("cnn", 0.661)]
    )
    assert found[1] == (
        "A network trained from scratch on these images alone reaches 66.1%, 31.9 points less."
    )


def test_with_several_bases_it_has_a_base_in_its_name():
    """It is compared, too; one that is as good is not called worse."""
    sentences = baseline_sentences(RUN, [scored("svm@vgg16", 0.98), scored("cnn@vgg16", 0.5)])
    assert "48.0 points less" in sentences[1]
    assert len(baseline_sentences(RUN, [scored("svm", 0.9), scored("cnn", 0.9)])) == 1


@pytest.mark.parametrize("names", [["svm", "dense"], ["cnn", "svm"]])
def test_no_network_from_scratch_or_none_better_than_it(names: list[str]):
    """If there is none, or it is the best, it is not mentioned."""
    found = baseline_sentences(RUN, [scored(name, 0.9 - 0.1 * i) for i, name in enumerate(names)])
    assert len(found) == 1


def test_the_lesson_is_mentioned_for_its_own_data_only():
    """The same number of cats and dogs; it says nothing about other images."""
    best = [scored("svm", 0.98)]
    sentences = baseline_sentences(replace(RUN, data=LESSON), best)[-1]
    assert "89.5% for its dense head" in sentences
    assert "68.5% for its CNN trained from scratch" in sentences
    assert "eleven minutes" in sentences
    for other in (
        replace(LESSON, classes=["mice", "men"]),
        replace(LESSON, train_counts=[1000, 999]),
        replace(LESSON, test_counts=[100, 100]),
    ):
        assert "lesson" not in " ".join(baseline_sentences(replace(RUN, data=other), best))


def test_the_page_says_them_before_the_table():
    """They belong to the headline."""
    html = render(RUN, PREDICTIONS, None)
    sentences = baseline_sentences(RUN, ranked(RUN))
    assert sentences
    for sentence in sentences:
        assert 0 < html.find(sentence) < html.find('id="results-title"')
