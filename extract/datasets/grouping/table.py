"""Groups from a table of their own, as a spreadsheet or an audit writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.datasets.corrections import known_name
from extract.datasets.grouping.columns import TAKEN_BY_ITSELF, may_be_groups
from extract.datasets.tables.columns import (
    PATH_NAMES,
    is_missing,
    names_images,
    plain,
    refuse_repeated_names,
)
from extract.datasets.tables.grid import read_grid
from extract.errors import DataError
from toolkit.csv_cells import decode_text
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from extract.datasets.tables.grid import Grid


def read_groups(path: Path, names: Collection[str]) -> dict[str, str]:
    """Return the group that a table gives to images.

    Parameters
    ----------
    path : Path
        A table with the columns ``path``, written as in the reports of the data set, and ``group``,
        or other names that they may have; or what a spreadsheet has made of one. Other columns are
        ignored. An image whose group is empty is one of its own.
    names : collection of str
        What the data set calls its images.

    Returns
    -------
    dict of str to str
        Name of an image -> its group; without those that the table gives none.

    Raises
    ------
    DataError
        If the file cannot be read, gives an image two groups, or names an image that the data set
        does not contain.
    """
    try:
        grid = read_grid(path, known=names)
    except DataError as error:
        raise DataError(str(error), setting="groups") from error
    images, column = _columns(path, grid, names)
    groups: dict[str, str] = {}
    unknown = []
    for line, cells in grid.rows:
        name = known_name(cells[images], names)
        cell = cells[column].strip()
        group = "" if is_missing(cell) else decode_text(cell)
        if name is None:
            unknown.append(decode_text(cells[images]))
        elif groups.setdefault(name, group) != group:
            raise DataError(
                f"{path}, line {line}: {name!r} appears twice, once in the group {groups[name]!r} "
                f"and once in {group!r}; keep one of the rows",
                setting="groups",
            )
    if unknown:
        more = len(unknown) - 1
        others = f", nor {plural(more, 'other image')} of this file" if more else ""
        raise DataError(
            f"{path}: the data set has no image {unknown[0]!r}{others}; write paths as the reports "
            f"of the data set do, for example {next(iter(names))!r}",
            setting="groups",
        )
    return {name: group for name, group in groups.items() if group}


def _columns(path: Path, grid: Grid, names: Collection[str]) -> tuple[int, int]:
    """Return the column of the images and that of the groups."""
    header = [plain(name) for name in grid.header]
    refuse_repeated_names(path, header)

    def exists(cell: str) -> bool:
        return known_name(cell, names) is not None

    named = [header.index(name) for name in PATH_NAMES if name in header]
    images = next((i for i in named if names_images(grid, i, exists)), named[0] if named else None)
    rest = [i for i in range(len(header)) if i != images]
    called = [i for i in rest if header[i] == TAKEN_BY_ITSELF]
    like = called or [i for i in rest if may_be_groups(header[i])]
    if images is None or len(like) != 1:
        raise DataError(
            f"{path}: expected the columns path and group, found "
            f"{','.join(grid.header) or 'an empty file'}",
            setting="groups",
        )
    return images, like[0]
