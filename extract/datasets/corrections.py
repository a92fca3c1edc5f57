"""Apply the labels that a person has corrected to a data set."""

from __future__ import annotations

import dataclasses
import logging
import unicodedata
from typing import TYPE_CHECKING

from extract.datasets.split_names import split_of
from extract.datasets.tables.columns import LABEL_NAMES, plain, understand
from extract.datasets.tables.grid import read_grid
from extract.errors import DataError
from toolkit.csv_cells import decode_text
from toolkit.errors import did_you_mean
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from extract.datasets.dataset import Dataset

logger = logging.getLogger(__name__)

LEAKS_HEADER = ["test", "train"]
"""How a `leaks.csv` begins; see `reports.tables.write_audit`."""


def apply_corrections(dataset: Dataset, path: Path) -> Dataset:
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
        out. Of a ``leaks.csv``, the images in its column ``test`` are.

    Returns
    -------
    Dataset
        A new data set that remembers which labels were changed; their number and that of the images
        left out are logged.

    Raises
    ------
    DataError
        If the file cannot be read, gives two labels for an image, or names an image that the data
        set does not contain.
    """
    by_name = {dataset.relative(item.path): item for item in dataset.items}
    labels = _read_labels(path, by_name, dataset.classes)
    items = []
    changed = set()
    n_left_out = 0
    for name, item in by_name.items():
        label = labels.get(name, item.label)
        if not label:
            n_left_out += 1
            continue
        if label != item.label:
            changed.add(item.path)
        items.append(dataclasses.replace(item, label=label))
    if not items:
        raise DataError(f"{path} leaves out every image; fill in the labels of those to keep")
    logger.info(
        "%s: %s changed, %s left out",
        path, plural(len(changed), "label"), plural(n_left_out, "image"),
    )  # fmt: skip
    new = sorted({item.label for item in items} - set(dataset.classes))
    if new:
        names = ", ".join(f"{name}{did_you_mean(name, dataset.classes)}" for name in new)
        logger.warning("%s: new %s: %s", path, "class" if len(new) == 1 else "classes", names)
    return dataclasses.replace(dataset, items=tuple(items), relabelled=frozenset(changed))


def _read_labels(path: Path, by_name: Collection[str], classes: Collection[str]) -> dict[str, str]:
    """Return the label that the file gives each image, by the name that the data set gives it."""
    grid = read_grid(path, known=[*classes, *by_name])
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
        (line, cells[columns.path], cells[columns.labels[0]].strip()) for line, cells in grid.rows
    )
    return _labels_of(path, rows, by_name)


def _labels_of(
    path: Path, rows: Iterable[tuple[int, str, str]], by_name: Collection[str]
) -> dict[str, str]:
    """Return the label of each image, from rows with the line, the image and its label."""
    labels: dict[str, str] = {}
    unknown = []
    for line, cell, label in rows:
        name = known_name(cell, by_name)
        if name is None:
            unknown.append(decode_text(cell))
        elif labels.setdefault(name, decode_text(label)) != decode_text(label):
            raise DataError(
                f"{path}, line {line}: {name!r} appears twice, once as {labels[name]!r} and once "
                f"as {decode_text(label)!r}; keep one of the rows"
            )
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
