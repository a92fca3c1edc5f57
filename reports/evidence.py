"""The table of evidence maps: `evidence.csv`."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from reports.errors import RecordError
from reports.frames import EVIDENCE_COLUMNS
from reports.records import EvidenceRow
from reports.tables import read_table, write_table
from toolkit.csv_cells import decode_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

EVIDENCE_NAME = "evidence.csv"
MOST_PLACES = 64
"""Rows or columns of a map; no network has as many."""
_DIGITS = 9


def write_evidence(
    rows: Iterable[EvidenceRow], path: Path, overlays: Sequence[str] | None = None
) -> None:
    """Write `evidence.csv`: one row per image and class that is explained, and one per mean.

    Parameters
    ----------
    rows : iterable of EvidenceRow
    path : pathlib.Path
    overlays : sequence of str, optional
        Files of the overlays, for one more column.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    cells = [
        [
            *(row.classifier, row.path, row.label, str(row.n_images)),
            *(row.score, row.intercept, "yes" if row.exact else "no", row.start, row.end),
            json.dumps([[float(f"{share:.{_DIGITS}g}") for share in line] for line in row.map]),
        ]
        for row in rows
    ]
    if overlays is None:
        write_table(path, EVIDENCE_COLUMNS, cells)
    else:
        with_files = ([*row, file] for row, file in zip(cells, overlays, strict=True))
        write_table(path, [*EVIDENCE_COLUMNS, "overlay"], with_files)


def read_evidence(folder: Path) -> list[EvidenceRow]:
    """Read back what `write_evidence` wrote into the folder of a run; nothing if it is not there.

    Raises
    ------
    RecordError
        If the file cannot be read, or is not such a table; the message names the line.
    """
    path = folder / EVIDENCE_NAME
    if not path.exists():
        return []
    frame = read_table(path, EVIDENCE_COLUMNS)
    rows = []
    for line, cells in zip(frame.index, frame.itertuples(index=False, name=None), strict=True):
        try:
            rows.append(_row([decode_text(cell) for cell in cells]))
        except (ValueError, TypeError, RecursionError) as error:
            raise RecordError(
                f"{path}, line {line}: not an evidence map ({error}); run python -m classify again"
            ) from error
    return rows


def _row(cells: list[str]) -> EvidenceRow:
    classifier, path, label, n_images, score, intercept, exact, start, end, shares = cells
    if exact not in ("yes", "no"):
        raise ValueError(f"expected yes or no, found {exact[:50]!r}")
    return EvidenceRow(
        classifier,
        path,
        label,
        int(n_images),
        _number(score),
        _number(intercept),
        exact == "yes",
        _number(start),
        _number(end),
        _map(json.loads(shares)),
    )


def _map(value: Any) -> list[list[float]]:
    """Check the shape and the numbers of a map."""
    rows = [[_number(share) for share in row] for row in value]
    if not 1 <= len(rows) <= MOST_PLACES or not 1 <= len(rows[0]) <= MOST_PLACES:
        raise ValueError(f"expected 1 to {MOST_PLACES} rows and columns")
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("expected rows of the same length")
    return rows


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a number, found {str(value)[:50]!r}")
    return number
