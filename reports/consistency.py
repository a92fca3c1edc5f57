"""Check that the lists of a record match each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reports.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.records import Reliability, Result, RocCurve, Run

METHODS = ("cross-validation", "leave-one-out", "hold-out")
DECISIONS = ("least-errors", "equal-classes")


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
    _check_number("run.data.train_counts", n_classes, len(run.data.train_counts))
    _check_number("run.data.test_counts", n_classes, len(run.data.test_counts))
    if run.decision not in DECISIONS:
        raise RecordError(
            f"not a run record: run.decision is {run.decision!r}, expected one of "
            f"{', '.join(DECISIONS)}"
        )
    if run.priors and (
        set(run.priors) != set(run.data.classes) or not all(p > 0 for p in run.priors.values())
    ):
        raise RecordError(
            "not a run record: run.priors do not give a positive share to every class of run.data"
        )
    for i, result in enumerate(run.results):
        _check_result(f"run.results[{i}]", result, n_classes)
    for curve in run.learning_curves:
        if len(curve.sizes) != len(curve.accuracies) or not all(curve.accuracies):
            raise RecordError(
                f"not a run record: the learning curve of {curve.classifier} has "
                f"{len(curve.sizes)} sizes and {len(curve.accuracies)} lists of accuracies; "
                "expected a list of at least one accuracy for each size"
            )
        if curve.gain_range is not None and len(curve.gain_range) != 2:
            raise RecordError(
                f"not a run record: the gain_range of {curve.classifier} has "
                f"{len(curve.gain_range)} numbers, expected two"
            )
    for point in run.embedding_map.points if run.embedding_map else []:
        if point.label not in run.data.classes or not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise RecordError(
                f"not a run record: {point.path!r} belongs to no class, or is outside the map"
            )


def _check_number(where: str, n_classes: int, *lengths: int) -> None:
    for length in lengths:
        if length != n_classes:
            raise RecordError(
                f"not a run record: {where} does not match {n_classes} classes (found {length})"
            )


def _check_result(where: str, result: Result, n_classes: int) -> None:
    if result.confusion_cells:
        _check_cells(f"{where}.confusion_cells", result.confusion_cells, n_classes)
    else:
        rows = [len(row) for row in result.confusion]
        _check_number(f"{where}.confusion", n_classes, len(result.confusion), *rows)
    _check_bins(f"{where}.reliability", result.reliability)
    _check_bins(f"{where}.uncalibrated", result.uncalibrated)
    if any(len(sigmoid) != 2 for sigmoid in result.sigmoids):
        raise RecordError(f"not a run record: {where}.sigmoids are not pairs of numbers")
    if result.temperature is not None and not 0 < result.temperature < math.inf:
        raise RecordError(
            f"not a run record: {where}.temperature is {result.temperature!r}; expected a positive "
            "number"
        )
    if result.offsets:
        _check_number(f"{where}.offsets", n_classes, len(result.offsets))
    if result.calibration_gain is not None:
        _check_number(f"{where}.calibration_gain", 3, len(result.calibration_gain))
    if result.search and result.search.method not in METHODS:
        raise RecordError(
            f"not a run record: {where}.search.method is {result.search.method!r}, "
            f"expected one of {', '.join(METHODS)}"
        )
    supports = {score.name: score.support for score in result.classes}
    for curve in result.roc:
        _check_roc(f"{where}.roc", curve, supports, result.n_test)


def _check_cells(where: str, cells: Sequence[Sequence[int]], n_classes: int) -> None:
    for cell in cells:
        if len(cell) != 3 or not all(0 <= code < n_classes for code in cell[:2]) or cell[2] < 1:
            raise RecordError(
                f"not a run record: {where} has the cell {list(cell)}; expected two of "
                f"{n_classes} classes and a number of images"
            )


def _check_bins(where: str, diagram: Reliability | None) -> None:
    if diagram and not (
        len(diagram.probabilities) == len(diagram.accuracies) == len(diagram.counts)
    ):
        raise RecordError(f"not a run record: the bins of {where} differ in number")


def _check_roc(where: str, curve: RocCurve, supports: Mapping[str, int], n_test: int) -> None:
    if not 0 < supports.get(curve.label, 0) < n_test:
        raise RecordError(
            f"not a run record: {where} has a curve of {curve.label!r}; "
            "expected a class that some test images belong to and others do not"
        )
    shares = [*curve.fpr, *curve.tpr]
    if not all(0 <= share <= 1 for share in shares) or 1.0 not in curve.tpr:
        raise RecordError(
            f"not a run record: {where} has a curve that leaves the unit square or does not reach "
            "the true positive rate 1"
        )
    if len(curve.fpr) != len(curve.tpr):
        raise RecordError(
            f"not a run record: {where} has {len(curve.fpr)} false positive rates and "
            f"{len(curve.tpr)} true positive rates; expected as many of each"
        )
