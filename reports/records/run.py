"""The record of a whole run, as `run.json` stores it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from reports.records.backbones import BackboneChoice  # noqa: TC001 - reading needs the types
from reports.records.bases import Base, ExtractionSummary  # noqa: TC001 - reading needs the types
from reports.records.comparisons import Comparison, LearningCurve, Ungrouped  # noqa: TC001 - reading needs the types
from reports.records.data import Data, Quarantined  # noqa: TC001 - reading needs the types
from reports.records.pictures import Audit, EmbeddingMap  # noqa: TC001 - reading needs the types
from reports.records.properties import Shortcut  # noqa: TC001 - reading needs the types
from reports.records.results import Result  # noqa: TC001 - reading needs the types

SCHEMA = 2
"""Of the records that are written; `reports.reading` also reads earlier ones."""
RECORD_NAME = "run.json"
NETWORKS_NAME = "networks"
"""Folder, beside the record, of the quantised networks that a run's classifiers need."""


@dataclass(frozen=True)
class Run:
    """A whole run of `python -m classify`."""

    created: str
    """UTC, ISO 8601, to the second."""
    command: list[str]
    seed: int
    data: Data
    bases: list[Base]
    """Every frozen base, at least one."""
    results: list[Result]
    versions: dict[str, str]
    machine: dict[str, Any]
    seconds: float
    quarantine: list[Quarantined] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    """Of every pair of classifiers."""
    learning_curves: list[LearningCurve] = field(default_factory=list)
    ungrouped: Ungrouped | None = None
    """What a split that ignores groups would have claimed; None without groups, where the split
    divides them, and in records of earlier versions."""
    audit: Audit | None = None
    shortcuts: list[Shortcut] = field(default_factory=list)
    """Properties that predict the label, of those that are known without decoding an image; empty
    with an audit, which tests more, and in records of earlier versions."""
    embedding_map: EmbeddingMap | None = None
    backbone_choice: BackboneChoice | None = None
    """How the frozen base was chosen among several; None if it was named, and in records of earlier
    versions."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Everything that was set and can change a figure; empty in records of earlier versions."""
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The classifiers that the run was given, with their parameters before the training; empty in
    records of earlier versions."""
    priors: dict[str, float] = field(default_factory=dict)
    """Share of every class among new images; empty for those of the training split."""
    decision: str = "least-errors"
    """Which class is answered; see `classify.evaluation.decision.DecisionRule`."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds of the whole command or call, until this was written, divided into phases that
    exclude each other (see `toolkit.phases`). A run that was stopped and went on has those of all
    its parts; empty in records of earlier versions."""
    not_done: list[str] = field(default_factory=list)
    """Classifiers and other parts that were asked for, but not reached before the run was stopped;
    `classify` goes on with them."""
    schema: int = SCHEMA

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe of the first base."""
        return self.bases[0].recipe

    @property
    def extraction(self) -> ExtractionSummary:
        """What the extraction by the first base did."""
        return self.bases[0].extraction

    def recipe_of(self, result: Result) -> dict[str, Any]:
        """Return the recipe of the embeddings that a classifier was trained on."""
        return self.base_of(result).recipe

    def base_of(self, result: Result) -> Base:
        """Return the base of the embeddings that a classifier was trained on."""
        bases = {base.backbone: base for base in self.bases}
        return bases.get(result.backbone or "", self.bases[0])

    def to_json(self) -> str:
        """Return the record as indented JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=True) + "\n"
