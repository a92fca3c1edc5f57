"""What a split that ignores groups would have claimed."""

from __future__ import annotations

import json
from dataclasses import replace

from reports.ranking import best_in_validation
from reports.reading import parse_record
from reports.records import Ungrouped, Validation
from reports.wording.ungrouped import ungrouped_sentence
from tests.reports.samples import sample

RUN = sample(["cats", "dogs"], n_per_class=50, classifiers=("cnn", "svm"))[0]


def test_the_claim_is_named_for_a_classifier_that_is_not_the_chosen_one():
    """A network on images is not trained again; the claim is that of the best on embeddings."""
    cnn = replace(RUN.results[0], validation=Validation(100, 0.9, 0.2))
    svm = replace(RUN.results[1], accuracy=0.82, validation=Validation(100, 0.8, 0.4))
    run = replace(RUN, results=[cnn, svm], ungrouped=Ungrouped("svm", 0.934, 100))
    assert best_in_validation(run).classifier == "cnn"
    assert ungrouped_sentence(run) == (
        "Groups were kept together. A split that ignores them would have claimed 93.4% for SVM "
        "instead of 82.0%."
    )


def test_without_groups_nothing_is_said():
    """Nor in records of earlier versions, which do not have the field."""
    assert ungrouped_sentence(RUN) is None
    earlier = json.loads(RUN.to_json())
    del earlier["ungrouped"]
    assert parse_record(json.dumps(earlier)).ungrouped is None


def test_a_claim_for_a_classifier_without_a_result_is_not_shown():
    """In a record that somebody has changed."""
    assert ungrouped_sentence(replace(RUN, ungrouped=Ungrouped("forest", 0.9, 100))) is None


def test_the_record_keeps_the_claim():
    """It reads back as it was written."""
    run = replace(RUN, ungrouped=Ungrouped("svm", 0.934, 100))
    assert parse_record(run.to_json()).ungrouped == run.ungrouped


def test_the_same_claim_is_called_the_same():
    """Not 100.0% instead of 100.0%."""
    svm = replace(RUN.results[1], accuracy=0.99996)
    run = replace(RUN, results=[svm], ungrouped=Ungrouped("svm", 1.0, 100))
    assert ungrouped_sentence(run) == (
        "Groups were kept together. A split that ignores them would have claimed 100.0% as well."
    )
