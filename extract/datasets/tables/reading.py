"""Read a table of images: which file has which label and, optionally, which split."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract.datasets.further import FurtherColumns
from extract.datasets.split_names import EXAMPLES, split_of
from extract.datasets.tables.columns import (
    are_measurements,
    is_known,
    is_missing,
    is_of_groups,
    is_one,
    names_images,
    path_column,
    understand,
)
from extract.datasets.tables.finding import Finder
from extract.datasets.tables.grid import Grid, read_grid
from extract.errors import DataError
from toolkit.addresses import is_remote
from toolkit.encodings import decode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from extract.datasets.split_names import SplitWord
    from extract.datasets.tables.columns import Columns

_MISSING_SHOWN = 3
_NO_NAME = "(no name)"
_LINES_TO_TRY = 20
_TRUE = {"1", "1.0", "true", "t", "yes", "y", "wahr", "vrai"}
_FALSE = {"0", "0.0", "false", "f", "no", "n", "falsch", "faux"}


Labelled = tuple["Path", str, "SplitWord | None"]
"""An image with its label and the split that the table names."""


@dataclass(frozen=True)
class Table:
    """The images that a table lists.

    Parameters
    ----------
    labelled : list of (path, label, split)
        In the order of the rows, without repeated ones. Either all have a split or none has.
    passed_over : dict of str to int
        Reason -> number of rows that are not used.
    guesses : tuple of str
        What was guessed, one sentence each.
    further : FurtherColumns
        Its other columns.
    without_labels : FurtherColumns or None
        The same with the column of the labels, if that may have something else: groups, by its
        name, or measurements, by its numbers; only that no other column has labels speaks for it.
    """

    labelled: list[Labelled]
    passed_over: dict[str, int]
    guesses: tuple[str, ...]
    further: FurtherColumns
    without_labels: FurtherColumns | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was guessed, and which columns are neither path nor label nor split."""
        return (*self.guesses, *self.further.sentences())

    def what_was_done(self) -> list[str]:
        """Return what was guessed, and what was passed over as another sentence."""
        numbers = ", ".join(f"{number:,} {reason}" for reason, number in self.passed_over.items())
        return [*self.guesses, *([f"Passed over in the table: {numbers}."] if numbers else [])]


def read_table(path: Path, folder: Path | None = None) -> Table:
    """Read the images that a table lists.

    Parameters
    ----------
    path : Path
        A delimited text, Excel or Parquet file, or the address of one.
    folder : Path, default=None
        What the paths in it are relative to; None is its own folder. See `Finder`.

    Returns
    -------
    Table
        The images, and how the table was understood.

    Raises
    ------
    DataError
        If the file cannot be read, has no usable rows, a row names no file or an unknown split, or
        two rows contradict each other.
    AddressError
        If the server of an address does not respond.
    """
    grid, finder, columns = _understood(path, folder)
    if not grid.rows:
        raise DataError(f"{path}: expected one row per image, found none below the header")
    rows, passed_over = labelled_rows(path, grid, columns)
    found = _find(path, columns, finder, rows)
    check_splits(path, found)
    kept = _without_repeats(path, found)
    passed_over["repeated rows"] = len(found) - len(kept)
    guesses = (*grid.remarks, *columns.remarks, *finder.remarks())
    counted = {reason: number for reason, number in passed_over.items() if number}
    cells = dict(grid.rows)
    others = {grid.header[columns.path]: "the paths"}
    others |= {} if columns.split is None else {grid.header[columns.split]: "the split"}
    further = FurtherColumns(
        path,
        {grid.header[i] or _NO_NAME: i for i in columns.unused},
        [(image, cells[line]) for (line, *_), (image, *_) in zip(rows, found, strict=True)],
        others | {grid.header[i]: "the labels" for i in columns.labels},
    )
    without_labels = None
    name = grid.header[columns.labels[0]]
    if is_of_groups(name) or are_measurements(name, grid.column(columns.labels[0])):
        without_labels = dataclasses.replace(
            further, columns={**further.columns, name: columns.labels[0]}, others=others
        )
    return Table(kept, counted, guesses, further, without_labels)


def read_columns(path: Path, folder: Path | None = None) -> tuple[FurtherColumns, int] | None:
    """Read what a table says about images that have their labels from elsewhere.

    Parameters
    ----------
    path, folder : Path
        As for `read_table`.

    Returns
    -------
    columns : FurtherColumns
        All but that of the paths.
    n_missing : int
        Number of rows that name no image.

    If the file cannot be read, or most of its first rows name no image, it is None.
    """
    try:
        grid = read_grid(path)
        finder = Finder(path, grid.encoding, folder)
        grid = _with_header(grid, finder)
        column = path_column(path, grid, finder.exists)
        if column is None:
            return None
        images = [finder.find(cells[column].strip()) for _, cells in grid.rows]
    except DataError:
        return None
    rows = zip(images, grid.rows, strict=True)
    found = [(image, cells) for image, (_, cells) in rows if image is not None]
    names = {name or _NO_NAME: i for i, name in enumerate(grid.header) if i != column}
    columns = FurtherColumns(path, names, found, {grid.header[column]: "the paths"})
    return columns, len(images) - len(found)


def lists_images(path: Path, folder: Path | None = None) -> bool:
    """Tell whether a table names images that exist and their labels, even if it cannot be used.

    Parameters
    ----------
    path, folder : Path
        As for `read_table`.

    Returns
    -------
    bool
        True if most of its first rows name an image.
    """
    try:
        grid, finder, columns = _understood(path, folder)
    except DataError:
        return False
    return names_images(grid, columns.path, finder.exists)


