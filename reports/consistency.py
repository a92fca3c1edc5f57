"""Check that the lists of a record match each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.errors import RecordError

if TYPE_CHECKING:
    from reports.record import Run

METHODS = ("cross-validation", "leave-one-out", "hold-out")


def check_lengths(run: Run) -> None:
    """Check that every class has its counts, every curve its class, and every y its x.

    Raises
    ------
    RecordError
        If some lists do not match; the message names them.
    """
    if not run.bases:
        raise RecordError("not a run record: run.bases is empty, expected at least one base")
    n_classes = len(run.data.classes)
    pairs = {
        "run.data.train_counts": [len(run.data.train_counts)],
        "run.data.test_counts": [len(run.data.test_counts)],
    }
    for i, result in enumerate(run.results):
        sides = [len(result.confusion), *(len(row) for row in result.confusion)]
        pairs[f"run.results[{i}].confusion"] = sides
        for diagram in (result.reliability, result.uncalibrated):
            if diagram and not (
                len(diagram.probabilities) == len(diagram.accuracies) == len(diagram.counts)
            ):
                raise RecordError(
                    f"not a run record: the bins of run.results[{i}].reliability differ in number"
                )
        if any(len(sigmoid) != 2 for sigmoid in result.sigmoids):
            raise RecordError(
                f"not a run record: run.results[{i}].sigmoids are not pairs of numbers"
            )
        if result.search and result.search.method not in METHODS:
            raise RecordError(
                f"not a run record: run.results[{i}].search.method is {result.search.method!r}, "
                f"expected one of {', '.join(METHODS)}"
            )
        supports = {score.name: score.support for score in result.classes}
        for curve in result.roc:
            if not 0 < supports.get(curve.label, 0) < result.n_test:
                raise RecordError(
                    f"not a run record: run.results[{i}].roc has a curve of {curve.label!r}; "
                    "expected a class that some test images belong to and others do not"
                )
            shares = [*curve.fpr, *curve.tpr]
            if not all(0 <= share <= 1 for share in shares) or 1.0 not in curve.tpr:
                raise RecordError(
                    f"not a run record: run.results[{i}].roc has a curve that leaves the unit "
                    "square or does not reach the true positive rate 1"
                )
            if len(curve.fpr) != len(curve.tpr):
                raise RecordError(
                    f"not a run record: run.results[{i}].roc has {len(curve.fpr)} false positive "
                    f"rates and {len(curve.tpr)} true positive rates; expected as many of each"
                )
    for learning in run.learning_curves:
        if len(learning.sizes) != len(learning.accuracies) or not all(learning.accuracies):
            raise RecordError(
                f"not a run record: the learning curve of {learning.classifier} has "
                f"{len(learning.sizes)} sizes and {len(learning.accuracies)} lists of accuracies; "
                "expected a list of at least one accuracy for each size"
            )
    for point in run.embedding_map.points if run.embedding_map else []:
        if point.label not in run.data.classes or not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise RecordError(
                f"not a run record: {point.path!r} belongs to no class, or lies outside the map"
            )
    for where, lengths in pairs.items():
        if any(length != n_classes for length in lengths):
            raise RecordError(
                f"not a run record: {where} does not match {n_classes} classes (found {lengths[0]})"
            )
