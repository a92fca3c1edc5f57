"""Several runs side by side: what differs between them, and what each classifier made of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from reports.pages.views import fact
from reports.ranking import ranked
from reports.tables import align, interval
from reports.wording.text import figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reports.record import Result, Run


@dataclass(frozen=True)
class Column:
    """One of the runs: the label it goes by, its folder, and the address of its report."""

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
class Group:
    """One classifier, with its result in each run that has one."""

    classifier: str
    title: str
    results: list[tuple[str, Result]]


def labels(folders: Sequence[Path]) -> list[str]:
    """Return a label for each run: the name of its folder, with more of the path where needed.

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
    """Return, part by part, every field of what made the figures in which runs differ."""
    parts: dict[str, list[dict[str, Any]]] = {
        "Recipe": [run.recipe for run in runs],
        "Settings": [_settings(run, runs) for run in runs],
        "Pictures and seed": [{**asdict(run.data), "seed": run.seed} for run in runs],
        "Versions": [dict(run.versions) for run in runs],
    }
    found: dict[str, list[Difference]] = {}
    for part, records in parts.items():
        for field in dict.fromkeys(name for record in records for name in record):
            keys = {json.dumps(r.get(field), sort_keys=True, default=str) for r in records}
            if len(keys) > 1:
                texts = [_short(fact(r[field])) if field in r else "not there" for r in records]
                found.setdefault(part, []).append(Difference(field.replace("_", " "), texts))
    return found


def _settings(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the parameters of a run's classifiers, of those that all the runs have."""
    everywhere = set.intersection(*({r.classifier for r in each.results} for each in runs))
    return {
        f"{result.classifier}: {name}": value
        for result in run.results
        if result.classifier in everywhere
        for name, value in result.params.items()
    }


def groups(runs: Sequence[tuple[Path, Run]]) -> list[Group]:
    """Return the classifiers, the best of the first run first, then those of the others."""
    found: dict[str, list[tuple[str, Result]]] = {}
    names = labels([folder for folder, _ in runs])
    for name, (_, run) in zip(names, runs, strict=True):
        for result in ranked(run.results):
            found.setdefault(result.classifier, []).append((name, result))
    return [Group(classifier, _title(classifier, own), own) for classifier, own in found.items()]


def remarks(runs: Sequence[Run]) -> list[str]:
    """Return what a reader must know before holding the figures against each other."""
    found = []
    if len({tuple(run.data.classes) for run in runs}) > 1:
        found.append("The runs have different classes: their figures answer different questions.")
    elif len({run.data.fingerprint for run in runs}) > 1:
        found.append(
            "The runs have different pictures, or split them otherwise: a part of any difference "
            "comes from that."
        )
    return found


def format_comparison(runs: Sequence[tuple[Path, Run]]) -> str:
    """Return the accuracies of several runs as an aligned table, at most 100 columns wide."""
    rows = [
        [label, group.classifier, figure(result.accuracy), interval(result)]
        for group in groups(runs)
        for label, result in group.results
    ]
    return align(["run", "classifier", "accuracy", "95% interval"], rows, n_text=2)


def _short(text: str) -> str:
    """Return a digest's first digits, as `python -m cache ls` shows them; other text as it is."""
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text


def _title(classifier: str, results: Sequence[tuple[str, Result]]) -> str:
    """Return the title that all the results share; titles that name settings may differ."""
    titles = {result.title for _, result in results}
    return titles.pop() if len(titles) == 1 else classifier
