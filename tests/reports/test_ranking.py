"""Which classifier comes first in a report, and which one is used unless another is named."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING

from reports.ranking import best_in_validation, ranked
from reports.record import SearchPoint
from tests.reports.samples import sample

if TYPE_CHECKING:
    from reports.record import Result, Run

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


def test_reports_show_the_highest_test_accuracy_first() -> None:
    """The log loss breaks ties, and what is not a number comes last."""

    def scored(title: str, accuracy: float, log_loss: float) -> Result:
        return replace(SVM, title=title, accuracy=accuracy, log_loss=log_loss)

    results = [
        scored("c", 0.9, 0.3),
        scored("e", nan, nan),
        scored("d", 0.9, nan),
        scored("b", 0.9, 0.2),
        scored("a", 0.95, 0.9),
    ]
    assert [result.title for result in ranked(results)] == list("abcde")
