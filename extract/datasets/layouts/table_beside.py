"""A table with the labels that lies beside the images."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from extract.datasets.layouts.readings import Labelled, Reading, is_flat
from extract.datasets.split_names import split_of
from extract.datasets.tables import (
    is_table,
    lists_images,
    mentions_images,
    read_columns,
    read_table,
)
from extract.datasets.tables.columns import is_called_label
from extract.errors import DataError
from toolkit.addresses import relative
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from extract.datasets.folders.tree import Folder
    from extract.datasets.further import FurtherColumns
    from extract.datasets.tables import Table

_NOT_LABELS = re.compile(r"(sample[-_ ]?)?submission.*|.*[-_ ]submission", re.IGNORECASE)

_MOST_IN_A_FOLDER = 20
"""Files in a folder of tables; with more, each is about a single image."""


def table_beside(tree: Folder, top: Folder) -> Reading | None:
    """Read the labels from the table beside the images, or from one for each split.

    Parameters
    ----------
    tree : Folder
        The folder that was given.
    top : Folder
        The folder in it that has the images.

    Returns
    -------
    Reading or None
        None if no table names any of the images.

    Raises
    ------
    DataError
        If several tables do, and are not those of different splits.
    """
    tables, _ = _usable_tables(tree, top)
    if not tables:
        return None
    words = [split_of(path.stem) or split_of(path.parent.name) for path in tables]
    if len(tables) > 1 and (None in words or len(set(words)) < len(words)):
        names = " and ".join(relative(path, tree.path) for path in tables)
        raise DataError(
            f"{tree.path} has labels in several tables: {names}; give the one to use instead of "
            "the folder",
            setting="data",
        )
    labelled: list[Labelled] = []
    for table, word in zip(tables.values(), words, strict=True):
        labelled += [
            (path, label, word if len(tables) > 1 else split)
            for path, label, split in table.labelled
        ]
    names = ", ".join(relative(path, tree.path) for path in tables)
    listed = {path for path, _, _ in labelled}
    if len(listed) < len(labelled):
        raise DataError(
            f"{names} have {plural(len(labelled) - len(listed), 'image')} in common; keep each "
            "image in one of them"
        )
    unused: dict[str, list[Path]] = {}
    for folder in top.walk():
        missing = [path for path in folder.images if path not in listed]
        if missing:
            where = "" if folder is top else f" in {relative(folder.path, top.path)}"
            unused[f"images without a row in {names}{where}"] = missing
    return Reading(
        "table",
        f"labels in {names}",
        top.path,
        labelled,
        unused,
        remarks=[remark for table in tables.values() for remark in table.what_was_done()],
        tables=tuple(tables),
        columns=tuple(table.further for table in tables.values()),
        may_have_no_labels=any(t.without_labels is not None for t in tables.values()),
    )


def with_columns_beside(tree: Folder, top: Folder, reading: Reading) -> Reading:
    """Return a reading with what the tables beside it say about its images, besides their labels.

    A table need not have labels for it, nor the same ones.
    """
    if reading.columns:
        return reading
    tables, problems = _usable_tables(tree, top)
    folders = dict(_candidates(tree, top))
    labels = {path: label for path, label, _ in reading.labelled}
    columns, remarks = [], []
    for path in (*tables, *problems):
        table = tables.get(path)
        if table is not None and table.without_labels is not None:
            columns.append(table.without_labels)
        elif table is not None and with_the_same_classes(table.labelled, reading) is not None:
            columns.append(table.further)
        elif (read := read_columns(path, folders[path])) is not None:
            further, n_missing = read
            rows = [row for row in further.rows if row[0] in labels]
            n_missing += len(further.rows) - len(rows)
            further = _without_label(dataclasses.replace(further, rows=rows), labels)
            if not rows or not further.columns:
                continue
            columns.append(further)
            if n_missing:
                remarks.append(
                    f"{relative(path, tree.path)} has {plural(n_missing, 'row')} of images that "
                    "are not in the data."
                )
    return dataclasses.replace(
        reading, columns=tuple(columns), remarks=[*reading.remarks, *remarks]
    )


def _without_label(further: FurtherColumns, labels: Mapping[Path, str]) -> FurtherColumns:
    """Return columns without one that is called a label, and has the classes that images have."""
    for name in further.columns:
        pairs = {(cell, labels[path]) for path, cell in further.cells(name)}
        cells, classes = ({pair[i] for pair in pairs} for i in (0, 1))
        if is_called_label(name) and len(cells) == len(classes) == len(pairs):
            kept = {other: i for other, i in further.columns.items() if other != name}
            others = {**further.others, name: "the labels"}
            return dataclasses.replace(further, columns=kept, others=others)
    return further


def problems_of_tables(tree: Folder, top: Folder) -> dict[Path, str]:
    """Return the tables beside the images that cannot be used, and why."""
    return _usable_tables(tree, top)[1]


def broken_tables(tree: Folder, top: Folder) -> dict[Path, str]:
    """Return the tables that have labels of the images but cannot be used, and why."""
    folders = dict(_candidates(tree, top))
    return {
        path: problem
        for path, problem in problems_of_tables(tree, top).items()
        if lists_images(path, folders[path])
    }


def remarks_on_tables(tree: Folder, top: Folder, reading: Reading) -> list[str]:
    """Say which tables name the images, but are not what gives the labels of a reading."""
    tables, problems = _usable_tables(tree, top)
    folders = dict(_candidates(tree, top))
    remarks = []
    read = {columns.table for columns in reading.columns}
    for path, table in tables.items():
        same = path in reading.tables or with_the_same_classes(table.labelled, reading)
        if not same and table.without_labels is None:
            remarks.append(
                f"{relative(path, tree.path)} has labels of {plural(len(table.labelled), 'image')} "
                "that are not used; to use them, choose the layout table."
            )
    for path, problem in problems.items():
        name = relative(path, tree.path)
        reason = problem.removeprefix(str(path)).lstrip(",: ")
        if path in read and not lists_images(path, folders[path]):
            remarks.append(
                f"{name} has no column that is surely of labels, so the labels are not from it; if "
                "one is, call it label."
            )
        elif path in read:
            remarks.append(f"{name} has no labels that are used: {reason}.")
        elif mentions_images(path, folders[path] or path.parent):
            remarks.append(f"{name} names images of the data, but is not used: {reason}.")
    return remarks


def with_the_same_classes(labelled: Sequence[Labelled], reading: Reading) -> list[Labelled] | None:
    """Return images of a table with the labels of a reading that groups them in the same way.

    Returns
    -------
    list of (path, label, split) or None
        None if an image is not in the reading, or the classes are others. Their names may differ,
        as numbers in a table do from the names of folders.
    """
    known = {path: label for path, label, _ in reading.labelled}
    if not all(path in known for path, _, _ in labelled):
        return None
    pairs = {(label, known[path]) for path, label, _ in labelled}
    there, here = {label for label, _ in pairs}, {label for _, label in pairs}
    if not len(there) == len(here) == len(pairs):
        return None
    return [(path, known[path], split) for path, _, split in labelled]


def _usable_tables(tree: Folder, top: Folder) -> tuple[dict[Path, Table], dict[Path, str]]:
    """Return what the tables say about the images, and why others cannot be used.

    Texts, and tables in folders of their own, count only if there is no other.
    """
    candidates = _candidates(tree, top)
    images = set(top.all_images()) if candidates else set()
    tables: dict[Path, Table] = {}
    problems = {}
    first_choice = {path for path, folder in candidates if not _is_second_choice(path, folder)}
    for path, folder in candidates:
        if _is_second_choice(path, folder) and tables.keys() & first_choice:
            continue
        try:
            table = read_table(path, folder)
        except DataError as error:
            if path in first_choice or mentions_images(path, folder or path.parent):
                problems[path] = str(error)
            continue
        labelled = [image for image in table.labelled if image[0] in images]
        if labelled:
            tables[path] = dataclasses.replace(table, labelled=labelled)
    return tables, problems


def _candidates(tree: Folder, top: Folder) -> list[tuple[Path, Path | None]]:
    """Return the tables beside the images, and what their paths are relative to, if not to them."""
    beside = [tree, top] if top is not tree else [tree]
    own = [
        inner
        for folder in beside
        for inner in folder.folders
        if not inner.has_images and len(inner.others) <= _MOST_IN_A_FOLDER
    ]
    folders: list[tuple[Folder, Path | None]] = [(folder, None) for folder in beside]
    folders += [(f, None) for f in top.filled if is_flat(f) and split_of(f.name)]
    folders += [(folder, top.path) for folder in own]
    found = [
        (path, root)
        for folder, root in folders
        for path in folder.others
        if is_table(path) and not _NOT_LABELS.fullmatch(path.stem)
    ]
    return sorted(found, key=lambda pair: _is_second_choice(*pair))


def _is_second_choice(path: Path, folder: Path | None) -> bool:
    return folder is not None or path.suffix.lower() == ".txt"
