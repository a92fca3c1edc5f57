"""Several runs side by side: how they differ, and the results of each classifier in them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from reports.pages.views import format_value
from reports.ranking import ranked
from reports.tables import format_interval, format_table
from reports.wording.text import figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reports.records import Result, Run


OPTIONS = {"aspect": "fit"}
"""The settings that the command line calls by another name."""


@dataclass(frozen=True)
class Column:
    """One of the runs: its label, its folder, and the address of its report."""

    label: str
    folder: str
    run: Run
    link: str | None


@dataclass(frozen=True)
class Difference:
    """A field in which the runs differ, with its text in each of them."""

    field: str
    values: list[str]


@dataclass(frozen=True)
class ClassifierGroup:
    """One classifier, with its result in each run that has it."""

    classifier: str
    title: str
    results: list[tuple[str, Result]]


def labels(folders: Sequence[Path]) -> list[str]:
    """Return a label for each run: the name of its folder, or its path if names are ambiguous.

    >>> from pathlib import Path
    >>> labels([Path("runs/a"), Path("runs/b")])
    ['a', 'b']
    """
    names = [folder.resolve().name for folder in folders]
    return [
        name if names.count(name) == 1 else str(folder)
        for name, folder in zip(names, folders, strict=True)
    ]


def columns(runs: Sequence[tuple[Path, Run]], link: Callable[[Path], str | None]) -> list[Column]:
    """Return the runs with their labels and links."""
    names = labels([folder for folder, _ in runs])
    return [
        Column(name, str(folder), run, link(folder))
        for name, (folder, run) in zip(names, runs, strict=True)
    ]


def differences(runs: Sequence[Run]) -> dict[str, list[Difference]]:
    """Return every field that affects results and differs between the runs, by part.

    Settings are called as the options of ``python -m classify`` are.
    """
    parts: dict[str, list[dict[str, Any]]] = {
        "Recipe": [run.recipe for run in runs],
        "Settings": [{**_options(run, runs), **_parameters(run, runs)} for run in runs],
        "Chosen on the training split": [_chosen(run, runs) for run in runs],
        "Images and seed": [{**asdict(run.data), "seed": run.seed} for run in runs],
        "Versions": [dict(run.versions) for run in runs],
    }
    different: dict[str, list[Difference]] = {}
    for part, records in parts.items():
        for field in dict.fromkeys(name for record in records for name in record):
            keys = {json.dumps(r.get(field), sort_keys=True, default=str) for r in records}
            if len(keys) > 1:
                texts = [
                    _short(format_value(r[field])) if field in r else "missing" for r in records
                ]
                different.setdefault(part, []).append(Difference(field.replace("_", " "), texts))
    return different


def option(setting: str) -> str:
    """Return what the command line calls a setting.

    >>> option("target_precision"), option("aspect")
    ('target-precision', 'fit')
    """
    return OPTIONS.get(setting, setting.replace("_", "-"))


def _options(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the settings of a run, or nothing if one of the runs has recorded none."""
    if not all(each.settings for each in runs):
        return {}
    return {option(name): value for name, value in run.settings.items() if name != "seed"}


def _parameters(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the parameters of those classifiers of a run that all runs have.

    They are those before the training, if all runs have recorded them.
    """
    before = all(each.asked for each in runs)
    of_each = [
        each.asked if before else {result.classifier: result.params for result in each.results}
        for each in (run, *runs)
    ]
    common = set.intersection(*map(set, of_each))
    return {
        f"{classifier}: {name}": value
        for classifier, params in of_each[0].items()
        if classifier in common
        for name, value in params.items()
    }


def _chosen(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the parameters that a search has chosen, for the classifiers that all runs have."""
    if not all(each.asked for each in runs):
        return {}  # then `_parameters` has them
    common = set.intersection(*({r.classifier for r in each.results} for each in runs))
    return {
        f"{result.classifier}: {name}": value
        for result in run.results
        if result.classifier in common and result.search is not None
        for name, value in result.search.chosen.items()
    }


def group_by_classifier(runs: Sequence[tuple[Path, Run]]) -> list[ClassifierGroup]:
    """Return the classifiers, the best of the first run first, then those of the others."""
    results: dict[str, list[tuple[str, Result]]] = {}
    names = labels([folder for folder, _ in runs])
    for name, (_, run) in zip(names, runs, strict=True):
        for result in ranked(run):
            results.setdefault(result.classifier, []).append((name, result))
    return [ClassifierGroup(name, _title(name, own), own) for name, own in results.items()]


def remarks(runs: Sequence[Run]) -> list[str]:
    """Return what readers must know before they compare the results."""
    notes = []
    if len({tuple(run.data.classes) for run in runs}) > 1:
        notes.append("The runs have different classes, so their results cannot be compared.")
    elif len({run.data.fingerprint for run in runs}) > 1:
        notes.append(f"The runs have {_what_differs(runs)}, which explains part of any difference.")
    return notes


def _what_differs(runs: Sequence[Run]) -> str:
    """Say in what the data of runs with several fingerprints differ, as far as it is recorded."""
    images = {run.data.image_fingerprint for run in runs}
    if None in images:
        return "different images, labels, groups or splits"
    if len(images) > 1:
        return "different images"
    if len({run.data.label_fingerprint for run in runs}) > 1:
        return "different labels of the same images"
    if len({(run.data.group_origin, run.data.groups) for run in runs}) > 1:
        return "different groups of the same images"
    return "a different split of the same images"


def format_comparison(runs: Sequence[tuple[Path, Run]]) -> str:
    """Return the accuracies of several runs as an aligned table, at most 100 characters wide."""
    rows = [
        [label, group.classifier, figure(result.accuracy), format_interval(result)]
        for group in group_by_classifier(runs)
        for label, result in group.results
    ]
    return format_table(["run", "classifier", "accuracy", "95% interval"], rows, n_text=2)


def _short(text: str) -> str:
    """Return the first digits of a digest, as `python -m cache ls` does; else the text."""
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text


def _title(classifier: str, results: Sequence[tuple[str, Result]]) -> str:
    """Return the title that all results share, or else the name of the classifier."""
    titles = {result.title for _, result in results}
    return titles.pop() if len(titles) == 1 else classifier
