"""Groups from a column of the table that the data have."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from extract.datasets.tables.columns import is_missing, plain
from extract.errors import DataError
from toolkit.errors import did_you_mean
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extract.datasets.dataset import Dataset
    from extract.datasets.further import FurtherColumns
    from extract.options import DataSettings

TAKEN_BY_ITSELF = "group"
"""A column of this name has the groups, unless a setting says where they are from."""


def with_columns(dataset: Dataset, settings: DataSettings) -> Dataset:
    """Take the groups from the column that the settings name, or else from one called ``group``.

    Parameters
    ----------
    dataset : Dataset
        With its `columns`.
    settings : DataSettings
        Another source that they name has precedence over the column ``group``.

    Returns
    -------
    Dataset
        With remarks that say what was taken and what was not.

    Raises
    ------
    DataError
        If there is no such column, or it gives an image two groups.
    """
    taken = _column_to_take(dataset, settings)
    remarks = []
    if taken is not None:
        groups: dict[Path, str] = {}
        for table in dataset.columns:
            if taken in table.columns:
                groups |= _groups_of(table, taken)
        dataset = dataclasses.replace(
            dataset,
            items=tuple(
                dataclasses.replace(item, group=groups.get(item.path)) for item in dataset.items
            ),
            group_origin=f"column {taken}",
            group_setting="group_column",
        )
        remarks.append(f"Columns: groups from {taken!r}.")
        without = [item.path for item in dataset.items if item.group is None]
        if without:
            verb = "has" if len(without) == 1 else "have"
            remarks.append(
                f"{plural(len(without), 'image')} {verb} no group in the column {taken!r}, as "
                f"{dataset.relative(without[0])!r}: each is a group of its own."
            )
    for table in dataset.columns:
        remarks += table.sentences(taken)
    return dataset.with_remarks(remarks)


def _column_to_take(dataset: Dataset, settings: DataSettings) -> str | None:
    """Return the name in the header of the column that has the groups."""
    wanted = settings.group_column
    if wanted is None and settings.sources_of_groups:
        return None
    names = [name for table in dataset.columns for name in table.columns]
    if wanted in names:
        return wanted
    found = [name for name in names if plain(name) == plain(wanted or TAKEN_BY_ITSELF)]
    if not found and wanted is not None:
        raise _no_such_column(wanted, dataset.columns)
    return found[0] if found else None


def _groups_of(table: FurtherColumns, name: str) -> dict[Path, str]:
    groups: dict[Path, str] = {}
    for path, cell in table.cells(name):
        group = "" if is_missing(cell) else cell
        known = groups.setdefault(path, group)
        if known != group:
            raise DataError(
                f"{table.table}: {path.name} appears twice, once in the group {known!r} and once "
                f"in {group!r}; keep one of the rows",
                setting="group_column",
            )
    return {path: group for path, group in groups.items() if group}


def _no_such_column(wanted: str, tables: Sequence[FurtherColumns]) -> DataError:
    for table in tables:
        for name, has in table.others.items():
            if plain(name) == plain(wanted):
                return _has_something_else(name, has, table)
    names = [name for table in tables for name in table.columns]
    if not tables:
        found = "found no table that is read with the data; give the groups in a table of their own"
    elif not names:
        found = f"found no column in {tables[0].table} but those of the images, labels and split"
    else:
        found = f"found {', '.join(dict.fromkeys(names))}{did_you_mean(wanted, names)}"
    return DataError(
        f"there is no column {wanted!r} that could have the groups of images: {found}",
        setting="group_column",
    )


def _has_something_else(name: str, has: str, table: FurtherColumns) -> DataError:
    """Return the error for a column that has paths, labels or splits, and no groups."""
    why = ""
    if has == "the labels":
        why = (
            "; groups that say the same as the labels measure nothing: take a column that divides "
            "the images of a class, as patients or sites"
        )
    listed = ", ".join(table.columns)
    return DataError(
        f"the column {name!r} of {table.table} has {has} of the images, so it cannot have their "
        f"groups, too{why}; other columns: {listed or 'none'}",
        setting="group_column",
    )


_THINGS = (
    "patient|subject|person|people|individual|animal|mouse|rat|cow|pig|horse|specimen|donor|"
    "participant|volunteer|identity|plant|tree|leaf|lesion|tumou?r|slide|case|study|series|exam|"
    "examination|visit|session|site|location|hospital|cent(?:er|re)|clinic|institution|scanner|"
    "camera|device|station|plot|field|farm|video|clip|movie|film|sequence|scene|burst|track|"
    "recording|author|writer|speaker|photographer|owner|source|batch|plate|well|experiment"
)
_MAY_BE_GROUPS = re.compile(
    rf"(?:.*_)?(?:group|(?:{_THINGS})s?)(?:_?(?:id|ids|uid|nr|no|num|number|name|key|code))?"
)


def may_be_groups(name: str) -> bool:
    """Tell by its name whether a column says what several images have in common.

    Examples
    --------
    >>> [name for name in ("Patient ID", "subject", "age", "site_name") if may_be_groups(name)]
    ['Patient ID', 'subject', 'site_name']
    """
    return _MAY_BE_GROUPS.fullmatch(plain(name)) is not None


def columns_that_repeat(table: FurtherColumns) -> list[str]:
    """Return the columns that may be groups by their names, and whose values repeat."""
    return [name for name in table.columns if may_be_groups(name) and _repeats(table, name)]


def _repeats(table: FurtherColumns, name: str) -> bool:
    cells = [cell for _, cell in table.cells(name) if not is_missing(cell)]
    return 1 < len(set(cells)) <= len(cells) // 2
