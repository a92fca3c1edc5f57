"""A table with the labels that lies beside the images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extract.datasets.layouts.readings import Labelled, Reading, is_flat
from extract.datasets.split_names import split_of
from extract.datasets.tables import Table, is_table, read_table
from extract.errors import DataError
from toolkit.addresses import relative
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extract.datasets.folders.tree import Folder

_NOT_LABELS = re.compile(r"(sample[-_ ]?)?submission.*|.*[-_ ]submission", re.IGNORECASE)


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
        remarks=[remark for table in tables.values() for remark in table.all_remarks()],
        tables=tuple(tables),
    )


def problems_of_tables(tree: Folder, top: Folder) -> dict[Path, str]:
    """Return the tables beside the images that cannot be used, and why."""
    return _usable_tables(tree, top)[1]


def _usable_tables(tree: Folder, top: Folder) -> tuple[dict[Path, Table], dict[Path, str]]:
    """Return what the tables say about the images, and why others cannot be used."""
    candidates = _candidates(tree, top)
    images = set(top.all_images()) if candidates else set()
    tables: dict[Path, Table] = {}
    problems = {}
    for path in candidates:
        try:
            table = read_table(path)
        except DataError as error:
            problems[path] = str(error)
            continue
        labelled = [image for image in table.labelled if image[0] in images]
        if labelled:
            tables[path] = Table(labelled, table.passed_over, table.remarks)
    return tables, problems


def _candidates(tree: Folder, top: Folder) -> Sequence[Path]:
    folders = [tree, top] if top is not tree else [tree]
    folders += [folder for folder in top.filled if is_flat(folder) and split_of(folder.name)]
    return [
        path
        for folder in folders
        for path in folder.others
        if is_table(path) and path.suffix.lower() != ".txt" and not _NOT_LABELS.fullmatch(path.stem)
    ]
