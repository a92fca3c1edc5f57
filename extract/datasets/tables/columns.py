"""Find out which column of a table has the images, which the labels, and which the split."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from extract.datasets.tables.grid import Grid

PATH_NAMES = (
    "path", "paths", "filepath", "filepaths", "file_path", "image_path", "img_path", "imagepath",
    "full_path", "relative_path", "filename", "filenames", "file_name", "image_filename",
    "image_file", "image_name", "imagename", "img_name", "file", "files", "image", "images", "img",
    "picture", "photo", "datei", "dateiname", "dateipfad", "pfad", "bild", "bildname", "bilddatei",
    "fichier", "nom_fichier", "nom_du_fichier", "chemin", "archivo", "nombre_archivo", "fichero",
    "ruta", "imagen", "url", "image_url", "uri", "image_id", "imageid", "img_id", "file_id",
    "photo_id", "id", "uuid", "name",
)  # fmt: skip
"""Names of the column of the images, the clearest first; case, spaces and hyphens do not count."""
LABEL_NAMES = (
    "label", "labels", "class", "classes", "class_name", "classname", "class_label", "label_name",
    "labelname", "category", "categories", "category_name", "target", "targets", "target_name", "y",
    "klasse", "kategorie", "classe", "catégorie", "categorie", "étiquette", "etiquette", "clase",
    "categoría", "categoria", "etiqueta", "breed", "species", "diagnosis", "dx", "label_id",
    "class_id", "classid", "category_id",
    "class_index", "label_index",
)  # fmt: skip
SPLIT_NAMES = (
    "split", "set", "subset", "data_set", "dataset", "partition", "fold", "phase", "usage",
    "is_test", "is_train", "is_training", "is_valid", "is_val", "is_validation", "test", "train",
    "valid", "val",
)  # fmt: skip
_IS_A_NAME = re.compile(
    r"(.*_)?(group|patient|subject|participant|animal|specimen|individual|video|site)s?_?"
    r"(id|uid|nr|no|number)|group|patient|subject"
)
"""Names of columns that say who or what an image shows, not of which class it is."""
_MISSING = {"", "nan", "na", "n/a", "#n/a", "<na>", "null"}
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")
_INDEX = re.compile(r"|index|row|nr|no|#|level_0|unnamed:_\d+|column1").fullmatch
_ROWS_TO_TRY = 20


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean.

    Parameters
    ----------
    path : int
        The column of the images.
    labels : tuple of int
        The column of the labels, or several with one 1 in each row.
    split : int or None
        The column of the split.
    split_name : str
        Its name, as `plain` returns it.
    remarks : tuple of str
        What was guessed, one sentence each.
    unused : tuple of int
        The other columns.
    """

    path: int
    labels: tuple[int, ...]
    split: int | None
    split_name: str
    remarks: tuple[str, ...]
    unused: tuple[int, ...]


def is_missing(cell: str) -> bool:
    """Tell whether a cell is empty, or what programs write for a missing value."""
    return cell.strip().casefold() in _MISSING


def is_of_groups(name: str) -> bool:
    """Tell whether the name of a column says who or what an image shows, not of which class."""
    return _IS_A_NAME.fullmatch(plain(name)) is not None


def are_measurements(name: str, cells: Sequence[str]) -> bool:
    """Tell whether a column that is not called one of labels has numbers that do not count classes.

    Classes are numbered from 0 or 1 on.

    Examples
    --------
    >>> are_measurements("age", ["31", "54", "31"]), are_measurements("grade", ["0", "1", "2"])
    (True, False)
    """
    words = {cell.strip() for cell in cells if not is_missing(cell)}
    if is_called_label(name) or not all(map(_NUMBER.fullmatch, words)):
        return False
    numbers = {float(word.replace(",", ".")) for word in words}
    return all(numbers != set(range(first, first + len(numbers))) for first in (0, 1))


def is_called_label(name: str) -> bool:
    """Tell whether the name of a column says that it has labels."""
    return plain(name) in LABEL_NAMES


def is_known(name: str) -> bool:
    """Tell whether the name of a column says that it has images or labels."""
    return plain(name) in PATH_NAMES or is_called_label(name)


def understand(
    table: Path, grid: Grid, exists: Callable[[str], bool], is_split: Callable[[str, str], bool]
) -> Columns:
    """Find out what the columns of a table mean.

    Parameters
    ----------
    table : Path
        Its file, for messages.
    grid : Grid
        Its cells.
    exists : callable
        Tells whether a cell names an image.
    is_split : callable
        Tells whether a cell of a column of this name is a word for a split.

    Returns
    -------
    Columns
        The columns of the images, the labels and the split.

    Raises
    ------
    DataError
        If there is no column of images or of labels, or it is not clear which it is.
    """
    names = [plain(name) for name in grid.header]
    refuse_repeated_names(table, names)
    path = _path_column(grid, names, exists)
    if path is None:
        raise _unclear(table, grid, "none of them has names of images")
    split = _split_column(grid, names, path, is_split)
    rest = [i for i, name in enumerate(names) if i not in (path, split) and not _INDEX(name)]
    labels = _label_columns(table, grid, names, rest)
    used = {path, split, *labels}
    return Columns(
        path,
        labels,
        split,
        "" if split is None else names[split],
        _remarks(grid, names, path, labels, split),
        tuple(i for i in range(len(names)) if i not in used),
    )


def refuse_repeated_names(table: Path, names: Sequence[str]) -> None:
    """Raise an error if two columns have the same name, as `plain` returns it."""
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise DataError(f"{table} has several columns called {twice}; keep or rename one of them")


