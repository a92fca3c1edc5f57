"""Results as data frames, CSV files and HTML pages, all from the plain record of a run.

`read_run` reads the folder of a run and returns `RunResults`, which a notebook displays as one
sentence and a table::

    from reports import read_run

    run = read_run("runs/20260131-120000-all")
    run.results            # DataFrame, one row per classifier
    run.predictions        # DataFrame, one row per classifier and test image
    run.comparisons        # DataFrame, one row per pair of classifiers
    run.learning_curves    # DataFrame, one row per classifier, training size and draw
    run.shortcuts          # DataFrame, one row per property that was tested
    run.weak_spots         # DataFrame, one row per group of test images, with an audit
    run.best               # name of the classifier that did best in validation
    run.report()           # path of the HTML page
    run.record             # everything recorded: a `Run` of plain dataclasses

`Run` and the dataclasses in it are in `reports.records`; `reports.reading.read_record` reads one
without the data frames.
"""

from reports.errors import RecordError
from reports.records import (
    Base,
    ClassScore,
    Data,
    ExtractionSummary,
    PredictionRow,
    Quarantined,
    Result,
    RocCurve,
    Run,
    Search,
    SearchPoint,
)
from reports.runs import RunResults, read_run

__all__ = [
    "Base",
    "ClassScore",
    "Data",
    "ExtractionSummary",
    "PredictionRow",
    "Quarantined",
    "RecordError",
    "Result",
    "RocCurve",
    "Run",
    "RunResults",
    "Search",
    "SearchPoint",
    "read_run",
]
