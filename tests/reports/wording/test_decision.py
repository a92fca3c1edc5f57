"""What a run says about its decision and its priors."""

from dataclasses import replace

import pytest

from reports.wording.decision import decision_sentences
from tests.reports.samples import sample


def unbalanced(counts, **fields):
    """Return a run with these numbers of training images of its classes."""
    run = sample(["cat", "dog"])[0]
    return replace(run, data=replace(run.data, train_counts=counts), **fields)


def test_balanced_classes_need_no_sentence():
    """Neither do slightly unbalanced ones."""
    assert decision_sentences(unbalanced([14, 10])) == []


def test_unbalanced_classes_are_named_with_the_option():
    """The most probable class is answered, unless something else is asked for."""
    (sentence,) = decision_sentences(unbalanced([15, 10]))
    assert "unbalanced (15 training images of " in sentence
    assert "--decision equal-classes" in sentence


def test_another_decision_is_said():
    """Whether the classes are unbalanced or not."""
    (sentence,) = decision_sentences(unbalanced([100, 10], decision="equal-classes"))
    assert "the most probable if all were as frequent" in sentence


def test_priors_are_said():
    """And that the accuracies are not for them."""
    run = sample(["cat", "dog"])[0]
    first, second = run.data.classes
    priors = {first: 0.9, second: 0.1}
    (sentence,) = decision_sentences(unbalanced([100, 10], priors=priors))
    assert f"{first} 90.0% and {second} 10.0%. Accuracies are those of the test" in sentence


@pytest.mark.parametrize("n_classes", [7])
def test_of_many_priors_some_are_named(n_classes):
    """The rest is counted."""
    priors = {f"class {i}": 1 / n_classes for i in range(n_classes)}
    (sentence,) = decision_sentences(replace(sample(["cat", "dog"])[0], priors=priors))
    assert sentence.count("14.3%") == 5
    assert "2 more" in sentence
