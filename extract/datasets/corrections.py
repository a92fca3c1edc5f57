"""Apply the labels that a person has corrected to a data set."""

from __future__ import annotations

import dataclasses
import logging
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from extract.datasets.decisions import (
    COLUMNS,
    DECISIONS,
    KEEP,
    LEAVE_OUT,
    RELABEL,
    Decision,
    without_incomplete_row,
)
from extract.datasets.split_names import split_of
from extract.datasets.tables.columns import LABEL_NAMES, plain, understand
from extract.datasets.tables.grid import parse_grid, read_table
from extract.errors import DataError
from toolkit.csv_cells import decode_text
from toolkit.errors import did_you_mean
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from extract.datasets.dataset import Dataset, Layout
    from extract.datasets.tables.grid import Grid

    Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    """One CSV file, or several."""

logger = logging.getLogger(__name__)

LEAKS_HEADER = ["test", "train"]
"""How a `leaks.csv` begins; see `reports.tables.write_audit`."""


def apply_corrections(dataset: Dataset, labels: Files | None) -> Dataset:
    """Return the data set with the labels that CSV files give for some of its images.

    Parameters
    ----------
    dataset : Dataset
        The data set to correct.
    labels : str, path or sequence of these
        The files; each corrects what the one before says. See `apply_file`.

    Returns
    -------
    Dataset
        A new data set that remembers which labels are not the original ones.
    """
    paths = [labels] if isinstance(labels, str | os.PathLike) else labels or []
    original = {item.path: item.label for item in dataset.items}
    for path in paths:
        dataset = apply_file(dataset, Path(path))
    changed = [item.path for item in dataset.items if item.label != original[item.path]]
    return dataclasses.replace(dataset, relabelled=frozenset(changed))


def apply_file(dataset: Dataset, path: Path) -> Dataset:
    """Return the data set with the labels that a CSV file gives for some of its images.

    Parameters
    ----------
    dataset : Dataset
        The data set to correct.
    path : Path
        A CSV file with the columns ``path``, written as in the reports of the data set, and
        ``label``, or other names that a table of images may have; or what a spreadsheet has made of
        one, in its own encoding, with its own separator, or as an Excel file. Other columns are
        ignored, so a corrected ``suspects.csv`` can be used. An image whose label is empty is left
        out. Of a ``leaks.csv``, the images in its column ``test`` are. Of the ``corrections.csv``
        of a review, the last row of each image counts.

    Returns
    -------
    Dataset
        A new data set that remembers how many images were left out. This is logged, and how many
        labels were changed.

    Raises
    ------
    DataError
        If the file cannot be read, gives two labels for an image, names an image that the data set
        does not contain, or has a decision that a review does not make.
    """
    if path.is_dir():
        raise DataError(
            f"{path} is a folder; give a file in it, such as corrections.csv or suspects.csv"
        )
    by_name = {dataset.relative(item.path): item for item in dataset.items}
    labels = _read_labels(path, by_name, dataset.classes)
    items = []
    n_changed = n_left_out = 0
    for name, item in by_name.items():
        label = labels.get(name, item.label)
        if not label:
            n_left_out += 1
            continue
        n_changed += label != item.label
        items.append(dataclasses.replace(item, label=label))
    if not items:
        raise DataError(f"{path} leaves out every image; fill in the labels of those to keep")
    logger.info(
        "%s: %s changed, %s left out",
        path, plural(n_changed, "label"), plural(n_left_out, "image"),
    )  # fmt: skip
    warn_of_new_classes(path, {item.label for item in items}, dataset.classes)
    return dataclasses.replace(
        dataset,
        items=tuple(items),
        layout=_with_left_out(dataset.layout, path, n_left_out),
    )


def _with_left_out(layout: Layout, path: Path, number: int) -> Layout:
    if not number:
        return layout
    reason = f"images that {path.name} leaves out"
    number += layout.passed_over.get(reason, 0)  # by another file of that name
    return dataclasses.replace(layout, passed_over={**layout.passed_over, reason: number})


def warn_of_new_classes(path: Path, labels: Collection[str], classes: Collection[str]) -> None:
    """Mention the labels of a file that are no classes yet: they may be typing errors."""
    new = sorted({*labels} - {*classes})
    if new:
        names = ", ".join(f"{name}{did_you_mean(name, classes)}" for name in new)
        logger.warning("%s: new %s: %s", path, "class" if len(new) == 1 else "classes", names)


