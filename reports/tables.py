"""The tables of a run: CSV files for other programs, aligned text for a terminal.

How text stands in the CSV files is told in `toolkit.csv_cells`.
"""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, TypeVar

from reports.errors import RecordError
from reports.picture_records import PictureRecord
from reports.record import PredictionRow
from reports.wording.differences import of_the_best, sentence
from reports.wording.findings import audited, findings
from reports.wording.text import duration, figure, shown
from toolkit.csv_cells import decode_text, encode_text, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from reports.picture_records import Audit
    from reports.record import ClassScore, Result, Run

T = TypeVar("T")

METRICS_NAME = "metrics.csv"
PREDICTIONS_NAME, PICTURES_NAME = "predictions.csv", "pictures.csv"
QUARANTINE_NAME = "quarantine.csv"
LEAKS_NAME, COPIES_NAME = "leaks.csv", "copies.csv"
SUSPECTS_NAME, OUTLIERS_NAME = "suspects.csv", "outliers.csv"
EARLIER_OUTLIERS_NAME = "oddities.csv"
"""What earlier versions called `OUTLIERS_NAME`."""
PREDICTION_COLUMNS = ["classifier", "path", "true", "predicted", "probability"]
PICTURE_COLUMNS = ["path", "label", "split", "sha256"]
TERMINAL_WIDTH = 100


def write_metrics(run: Run, path: Path) -> None:
    """Write `metrics.csv`: one row per classifier, in the order of the run.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    measures = ("precision", "recall", "f1")
    columns = ["classifier", "accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy"]
    columns += [f"{m}[{encode_text(name)}]" for name in run.data.classes for m in measures]
    columns += ["roc_auc", "log_loss", "fit_seconds", "predict_seconds"]
    _write(path, columns, (_metrics_row(result, run.data.classes) for result in run.results))


def write_predictions(rows: Iterable[PredictionRow], path: Path) -> None:
    """Write `predictions.csv`: one row per picture and classifier.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    cells = (
        [
            *map(encode_text, (row.classifier, row.path, row.true, row.predicted)),
            _number(row.probability),
        ]
        for row in rows
    )
    _write(path, PREDICTION_COLUMNS, cells)


def write_pictures(pictures: Iterable[PictureRecord], path: Path) -> None:
    """Write `pictures.csv`: which picture was in which split, and the SHA-256 of its bytes.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    cells = (
        list(map(encode_text, (one.path, one.label, one.split, one.sha256))) for one in pictures
    )
    _write(path, PICTURE_COLUMNS, cells)


def write_audit(audit: Audit, folder: Path) -> None:
    """Write `leaks.csv`, `copies.csv`, `suspects.csv` and `outliers.csv` into a folder.

    `suspects.csv` can be corrected and given to ``--labels``: its column `label` is the one to
    change; where it is made empty, the image is left out.

    Raises
    ------
    RecordError
        If a file cannot be written.
    """
    lists: dict[str, tuple[list[str], Iterable[Sequence[str]]]] = {
        LEAKS_NAME: (
            ["test", "train", "cosine", "exact"],
            ((e.test, e.train, _number(e.cosine), "yes" if e.exact else "no") for e in audit.leaks),
        ),
        COPIES_NAME: (
            ["path", "label", "split", "copy of", "its label"],
            ((e.path, e.label, e.split, e.of, e.of_label) for e in audit.copies),
        ),
        SUSPECTS_NAME: (
            ["path", "label", "likely", "probability", "split"],
            ((e.path, e.label, e.likely, _number(e.probability), e.split) for e in audit.suspects),
        ),
        OUTLIERS_NAME: (
            ["path", "label", "split", "reason"],
            ((e.path, e.label, e.split, e.reason) for e in audit.outliers),
        ),
    }
    for name, (header, rows) in lists.items():
        _write(folder / name, header, (list(map(encode_text, row)) for row in rows))


def read_predictions(path: Path) -> list[PredictionRow]:
    """Read back what `write_predictions` wrote.

    Raises
    ------
    RecordError
        If the file cannot be read, or is not such a table; the message names the line.
    """
    return _read(path, PREDICTION_COLUMNS, _prediction)


def read_pictures(path: Path) -> list[PictureRecord]:
    """Read back what `write_pictures` wrote.

    Raises
    ------
    RecordError
        If the file cannot be read, or is not such a table; the message names the line.
    """
    return _read(path, PICTURE_COLUMNS, lambda cells, _: PictureRecord(*map(decode_text, cells)))


def format_results(run: Run) -> str:
    """Return the results of a run as an aligned table, at most 100 columns wide.

    One line per classifier, in the order of the run: accuracy with its 95% interval, balanced
    accuracy, ROC AUC, log loss, and the times of fitting and of predicting the test split.
    """
    header = [
        "classifier",
        "accuracy",
        "95% interval",
        "balanced",
        "ROC AUC",
        "log loss",
        "fit",
        "predict",
    ]
    rows = [
        [
            result.classifier,
            figure(result.accuracy),
            interval(result),
            figure(result.balanced_accuracy),
            figure(result.roc_auc),
            figure(result.log_loss),
            duration(result.fit_seconds),
            duration(result.predict_seconds),
        ]
        for result in run.results
    ]
    return align(header, rows)


def remarks(run: Run) -> list[str]:
    """Return what must be said below the table: the best against the others, and the notes."""
    if not run.results:
        return []
    best = max(run.results, key=lambda result: (result.accuracy, -result.log_loss))
    lines = [sentence(pair, best.n_test) for pair in of_the_best(run, best)]
    lines += [f"{name}: {text}" for name, text in findings(run)]
    about: dict[str, list[str]] = {}
    for result in run.results:
        for note in result.notes:
            about.setdefault(note, []).append(result.classifier)
    lines += [f"{', '.join(names)}: {note}" for note, names in about.items()]
    if run.audit is not None:
        lines.append(audited(run.audit))
    return [shown(line) for line in lines]


def interval(result: Result) -> str:
    """Return the 95% interval of a result's accuracy in words."""
    return f"{figure(result.accuracy_low)} to {figure(result.accuracy_high)}"


