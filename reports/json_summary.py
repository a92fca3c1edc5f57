"""The summary of a run that `python -m classify --json` prints."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from reports.ranking import best_in_validation
from reports.wording.shortcuts import shortcuts_of

if TYPE_CHECKING:
    from pathlib import Path

    from reports.records import Data, Result, Run

_FIELDS = (
    "classifier", "accuracy", "accuracy_low", "accuracy_high", "log_loss", "repeats",
    "temperature", "calibration_gain", "threshold", "rejection", "relabelled", "notes", "model",
)  # fmt: skip


def summary(folder: Path, run: Run) -> dict[str, Any]:
    """Return what a program needs to know of a run, as JSON can hold it; run.json has the rest.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run.
    run : Run
        Finished, or stopped: `not_done` then names what is missing.

    Returns
    -------
    dict
        `shortcuts` names the properties that predict the label.
        `cached` and `computed` are over all frozen bases; `bases` has those of each. `audit` holds
        the number of findings of each kind and the estimated number of wrong labels, or None
        without an audit. `groups` is None without groups; `ungrouped` is what a split that ignores
        them would have claimed.
    """
    data, extractions = run.data, [base.extraction for base in run.bases]
    counts = zip(data.classes, data.train_counts, data.test_counts, strict=True)
    return {
        "run": str(folder),
        "data": data.name,
        "layout": data.layout,
        "classes": {label: {"train": train, "test": test} for label, train, test in counts},
        "groups": _groups(data),
        "passed_over": data.passed_over,
        "remarks": data.remarks,
        "images": run.extraction.images,
        "cached": sum(extraction.cached for extraction in extractions),
        "computed": sum(extraction.computed for extraction in extractions),
        "quarantined": run.extraction.quarantined,
        "bases": {base.backbone: dataclasses.asdict(base.extraction) for base in run.bases},
        "seconds": round(run.seconds, 3),
        "phases": run.phases,
        "recipe": run.recipe,
        "recipes": {base.backbone: base.recipe for base in run.bases} if len(run.bases) > 1 else {},
        "backbone_choice": run.backbone_choice and dataclasses.asdict(run.backbone_choice),
        "settings": run.settings,
        "asked": run.asked,
        "not_done": run.not_done,
        "chosen": best_in_validation(run).classifier if run.results else None,
        "results": [_result(result) for result in run.results],
        "ungrouped": None if run.ungrouped is None else dataclasses.asdict(run.ungrouped),
        "shortcuts": [each.property for each in shortcuts_of(run)],
        "audit": _audit(run),
    }


def _groups(data: Data) -> dict[str, Any] | None:
    if data.groups is None:
        return None
    return {
        "origin": data.group_origin,
        "number": data.groups,
        "train": data.train_groups,
        "test": data.test_groups,
        "cut": data.cut_groups,
        "test_images_cut": data.cut_test_images,
    }


def _result(result: Result) -> dict[str, Any]:
    fields = dataclasses.asdict(result)
    return {name: fields[name] for name in _FIELDS}


def _audit(run: Run) -> dict[str, Any] | None:
    audit = run.audit
    if audit is None:
        return None
    return {
        "leaks": len(audit.leaks),
        "suspects": len(audit.suspects),
        "wrong_labels": audit.wrong_labels,
        "copies": len(audit.copies),
        "outliers": len(audit.outliers),
        "weak_spots": [[s.name, s.value] for s in audit.weak_spots if s.found],
        "accuracies_without_leaks": audit.accuracies_without_leaks,
    }
