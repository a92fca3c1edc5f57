"""Parts of the report in the form that its template needs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reports.charts import training
from reports.evidence import EVIDENCE_NAME
from reports.reading import exists
from reports.records import NETWORKS_NAME, RECORD_NAME
from reports.tables import (
    COPIES_NAME,
    EARLIER_OUTLIERS_NAME,
    GROUPS_NAME,
    LEAKS_NAME,
    METRICS_NAME,
    OUTLIERS_NAME,
    PICTURES_NAME,
    PREDICTIONS_NAME,
    QUARANTINE_NAME,
    SHORTCUTS_NAME,
    SUSPECTS_NAME,
    WEAK_SPOTS_NAME,
)
from reports.wording.backbones import choice_sentences, choice_table
from reports.wording.findings import findings
from reports.wording.text import NOTHING, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reports.charts.svg import Chart
    from reports.records import ClassScore, ExtractionSummary, Result, Run

QUARANTINE_SHOWN = 200
AXIS_STEPS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Candidates for the distance between two of the three ticks."""

FEW_CLASSES, MANY_CLASSES = 8, 20


@dataclass(frozen=True)
class Axis:
    """A horizontal axis for accuracies, with room for every interval."""

    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        """Both ends and the middle."""
        return [self.low, (self.low + self.high) / 2, self.high]

    def place(self, value: float) -> str:
        """Return the position of `value` on the axis, as a CSS percentage."""
        share = (value - self.low) / (self.high - self.low) if math.isfinite(value) else 0.0
        return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


@dataclass(frozen=True)
class Cell:
    """One cell of a confusion matrix; `tint` is how strongly it is coloured, in percent."""

    count: int
    share: float
    tint: str
    correct: bool


@dataclass(frozen=True)
class ConfusionMatrix:
    """A confusion matrix, row by row, and the scores of each class."""

    result: Result
    size: str
    rows: list[tuple[str, list[Cell]]]
    mixed_up: list[tuple[str, str, int]]
    """The most frequent mistakes: true class, predicted class, number."""
    scores: list[ClassScore]


def axis(results: Iterable[Result]) -> Axis:
    """Return the shortest axis with round ticks that has room for the intervals of all results."""
    results = list(results)
    lows = [r.accuracy_low for r in results if math.isfinite(r.accuracy_low)]
    highs = [r.accuracy_high for r in results if math.isfinite(r.accuracy_high)]
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    for step in AXIS_STEPS:
        end = min(math.ceil(high / step - 1e-9) * step, 1.0)
        if end - 2 * step <= low:
            return Axis(max(end - 2 * step, 0.0), max(2 * step, end))
    return Axis(0.0, 1.0)


def confusion_matrix(result: Result, classes: Sequence[str]) -> ConfusionMatrix:
    """Return a confusion matrix with the share of each cell in its row."""
    rows = []
    for i, counts in enumerate(result.confusion):
        total = sum(counts) or 1
        cells = [_cell(n, n / total, i == j) for j, n in enumerate(counts)]
        rows.append((classes[i], cells))
    pairs = [
        (classes[i], classes[j], n)
        for i, counts in enumerate(result.confusion)
        for j, n in enumerate(counts)
        if i != j and n
    ]
    pairs.sort(key=lambda pair: -pair[2])
    few, many = len(classes) <= FEW_CLASSES, len(classes) > MANY_CLASSES
    size = "few" if few else "many" if many else "some"
    mixed_up = pairs[:3] if len(classes) > 2 else []
    return ConfusionMatrix(result, size, rows, mixed_up, result.classes)


def findings_by_title(run: Run, results: Sequence[Result]) -> list[tuple[str, list[str]]]:
    """Return the findings about each classifier, by its title."""
    found = findings(run)
    by_title = [
        (result.title, [text for name, text in found if name == result.classifier])
        for result in results
    ]
    return [(title, texts) for title, texts in by_title if texts]


def recipes(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """Return a heading and the recipe for every frozen base of a run."""
    if len(run.bases) == 1:
        return [("Recipe of the embeddings", _readable(run.recipe))]
    return [
        (f"Recipe of the embeddings, {base.backbone}", _readable(base.recipe)) for base in run.bases
    ]


def _readable(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe whose calibration is a sentence."""
    calibration = recipe.get("calibration")
    if not isinstance(calibration, dict):
        return recipe
    images, source, in_training, sha256 = (
        calibration.get(name) for name in ("images", "source", "in_training_split", "sha256")
    )
    origin = f" of {source}" if source else ""
    return {
        **recipe,
        "calibration": f"on {format_value(images)} images{origin}, {format_value(in_training)} of "
        f"them in the training split; SHA-256 of the list of their SHA-256: {sha256}",
    }


def extractions(run: Run) -> list[tuple[str, ExtractionSummary]]:
    """Return a description of the embeddings and their extraction, for every base of a run."""
    if len(run.bases) == 1:
        return [("The embeddings", run.extraction)]
    return [(f"The embeddings by {base.backbone}", base.extraction) for base in run.bases]


def searches(results: Sequence[Result]) -> list[Chart]:
    """Return the curves of the parameter searches."""
    charts = [training.search(result, i) for i, result in enumerate(results)]
    return [chart for chart in charts if chart is not None]


def backbone_choice(run: Run) -> dict[str, Any] | None:
    """Return the choice of the frozen base as sentences and a table; None if there was none."""
    if run.backbone_choice is None:
        return None
    header, rows = choice_table(run.backbone_choice)
    return {"sentences": choice_sentences(run.backbone_choice), "header": header, "rows": rows}


def format_fields(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of a record that may have any name, as names and texts."""
    return [
        (name.replace("_", " ").replace(" gib", ", GiB"), format_value(v))
        for name, v in values.items()
    ]


def format_value(value: Any) -> str:
    """Return a value as text: a string as it is, a readable number, or JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False, default=str)


def files(run: Run, folder: Path | None) -> list[tuple[str, str]]:
    """Return name and relative address of the files of the run that exist in `folder`."""
    if folder is None:
        return []
    names = [RECORD_NAME, METRICS_NAME, PREDICTIONS_NAME, PICTURES_NAME, QUARANTINE_NAME]
    names += [EVIDENCE_NAME, LEAKS_NAME, COPIES_NAME, GROUPS_NAME, SUSPECTS_NAME]
    names += [OUTLIERS_NAME, EARLIER_OUTLIERS_NAME]
    names += [SHORTCUTS_NAME, WEAK_SPOTS_NAME]
    names += [result.model for result in run.results if result.model]
    quantised = {str(base.recipe.get("quantised")): None for base in run.bases}
    names += [f"{NETWORKS_NAME}/{sha256}.zip" for sha256 in quantised if sha256.isalnum()]
    present = [name for name in names if exists(folder / name)]
    return [(name, "./" + quote(name, errors="surrogateescape")) for name in present]


def _cell(number: int, share: float, correct: bool) -> Cell:
    # The square root makes a handful of mistakes among hundreds visible.
    return Cell(number, share, f"{55 * math.sqrt(share):.0f}%", correct)