def read_decisions(
    path: Path, names: Collection[str], classes: Collection[str]
) -> list[Decision] | None:
    """Read the decisions of a review, in their order; None if a table is something else.

    Parameters
    ----------
    path : Path
        ``corrections.csv``, or what a spreadsheet has made of it. A last row that is not complete
        is left out, with a warning.
    names, classes : collection of str
        Names of the images and classes of the data set.

    Raises
    ------
    DataError
        If the file cannot be read, a decision is none of `DECISIONS`, or its label contradicts it.
    """
    return _decisions_of(path, _read(path, {*classes, *names}), names, classes)


def _read(path: Path, known: Collection[str]) -> Grid:
    data = read_table(path)
    complete = without_incomplete_row(data)
    if len(complete) < len(data):
        logger.warning("%s: its last row is not complete and is not used", path)
    return parse_grid(path, complete, known)


def _decisions_of(
    path: Path, grid: Grid, names: Collection[str], classes: Collection[str]
) -> list[Decision] | None:
    header = [plain(name) for name in grid.header]
    if not set(COLUMNS) <= set(header):
        return None
    decisions = []
    for line, cells in grid.rows:
        name, label, decision, decided = (cells[header.index(column)] for column in COLUMNS)
        if decision.strip() not in DECISIONS:
            raise DataError(
                f"{path}, line {line}: expected one of the decisions {', '.join(DECISIONS)}, found "
                f"{decision!r}; correct it or remove the row"
            )
        expected = {LEAVE_OUT: False, KEEP: True, RELABEL: True}.get(decision.strip())
        if expected is not None and bool(label.strip()) != expected:
            raise DataError(
                f"{path}, line {line}: expected {'a' if expected else 'no'} label with "
                f"{decision.strip()!r}, found {label!r}; correct the decision or the label, or "
                "remove the row"
            )
        name = known_name(name, names) or decode_text(name)
        decisions.append(Decision(name, _label(label, classes), decision.strip(), decided))
    return decisions


def _label(cell: str, classes: Collection[str]) -> str:
    """Return the label in a cell, without spaces around it unless a class has them."""
    label = decode_text(cell)
    return label if label in classes else decode_text(cell.strip())


def _read_labels(path: Path, by_name: Collection[str], classes: Collection[str]) -> dict[str, str]:
    """Return the label that the file gives each image, by the name that the data set gives it."""
    grid = _read(path, {*classes, *by_name})
    decisions = _decisions_of(path, grid, by_name, classes)
    if decisions is not None:
        return _known(path, {one.path: one.label for one in decisions}, by_name)
    if [cell.strip().lower() for cell in grid.header[:2]] == LEAKS_HEADER:
        return _labels_of(path, ((line, cells[0], "") for line, cells in grid.rows), by_name)
    columns = understand(
        path,
        grid,
        lambda cell: known_name(cell, by_name) is not None,
        lambda _, cell: split_of(cell) is not None,
    )
    if plain(grid.header[columns.labels[0]]) not in LABEL_NAMES:  # a guess would change labels
        raise DataError(
            f"{path}: expected the columns path and label, found {','.join(grid.header)}"
        )
    for remark in (*grid.remarks, *columns.remarks):
        logger.warning("%s", remark)
    rows = (
        (line, cells[columns.path], _label(cells[columns.labels[0]], classes))
        for line, cells in grid.rows
    )
    return _labels_of(path, rows, by_name)


def _labels_of(
    path: Path, rows: Iterable[tuple[int, str, str]], by_name: Collection[str]
) -> dict[str, str]:
    """Return the label of each image, from rows with the line, the image's cell and its label."""
    labels: dict[str, str] = {}
    for line, cell, label in rows:
        name = known_name(cell, by_name) or decode_text(cell)
        if labels.setdefault(name, label) != label:
            raise DataError(
                f"{path}, line {line}: {name!r} appears twice, once as {labels[name]!r} and once "
                f"as {label!r}; keep one of the rows"
            )
    return _known(path, labels, by_name)


def _known(path: Path, labels: dict[str, str], by_name: Collection[str]) -> dict[str, str]:
    """Return the labels if the data set has all of their images.

    Raises
    ------
    DataError
        If it has not.
    """
    unknown = [name for name in labels if name not in by_name]
    if unknown:
        more = len(unknown) - 1
        others = f", nor {plural(more, 'other image')} of this file" if more else ""
        raise DataError(
            f"{path}: the data set has no image {unknown[0]!r}{others}; write paths as the reports "
            f"of the data set do, for example {next(iter(by_name))!r}"
        )
    return labels


def known_name(cell: str, names: Collection[str]) -> str | None:
    """Return the name in the data set that a cell stands for, in whichever way it was written."""
    stripped = cell.strip()
    ways = (decode_text(cell), decode_text(stripped), stripped.replace("\\", "/"))
    composed = [unicodedata.normalize(form, way) for form in ("NFC", "NFD") for way in ways]
    return next((way for way in (*ways, *composed) if way in names), None)