def plain(name: str) -> str:
    """Return the name of a column as it is in the lists of this module."""
    return re.sub(r"[\s\-.]+", "_", name.strip(" \"'").casefold())


def _unclear(table: Path, grid: Grid, reason: str) -> DataError:
    found = ",".join(grid.header) or "an empty file"
    return DataError(
        f"{table}: expected the columns path,label and optionally split, found {found}"
        f"{f': {reason}' if grid.header else ''}; call the columns path and label, in the first row"
    )


def _path_column(grid: Grid, names: list[str], exists: Callable[[str], bool]) -> int | None:
    """Return the first column by its name whose cells are images; else the only one that is."""
    named = [names.index(name) for name in PATH_NAMES if name in names]
    for column in named:
        if names_images(grid, column, exists):
            return column
    others = [i for i in range(len(names)) if names_images(grid, i, exists)]
    if len(others) == 1:
        return others[0]
    return named[0] if named else None


def path_column(table: Path, grid: Grid, exists: Callable[[str], bool]) -> int | None:
    """Return the column that names images that exist; None if there is none.

    Raises
    ------
    DataError
        If two columns have the same name.
    """
    names = [plain(name) for name in grid.header]
    refuse_repeated_names(table, names)
    column = _path_column(grid, names, exists)
    return column if column is not None and names_images(grid, column, exists) else None


def names_images(grid: Grid, column: int, exists: Callable[[str], bool]) -> bool:
    """Tell whether most of the first cells of a column are names of images."""
    cells = [cell for cell in grid.column(column) if not is_missing(cell)][:_ROWS_TO_TRY]
    return bool(cells) and sum(map(exists, cells)) * 2 > len(cells)


def _split_column(
    grid: Grid, names: list[str], path: int, is_split: Callable[[str, str], bool]
) -> int | None:
    """Return the column of the split; unless it is called that, all of its cells are splits."""
    for name in SPLIT_NAMES:
        if name in names and names.index(name) != path:
            column = names.index(name)
            cells = {cell for cell in grid.column(column) if not is_missing(cell)}
            if name == "split" or (cells and all(is_split(name, cell) for cell in cells)):
                return column
    return next((i for i in range(len(names)) if _has_splits(grid, names, i, path, is_split)), None)


def _has_splits(
    grid: Grid, names: list[str], column: int, path: int, is_split: Callable[[str, str], bool]
) -> bool:
    """Tell whether a column has nothing but several words for splits, whatever its name."""
    if column == path or names[column] in LABEL_NAMES:
        return False
    cells = {cell.strip().casefold() for cell in grid.column(column) if not is_missing(cell)}
    return len(cells) > 1 and all(is_split(names[column], cell) for cell in cells)


def _label_columns(table: Path, grid: Grid, names: list[str], rest: list[int]) -> tuple[int, ...]:
    for name in LABEL_NAMES:
        if name in names and names.index(name) in rest:
            return (names.index(name),)
    binary = [i for i in rest if _is_binary(grid.column(i))]
    sensible = [i for i in rest if i not in binary and _is_category(grid.column(i))]
    if len(rest) == 1 and _is_category(grid.column(rest[0]), at_least=1):
        return (rest[0],)
    if len(binary) == 1 and not sensible:
        return (binary[0],)
    if len(sensible) > 1:  # who it is, beside what it is
        sensible = [i for i in sensible if not is_of_groups(names[i])] or sensible
    if len(sensible) == 1 and len(binary) < 2:
        return (sensible[0],)
    if len(binary) > 1 and not sensible:
        _check_one_hot(table, grid, binary)
        return tuple(binary)
    listed = ", ".join(grid.header[i] for i in [*sensible, *binary])
    reason = f"any of {listed} may be the labels" if listed else "none of them has labels"
    raise _unclear(table, grid, reason)


def _is_binary(cells: Sequence[str]) -> bool:
    return {cell.strip() for cell in cells} <= {"0", "1", "0.0", "1.0"}


def _is_category(cells: Sequence[str], at_least: int = 2) -> bool:
    """Tell whether a column has few different words or whole numbers, as labels have."""
    words = Counter(cell.strip() for cell in cells if not is_missing(cell))
    fractions = sum(bool(re.fullmatch(r"-?\d+[.,]\d+", word)) for word in words)
    return at_least <= len(words) <= max(2, words.total() // 2) and fractions * 2 < len(words)


def _check_one_hot(table: Path, grid: Grid, columns: list[int]) -> None:
    wrong = [
        line for line, cells in grid.rows if sum(is_one(cells[column]) for column in columns) != 1
    ]
    if wrong:
        names = ", ".join(grid.header[i] for i in columns[:6]) + (", ..." if columns[6:] else "")
        more = f", also in {plural(len(wrong) - 1, 'other row')}" if wrong[1:] else ""
        raise DataError(
            f"{table}, line {wrong[0]}: expected exactly one 1 in the columns {names}, found "
            f"another number{more}; give the class of each image in a column called label"
        )


def is_one(cell: str) -> bool:
    """Tell whether a cell of several columns with zeros and ones is the one."""
    return cell.strip() in {"1", "1.0"}


def _remarks(
    grid: Grid, names: list[str], path: int, labels: tuple[int, ...], split: int | None
) -> tuple[str, ...]:
    taken = []
    if names[path] != "path":
        taken.append(f"images from {grid.header[path]!r}")
    if len(labels) > 1:
        taken.append(f"labels from the {len(labels)} columns with one 1 in each row")
    elif names[labels[0]] != "label":
        taken.append(f"labels from {grid.header[labels[0]]!r}")
    if split is not None and names[split] != "split":
        taken.append(f"the split from {grid.header[split]!r}")
    return (f"Columns: {', '.join(taken)}.",) if taken else ()
