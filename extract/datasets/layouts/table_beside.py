"""A table with the labels that lies beside the images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extract.datasets.layouts.readings import Labelled, Reading, is_flat
from extract.datasets.split_names import split_of
from extract.datasets.tables import read_table
from extract.errors import DataError
from toolkit.addresses import relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extract.datasets.folders.tree import Folder

_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".parquet"})
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
    for (_, found), word in zip(tables.items(), words, strict=True):
        labelled += [(p, label, word if len(tables) > 1 else split) for p, label, split in found]
    names = ", ".join(relative(path, tree.path) for path in tables)
    listed = {path for path, _, _ in labelled}
    unused: dict[str, list[Path]] = {}
    for path in top.all_images():
        if path not in listed:
            unused.setdefault(f"images that {names} does not list", []).append(path)
    return Reading("table", f"labels in {names}", top.path, labelled, unused)


def problems_of_tables(tree: Folder, top: Folder) -> list[str]:
    """Return why the tables beside the images cannot be used."""
    return _usable_tables(tree, top)[1]


def _usable_tables(tree: Folder, top: Folder) -> tuple[dict[Path, list[Labelled]], list[str]]:
    """Return what the tables say about the images, and why others cannot be used."""
    images = set(top.all_images())
    tables: dict[Path, list[Labelled]] = {}
    problems = []
    for path in _candidates(tree, top):
        try:
            items = read_table(path)
        except DataError as error:
            problems.append(str(error))
            continue
        labelled: list[Labelled] = [
            (item.path, item.label, item.split) for item in items if item.path in images
        ]
        if labelled:
            tables[path] = labelled
    return tables, problems


def _candidates(tree: Folder, top: Folder) -> Sequence[Path]:
    folders = [tree, top] if top is not tree else [tree]
    folders += [folder for folder in top.filled if is_flat(folder) and split_of(folder.name)]
    return [
        path
        for folder in folders
        for path in folder.others
        if path.suffix.lower() in _SUFFIXES and not _NOT_LABELS.fullmatch(path.stem)
    ]
