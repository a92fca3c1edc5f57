"""The tables of a run: CSV files for other programs, aligned text for a terminal.

`toolkit.csv_cells` describes how text is escaped in the CSV files.
"""

from __future__ import annotations

import csv
import itertools
import math
from itertools import starmap
from typing import TYPE_CHECKING

from reports.copy_groups import groups_to_keep_together
from reports.errors import RecordError
from reports.frames import (
    PREDICTION_COLUMNS,
    SHORTCUT_COLUMNS,
    WEAK_SPOT_COLUMNS,
    result_columns,
    result_row,
    shortcut_row,
    weak_spot_row,
)
from reports.ranking import best_in_validation
from reports.records import PictureRecord, PredictionRow
from reports.wording.choice import chosen_sentence, lucky_sentence
from reports.wording.decision import decision_sentences
from reports.wording.differences import comparison_sentence, comparisons_with
from reports.wording.findings import (
    audit_sentence,
    findings,
    groups_sentences,
    stopped_sentence,
    unused_files_sentence,
)
from reports.wording.shortcuts import properties_sentences
from reports.wording.text import duration, figure
from reports.wording.uncertainty import group_sentences
from reports.wording.ungrouped import ungrouped_sentence
from toolkit.csv_cells import decode_text, encode_text
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from reports.records import Audit, Result, Run

METRICS_NAME = "metrics.csv"
PREDICTIONS_NAME, PICTURES_NAME = "predictions.csv", "pictures.csv"
QUARANTINE_NAME = "quarantine.csv"
LEAKS_NAME, COPIES_NAME, GROUPS_NAME = "leaks.csv", "copies.csv", "groups.csv"
SUSPECTS_NAME, OUTLIERS_NAME = "suspects.csv", "outliers.csv"
SHORTCUTS_NAME, WEAK_SPOTS_NAME = "shortcuts.csv", "weak_spots.csv"
EARLIER_OUTLIERS_NAME = "oddities.csv"
"""What earlier versions called `OUTLIERS_NAME`."""
PICTURE_COLUMNS = ["path", "label", "split", "sha256"]
GROUP_COLUMN = "group"
"""Also in `pictures.csv`; earlier versions did not write it."""
TERMINAL_WIDTH = 100
CHOSEN = "*"
"""Marks the classifier that was chosen on the training split."""


def write_metrics(run: Run, path: Path) -> None:
    """Write `metrics.csv`: one row per classifier, in the order of the run.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    classes = run.data.classes
    rows = (result_row(result, classes) for result in run.results)
    write_table(path, result_columns([encode_text(name) for name in classes]), rows)


def write_predictions(rows: Iterable[PredictionRow], path: Path) -> None:
    """Write `predictions.csv`: one row per classifier and test image.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    values = ((r.classifier, r.path, r.true, r.predicted, r.probability) for r in rows)
    write_table(path, PREDICTION_COLUMNS, values)


