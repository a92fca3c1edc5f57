"""Results as CSV and HTML, and the plain record of a run that they come from."""

from reports.errors import RecordError
from reports.reading import read_record
from reports.record import (
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

__all__ = [
    "ClassScore",
    "Data",
    "ExtractionSummary",
    "PredictionRow",
    "Quarantined",
    "RecordError",
    "Result",
    "RocCurve",
    "Run",
    "Search",
    "SearchPoint",
    "read_record",
]
