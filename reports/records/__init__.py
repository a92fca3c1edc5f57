"""The record of one run: what `classify` fills in and `run.json` stores.

Nothing is computed here. A record holds only what JSON can hold, so that a run can be rendered
again years later from `run.json` and `predictions.csv` alone.
"""

from reports.records.backbones import BackboneChoice, JudgedBackbone
from reports.records.bases import Base, ExtractionSummary
from reports.records.comparisons import Comparison, LearningCurve, Ungrouped
from reports.records.data import Data, Quarantined
from reports.records.evidence import EvidenceRow
from reports.records.pictures import (
    SAME_FILE,
    Audit,
    Copy,
    Drawing,
    EmbeddingMap,
    FamiliarityFile,
    Leak,
    MapPoint,
    Outlier,
    PictureRecord,
    Rejection,
    Suspect,
)
from reports.records.properties import Shortcut, WeakSpot
from reports.records.results import (
    MANY_CLASSES,
    ClassScore,
    PredictionRow,
    Relabelled,
    Reliability,
    Result,
    RocCurve,
    Search,
    SearchPoint,
    Sweep,
    Threshold,
    Validation,
)
from reports.records.run import NETWORKS_NAME, RECORD_NAME, SCHEMA, Run

__all__ = [
    "MANY_CLASSES",
    "NETWORKS_NAME",
    "RECORD_NAME",
    "SAME_FILE",
    "SCHEMA",
    "Audit",
    "BackboneChoice",
    "Base",
    "ClassScore",
    "Comparison",
    "Copy",
    "Data",
    "Drawing",
    "EmbeddingMap",
    "EvidenceRow",
    "ExtractionSummary",
    "FamiliarityFile",
    "JudgedBackbone",
    "Leak",
    "LearningCurve",
    "MapPoint",
    "Outlier",
    "PictureRecord",
    "PredictionRow",
    "Quarantined",
    "Rejection",
    "Relabelled",
    "Reliability",
    "Result",
    "RocCurve",
    "Run",
    "Search",
    "SearchPoint",
    "Shortcut",
    "Suspect",
    "Sweep",
    "Threshold",
    "Ungrouped",
    "Validation",
    "WeakSpot",
]
