"""The runs in a folder, the latest first, and their table for the terminal."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reports.errors import RecordError
from reports.ranking import ranked
from reports.reading import exists, read_record
from reports.records import RECORD_NAME
from reports.tables import format_interval, format_table
from reports.wording.text import NOTHING, count, figure, timestamp

if TYPE_CHECKING:
    from reports.records import Result, Run

RUNS = Path("runs")
"""Where the folders of runs are created by default."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunEntry:
    """A run, its folder, and its best result; None if no classifier was trained."""

    folder: Path
    run: Run
    best: Result | None


def list_runs(folder: Path) -> list[RunEntry]:
    """Return the runs in a folder, the latest first.

    Parameters
    ----------
    folder : pathlib.Path
        Its direct subfolders are searched. A record that cannot be read is skipped with a warning.

    Raises
    ------
    RecordError
        If the folder does not exist, or has no run in it.
    """
    try:
        subfolders = sorted(path for path in folder.iterdir() if exists(path / RECORD_NAME))
    except OSError as error:
        raise RecordError(
            f"cannot list {folder}: {error.strerror or error}; expected the folder that contains "
            "your runs",
            setting="list",
        ) from error
    runs = []
    for path in subfolders:
        try:
            run = read_record(path)
        except RecordError as error:
            logger.warning("%s", error)
        else:
            runs.append(RunEntry(path, run, next(iter(ranked(run)), None)))
    if not runs:
        raise RecordError(
            f"there is no run in {folder}; python -m classify writes one into {RUNS} by default",
            setting="list",
        )
    return sorted(runs, key=lambda entry: entry.run.created, reverse=True)


def format_runs(runs: list[RunEntry]) -> str:
    """Return the runs as an aligned table, at most 100 characters wide."""
    rows = [
        [
            entry.folder.name,
            timestamp(entry.run.created),
            entry.run.data.name,
            entry.best.classifier if entry.best else NOTHING,
            count(sum(entry.run.data.test_counts)),
            figure(entry.best.accuracy) if entry.best else NOTHING,
            format_interval(entry.best) if entry.best else NOTHING,
        ]
        for entry in runs
    ]
    header = ["run", "when", "data", "best", "tested on", "accuracy", "95% interval"]
    return format_table(header, rows, n_text=4)
