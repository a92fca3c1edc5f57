"""Which classifier comes first in a report, and which one is used unless another is named."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING

from reports.ranking import best_in_validation, ranked
from reports.records import SearchPoint, Validation
from tests.reports.samples import sample

if TYPE_CHECKING:
    from reports.records import Result, Run

RUN, _ = sample(["ants", "bees"], n_per_class=3, classifiers=("logreg", "svm"))
LOGREG, SVM = RUN.results


def searched(
    result: Result, *means: float, accuracy: float = 0.5, log_loss: float | None = None
) -> Result:
    """Return a result whose search has points with these means and chose the last."""
    assert result.search is not None
    points = [
        SearchPoint({"C": float(i)}, mean, 0.0, log_loss=log_loss) for i, mean in enumerate(means)
    ]
    search = replace(result.search, points=points, chosen={"C": len(means) - 1.0})
    return replace(result, search=search, accuracy=accuracy)


def best(*results: Result) -> str:
    """Return the name of the classifier that is used by default."""
    run: Run = replace(RUN, results=list(results))
    return best_in_validation(run).classifier


def test_the_best_in_cross_validation_is_the_default() -> None:
    """The test accuracies play no part."""
    results = searched(LOGREG, 0.9, 0.7, accuracy=1.0), searched(SVM, 0.1, 0.8, accuracy=0.9)
    assert best(*results) == "svm"


def test_the_lowest_log_loss_is_the_default_if_all_have_one() -> None:
    """Accuracy decides as soon as one log loss is missing."""
    assert best(searched(LOGREG, 0.7, log_loss=0.1), searched(SVM, 0.9, log_loss=0.2)) == "logreg"
    assert best(searched(LOGREG, 0.7, log_loss=0.1), searched(SVM, 0.9)) == "svm"


def test_a_search_without_points_counts_as_none() -> None:
    """A record edited by hand may have one; the first classifier is used."""
    assert best(searched(LOGREG), searched(SVM)) == "logreg"


def validated(result: Result, log_loss: float, accuracy: float = 0.9) -> Result:
    """Return a result with this log loss on held-out training images."""
    return replace(result, validation=Validation(100, accuracy, log_loss))


def test_held_out_training_images_decide() -> None:
    """By log loss, then by accuracy; what was not validated is not chosen."""
    cnn = replace(SVM, classifier="cnn")
    results = validated(LOGREG, 0.2, 0.9), validated(SVM, 0.2, 0.95), validated(cnn, 0.3, 1.0)
    assert best(*results) == "svm"
    assert best(searched(LOGREG, 1.0, log_loss=0.0), validated(SVM, 2.0)) == "svm"


def test_reports_show_the_chosen_classifier_first() -> None:
    """Then the others by their log loss on held-out images, whatever they do on the test images."""

    def scored(title: str, log_loss: float, accuracy: float) -> Result:
        return replace(validated(SVM, log_loss), title=title, accuracy=accuracy)

    results = [scored("c", 0.3, 0.99), scored("a", 0.1, 0.9), scored("b", 0.2, nan)]
    assert [result.title for result in ranked(replace(RUN, results=results))] == list("abc")


def test_results_that_were_not_validated_are_sorted_by_test_accuracy() -> None:
    """As in runs of earlier versions; what is not a number comes last."""
    accuracies = {"d": nan, "c": 0.8, "a": 0.7, "b": 0.9}
    chosen = searched(SVM, 0.9, log_loss=0.1)
    results = [
        replace(chosen if title == "a" else replace(SVM, search=None), title=title, accuracy=value)
        for title, value in accuracies.items()
    ]
    assert [result.title for result in ranked(replace(RUN, results=results))] == list("abcd")
    assert ranked(replace(RUN, results=[])) == []