def write_pictures(pictures: Iterable[PictureRecord], path: Path) -> None:
    """Write `pictures.csv`: the label, the split, the SHA-256 and the group of every image.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    values = ((row.path, row.label, row.split, row.sha256, row.group) for row in pictures)
    write_table(path, [*PICTURE_COLUMNS, GROUP_COLUMN], values)


def write_audit(audit: Audit, folder: Path) -> None:
    """Write `leaks.csv`, `copies.csv`, `suspects.csv` and `outliers.csv` into a folder.

    So are `shortcuts.csv` and `weak_spots.csv`, of an audit that has them. If there are copies, or
    signs of groups, `groups.csv` keeps images together that belong together.

    A corrected `suspects.csv` can be used as the table of labels of the next run: change its column
    `label`, or make it empty to leave the image out.

    Raises
    ------
    RecordError
        If a file cannot be written.
    """
    tables: dict[str, tuple[list[str], Iterable[Sequence[str | float | None]]]] = {
        LEAKS_NAME: (
            ["test", "train", "cosine", "exact", "relation", "inliers"],
            (
                (e.test, e.train, e.cosine, "yes" if e.exact else "no", e.relation, str(e.inliers))
                for e in audit.leaks
            ),
        ),
        COPIES_NAME: (
            ["path", "label", "split", "copy of", "its label", "its split", "relation", "inliers"],
            (
                (e.path, e.label, e.split, e.of, e.of_label, e.of_split, e.relation, str(e.inliers))
                for e in audit.copies
            ),
        ),
        SUSPECTS_NAME: (
            [
                *("path", "label", "likely", "probability", "split", "probably wrong"),
                *("label by image", "likely by image"),
            ],
            (
                (
                    *(e.path, e.label, e.likely, e.probability, e.split),
                    *("yes" if e.wrong else "no", e.label_by_image, e.likely_by_image),
                )
                for e in audit.suspects
            ),
        ),
        OUTLIERS_NAME: (
            ["path", "label", "split", "reason"],
            ((e.path, e.label, e.split, e.reason) for e in audit.outliers),
        ),
    }
    groups = groups_to_keep_together(audit)
    if groups:
        tables[GROUPS_NAME] = (["path", "group"], groups.items())
    if audit.shortcuts:
        tables[SHORTCUTS_NAME] = (
            SHORTCUT_COLUMNS,
            ([_word(cell) for cell in shortcut_row(each)] for each in audit.shortcuts),
        )
    if audit.weak_spots:
        tables[WEAK_SPOTS_NAME] = (
            WEAK_SPOT_COLUMNS,
            ([_word(cell) for cell in weak_spot_row(spot)] for spot in audit.weak_spots),
        )
    for name, (columns, rows) in tables.items():
        write_table(folder / name, columns, rows)


def read_predictions(path: Path) -> list[PredictionRow]:
    """Read back what `write_predictions` wrote.

    Raises
    ------
    RecordError
        If the file cannot be read, or is not such a table; the message names the line.
    """
    frame = read_table(path, PREDICTION_COLUMNS)
    probabilities = [_probability(cell) for cell in frame["probability"]]
    for line, cell, probability in zip(
        frame.index, frame["probability"], probabilities, strict=True
    ):
        if not 0 <= probability <= 1:
            raise RecordError(
                f"{path}, line {line}: expected a probability from 0 to 1, found {cell[:50]!r}; "
                "run python -m classify again"
            )
    # Lists, because pandas keeps text in Arrow if it can, which has no undecodable file names.
    texts = [[decode_text(cell) for cell in frame[name]] for name in PREDICTION_COLUMNS[:-1]]
    return list(starmap(PredictionRow, zip(*texts, probabilities, strict=True)))


def read_pictures(path: Path) -> list[PictureRecord]:
    """Read back what `write_pictures` wrote.

    Raises
    ------
    RecordError
        If the file cannot be read, or is not such a table; the message names the line.
    """
    frame = read_table(path, PICTURE_COLUMNS, optional=GROUP_COLUMN)
    rows = (
        [decode_text(cell) for cell in cells] for cells in frame.itertuples(index=False, name=None)
    )
    return [
        PictureRecord(path, label, split, sha256, "".join(group) or None)
        for path, label, split, sha256, *group in rows
    ]


def format_results(run: Run) -> str:
    """Return the results of a run as an aligned table, at most 100 columns wide.

    One line per classifier, in the order of the run: accuracy with its 95% interval, balanced
    accuracy, ROC AUC, log loss, and the times of fitting and of predicting the test split.
    """
    chosen = best_in_validation(run) if len(run.results) > 1 else None
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
            f"{result.classifier} {CHOSEN}" if result is chosen else result.classifier,
            figure(result.accuracy),
            format_interval(result),
            figure(result.balanced_accuracy),
            figure(result.roc_auc),
            figure(result.log_loss),
            duration(result.fit_seconds),
            duration(result.predict_seconds),
        ]
        for result in run.results
    ]
    return format_table(header, rows)


def remarks(run: Run) -> list[str]:
    """Return the lines below the table: the best against the others, findings and notes."""
    if not run.results:
        return []
    best = best_in_validation(run)
    lines = []
    if len(run.results) > 1:
        lines.append(chosen_sentence(run, best, f"{CHOSEN} {best.classifier}"))
        lines += [comparison_sentence(pair, best.n_test) for pair in comparisons_with(run, best)]
        lucky = lucky_sentence(best, run.results)
        lines += [lucky] if lucky else []
    lines += group_sentences(run.data)
    ungrouped = ungrouped_sentence(run)
    lines += [ungrouped] if ungrouped else []
    lines += decision_sentences(run)
    lines += [f"{name}: {text}" for name, text in findings(run)]
    classifiers: dict[str, list[str]] = {}
    for result in run.results:
        for note in result.notes:
            classifiers.setdefault(note, []).append(result.classifier)
    lines += [f"{', '.join(names)}: {note}" for note, names in classifiers.items()]
    if run.audit is not None:
        lines.append(audit_sentence(run.audit))
        lines += groups_sentences(run.audit)
    lines += properties_sentences(run)
    if run.not_done:
        lines.append(stopped_sentence(run))
    if run.quarantine:
        lines.append(unused_files_sentence(run))
    return [printable(line) for line in lines]


def format_interval(result: Result) -> str:
    """Return the 95% interval of the accuracy of a result."""
    return f"{figure(result.accuracy_low)} to {figure(result.accuracy_high)}"


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], n_text: int = 1) -> str:
    """Return a plain-text table that is at most `TERMINAL_WIDTH` characters wide.

    The first `n_text` columns are aligned to the left and the others to the right. Text that is too
    long for its column continues on the next line, so that names stay complete.

    Examples
    --------
    >>> print(format_table(["run", "accuracy"], [["cats", "0.9"]]))
    run   accuracy
    --------------
    cats       0.9
    """
    table = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(1, *(len(row[i]) for row in table)) for i in range(len(header))]
    free = TERMINAL_WIDTH - sum(width + 2 for width in widths[n_text:]) - 2 * (n_text - 1)
    widths[:n_text] = _shared(widths[:n_text], free)
    lines = [line for row in table for line in _wrapped(row, widths, n_text)]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def _shared(widths: Sequence[int], free: int) -> list[int]:
    """Return widths of columns of text that take at most `free` characters; the widest give way."""
    shares = list(widths)
    while sum(shares) > free and max(shares) > 1:
        shares[shares.index(max(shares))] -= 1
    return shares


def _wrapped(row: Sequence[str], widths: Sequence[int], n_text: int) -> Iterator[str]:
    """Yield the lines of a row."""
    parts = [
        [cell[i : i + width] for i in range(0, len(cell), width)]
        for cell, width in zip(row, widths, strict=True)
    ]
    for cells in itertools.zip_longest(*parts, fillvalue=""):
        yield "  ".join(
            cell.ljust(width) if i < n_text else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )


def _probability(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def read_table(path: Path, columns: Sequence[str], optional: str | None = None) -> pd.DataFrame:
    """Read a table as text, indexed by the lines of the file, or raise `RecordError`.

    The optional column may follow the others. pandas' own parser accepts quotes in the wrong place
    and pads rows that are too short, so the cells come from Python's.
    """
    import pandas as pd

    lines, rows = [], []
    try:
        if path.exists() and not path.is_file():  # opening a FIFO would block
            raise OSError("not a regular file")
        # A spreadsheet that saves the file again puts a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if header == [*columns, optional]:
                columns = header
            if header != columns:
                raise RecordError(
                    f"{path}: expected the columns {','.join(columns)}, "
                    f"found {','.join(header)[:200] or 'nothing'}; run python -m classify again"
                )
            for cells in reader:
                if len(cells) != len(columns):
                    raise RecordError(
                        f"{path}, line {reader.line_num}: expected {len(columns)} cells, "
                        f"found {len(cells)}; run python -m classify again"
                    )
                lines.append(reader.line_num)
                rows.append(cells)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path} is not a table of a run: {error}") from error
    return pd.DataFrame(rows, index=lines, columns=columns, dtype=object)


def write_table(
    path: Path, columns: Iterable[str], rows: Iterable[Sequence[str | float | None]]
) -> None:
    """Write a table, or raise `RecordError`; numbers read back as the same float."""
    import pandas as pd

    # Objects, so that a number that is unknown (None, an empty cell) stays apart from NaN.
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    try:
        frame.map(_cell).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that you can write to"
        ) from error


def _word(value: str | float) -> str | float:
    """Return a truth value as a word, and a whole number as digits without a point."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else value


def _cell(value: str | float | None) -> str:
    if isinstance(value, str):
        return encode_text(value)
    return "" if value is None else repr(float(value))