def mentions_images(path: Path, folder: Path) -> bool:
    """Tell whether most of the first lines of a table that cannot be used name an image.

    Parameters
    ----------
    path, folder : Path
        As for `read_table`. At an address, nothing can be told.
    """
    if is_remote(folder):
        return False
    try:
        grid = read_grid(path)
        lines = [grid.header, *(cells for _, cells in grid.rows[:_LINES_TO_TRY])]
    except DataError:
        decoded = decode(path.read_bytes()) if path.is_file() else None
        text = decoded[0] if decoded else ""
        filled = [line for line in text.splitlines() if line.strip()]
        lines = [re.split(r"[,;\t|]", line) for line in filled[:_LINES_TO_TRY]]
    finder = Finder(path, folder=folder)
    named = [
        any(cell.strip() and finder.exists(cell.strip(' "')) for cell in line) for line in lines
    ]
    return sum(named) * 2 > len(named)


def _understood(path: Path, folder: Path | None = None) -> tuple[Grid, Finder, Columns]:
    """Read the cells of a table, and find out what its columns mean."""
    grid = read_grid(path)
    finder = Finder(path, grid.encoding, folder)
    grid = _with_header(grid, finder)
    columns = understand(path, grid, finder.exists, lambda name, cell: bool(split_word(name, cell)))
    return grid, finder, columns


def _with_header(grid: Grid, finder: Finder) -> Grid:
    """Give names to the columns of a table whose first row is an image already."""
    if is_remote(finder.folder) or any(map(is_known, grid.header)):
        return grid
    images = [i for i, cell in enumerate(grid.header) if cell and finder.exists(cell)]
    if len(images) != 1:
        return grid
    names = ["path" if i in images else f"column {i + 1}" for i in range(len(grid.header))]
    if len(names) == 2:
        names[1 - images[0]] = "label"
    remark = f"The first row is an image, not a header: the columns are {','.join(names)}."
    rows = [(1, grid.header), *grid.rows]
    return dataclasses.replace(grid, header=names, rows=rows, remarks=(*grid.remarks, remark))


def labelled_rows(
    path: Path, grid: Grid, columns: Columns
) -> tuple[list[tuple[int, str, str, str]], dict[str, int]]:
    """Return line, name, label and split of each row that has the first two, and count the rest."""
    rows = []
    left_out: Counter[str] = Counter()
    for line, cells in grid.rows:
        name = cells[columns.path].strip()
        if len(columns.labels) > 1:
            label = next(grid.header[i] for i in columns.labels if is_one(cells[i]))
        else:
            label = cells[columns.labels[0]].strip()
        split = "" if columns.split is None else cells[columns.split].strip()
        if is_missing(name):
            left_out["rows without an image"] += 1
        elif is_missing(label):
            left_out["rows without a label"] += 1
        else:
            rows.append((line, name, label, split))
    if not rows:
        line, cells = grid.rows[0]
        raise DataError(
            f"{path}, line {line}: expected a path and a label, found {','.join(cells)}; no row of "
            "the table has both"
        )
    return rows, dict(left_out)


def _find(
    path: Path, columns: Columns, finder: Finder, rows: list[tuple[int, str, str, str]]
) -> list[Labelled]:
    found: list[Labelled] = []
    missing = []
    for line, name, label, split in rows:
        image = finder.find(name)
        if image is None:
            missing.append((line, name))
        else:
            found.append((image, label, split_in(path, line, columns, split)))
    if missing:
        (line, name), others = missing[0], [name for _, name in missing[1:_MISSING_SHOWN]]
        more = f", nor {', '.join(others)}" if others else ""
        count = f" ({len(missing):,} of {len(rows):,} are missing)" if len(missing) > 1 else ""
        raise DataError(
            f"{path}, line {line}: there is no file {path.parent / name}{more}{count}; paths are "
            "relative to the table"
        )
    return found


def split_in(path: Path, line: int, columns: Columns, cell: str) -> SplitWord | None:
    """Return the split that a cell of a table names; raise an error if it is no word for one."""
    if columns.split is None or not cell:
        return None
    split = split_word(columns.split_name, cell)
    if split is None:
        raise DataError(
            f"{path}, line {line}: the split is {cell!r}; expected a word such as {EXAMPLES}"
        )
    return split


def split_word(name: str, cell: str) -> SplitWord | None:
    """Return the split that a cell of a column of this name stands for."""
    word, yes = cell.strip().casefold(), split_of(name.removeprefix("is_"))
    if yes and word in _TRUE:
        return yes
    if yes and word in _FALSE:
        return "test" if yes == "train" else "train"
    return split_of(cell)


def check_splits(path: Path, found: Iterable[Labelled]) -> None:
    """Raise an error if some rows have a split and others have none."""
    unsplit = [image for image, _, split in found if split is None]
    if unsplit and any(split for _, _, split in found):
        raise DataError(
            f"{path}: {unsplit[0].name} has no split, but other rows have one; fill in the column "
            "for every row or for none"
        )


def _without_repeats(path: Path, found: Iterable[Labelled]) -> list[Labelled]:
    kept: dict[Path, Labelled] = {}
    for row in found:
        image, label, split = row
        known = kept.setdefault(image, row)
        if known != row:
            raise DataError(
                f"{path}: {image.name} appears twice, once as {_shown(*known[1:])} and once as "
                f"{_shown(label, split)}; keep one of the rows"
            )
    return list(kept.values())


def _shown(label: str, split: SplitWord | None) -> str:
    return f"{label} ({split})" if split else label