def align(header: Sequence[str], rows: Sequence[Sequence[str]], n_text: int = 1) -> str:
    """Return a plain-text table of at most `TERMINAL_WIDTH` columns.

    The first `n_text` columns are aligned to the left and the others to the right; the first is
    shortened if need be.
    """
    table = [[shown(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    widths[0] = max(min(widths[0], TERMINAL_WIDTH - sum(w + 2 for w in widths[1:])), 1)
    lines = [
        "  ".join(
            cell.ljust(width) if i < n_text else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in ([shortened(row[0], widths[0]), *row[1:]] for row in table)
    ]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def shortened(text: str, width: int) -> str:
    """Return `text` in `width` columns; the end is kept, where paths and names differ."""
    return text if len(text) <= width else "..." + text[len(text) - width + 3 :]


def _metrics_row(result: Result, classes: Sequence[str]) -> list[str]:
    scores: dict[str, ClassScore] = {score.name: score for score in result.classes}
    cells = [encode_text(result.classifier)]
    cells += map(_number, (result.accuracy, result.accuracy_low, result.accuracy_high))
    cells.append(_number(result.balanced_accuracy))
    for name in classes:
        score = scores.get(name)
        values = (score.precision, score.recall, score.f1) if score else (None, None, None)
        cells += map(_number, values)
    cells += map(
        _number, (result.roc_auc, result.log_loss, result.fit_seconds, result.predict_seconds)
    )
    return cells


def _prediction(cells: Sequence[str], where: str) -> PredictionRow:
    try:
        probability = float(cells[4])
    except ValueError:
        probability = math.nan
    if not 0 <= probability <= 1:
        raise RecordError(
            f"{where}: expected a probability from 0 to 1, found {cells[4][:50]!r}; "
            "run python -m classify again"
        )
    classifier, picture, true, predicted = map(decode_text, cells[:4])
    return PredictionRow(classifier, picture, true, predicted, probability)


def _read(path: Path, columns: Sequence[str], made: Callable[[Sequence[str], str], T]) -> list[T]:
    """Read a table, making one thing of the cells of each row and where they stand."""
    try:
        if path.exists() and not path.is_file():  # reading a FIFO would wait for ever
            raise OSError("not a regular file")
        # A spreadsheet that saves the file again puts a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            if header != columns:
                raise RecordError(
                    f"{path}: expected the columns {','.join(columns)}, "
                    f"found {','.join(header)[:200] or 'nothing'}; run python -m classify again"
                )
            found = []
            for cells in rows:
                where = f"{path}, line {rows.line_num}"
                if len(cells) != len(columns):
                    raise RecordError(
                        f"{where}: expected {len(columns)} cells, found {len(cells)}; "
                        "run python -m classify again"
                    )
                found.append(made(cells, where))
            return found
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path} is not a table of a run: {error}") from error


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    try:
        write_csv(path, header, rows)
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror or error}; give a folder that can be written to"
        ) from error


def _number(value: float | None) -> str:
    """Return a number that reads back as the same float; the empty cell for one not known."""
    return "" if value is None else repr(float(value))
