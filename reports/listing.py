"""The runs in a folder, the latest first: as a table for the terminal and as entries of a page."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reports.errors import RecordError
from reports.ranking import ranked
from reports.reading import exists, read_record
from reports.record import RECORD_NAME
from reports.tables import align, interval, shortened
from reports.wording.text import NOTHING, count, figure, moment

if TYPE_CHECKING:
    from reports.record import Result, Run

NAME_WIDTH = 16
"""Of a data set's name on the terminal."""
RUNS = Path("runs")
"""Where `python -m classify` makes the folders of runs."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A run, its folder, and its best result; None if no classifier was tried."""

    folder: Path
    run: Run
    best: Result | None


def entries(folder: Path) -> list[Entry]:
    """Return the runs in a folder, the latest first.

    Parameters
    ----------
    folder : pathlib.Path
        Its own folders are looked into, not theirs. A record that cannot be read is told of and
        passed over.

    Raises
    ------
    RecordError
        If there is no such folder, or no run in it.
    """
    try:
        inner = sorted(path for path in folder.iterdir() if exists(path / RECORD_NAME))
    except OSError as error:
        raise RecordError(
            f"cannot list {folder}: {error.strerror or error}; name the folder that your runs are "
            "in, as python -m reports --list FOLDER"
        ) from error
    found = []
    for path in inner:
        try:
            run = read_record(path)
        except RecordError as error:
            logger.warning("%s", error)
        else:
            found.append(Entry(path, run, next(iter(ranked(run.results)), None)))
    if not found:
        raise RecordError(f"no run in {folder}; python -m classify makes one in runs")
    return sorted(found, key=lambda entry: entry.run.created, reverse=True)


def format_entries(found: list[Entry]) -> str:
    """Return the runs as an aligned table, at most 100 columns wide."""
    rows = [
        [
            entry.folder.name,
            moment(entry.run.created),
            shortened(entry.run.data.name, NAME_WIDTH),
            entry.best.classifier if entry.best else NOTHING,
            count(sum(entry.run.data.test_counts)),
            figure(entry.best.accuracy) if entry.best else NOTHING,
            interval(entry.best) if entry.best else NOTHING,
        ]
        for entry in found
    ]
    header = ["run", "when", "pictures", "best", "tested on", "accuracy", "95% interval"]
    return align(header, rows, n_text=4)
