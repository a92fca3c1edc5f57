"""Find out which images the rows of a file of embeddings are, with which labels and splits."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from extract.datasets.dataset import Dataset, Layout
from extract.datasets.further import FurtherColumns
from extract.datasets.grouping.columns import TAKEN_BY_ITSELF, with_columns
from extract.datasets.split_names import settle_splits
from extract.datasets.tables.columns import PATH_NAMES, plain, understand
from extract.datasets.tables.grid import Grid
from extract.datasets.tables.reading import check_splits, labelled_rows, split_in, split_word
from extract.errors import DataError
from toolkit.addresses import as_path, is_address, sort_key
from toolkit.errors import AddressError, did_you_mean
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from extract.datasets.tables.columns import Columns
    from extract.datasets.tables.reading import Labelled
    from extract.embedding_files.raw import RawRows
    from extract.options import DataSettings

ROLES = ("embedding", "path", "label", "split")
"""What a user may name the columns of."""
_SHOWN = 3
_ROWS_PER_CHECK = 4096


def understood(
    path: Path, raw: RawRows, wanted: Mapping[str, str], settings: DataSettings
) -> tuple[Dataset, list[int]]:
    """Return the data set that the rows of a file are, and the row of each of its items.

    Parameters
    ----------
    path : Path
        The file.
    raw : RawRows
    wanted : mapping of str to str
        Path, label or split -> the column that has it, as the user has named it.
    settings : DataSettings

    Returns
    -------
    dataset : Dataset
        Sorted by path, as all data sets are.
    rows : list of int, length n_images

    Raises
    ------
    DataError
        If it is not clear which column is which, a path appears twice, or embeddings of rows that
        are used are not finite.
    """
    given = dict(raw.columns)
    if raw.about is not None and raw.about.groups is None:
        given.pop(TAKEN_BY_ITSELF, None)  # it is empty
    header, remarks = _named(path, list(given), wanted), list(raw.remarks)
    columns = list(given.values())
    if raw.about is not None and raw.about.model is not None:
        remarks.append("What a model has predicted, in the same file, is not used.")
    root = path.absolute().parent if raw.about is None else _as_path(raw.about.root)
    if not _has_paths(header, columns, root):
        header, columns = ["path", *header], [_numbers(len(raw.X)), *columns]
        remarks.append("The file has no column of paths: its rows are called row-0 and so on.")
    cells = list(zip(*columns, strict=True))
    grid = Grid(header, [(row, list(values)) for row, values in enumerate(cells)])
    known = _columns(path, grid, root, is_settled=raw.about is not None or "path" in wanted)
    labelled, row_of, left_out = _labelled(path, raw, grid, known, root)
    items, passed_over, of_splits = settle_splits(labelled, settings.validation)
    items.sort(key=lambda item: sort_key(item.path))
    rows = [row_of[item.path] for item in items]
    _require_finite(path, raw.X, rows, [str(item.path.name) for item in items])
    layout = Layout(
        "embeddings",
        f"embeddings in {path.name}",
        {**left_out, **passed_over},
        (*remarks, *known.remarks, *of_splits),
    )
    further = FurtherColumns(
        path,
        {header[i]: i for i in known.unused},
        [(image, grid.rows[row][1]) for image, row in row_of.items()],
    )
    about = raw.about
    has_split = any(item.split == "test" for item in items)
    dataset = Dataset(
        path.name,
        root,
        tuple(items),
        split_origin=about.split if about is not None and has_split else "as given",
        layout=layout,
        columns=(further,),
    )
    dataset = with_columns(dataset, settings)
    if about is not None and about.groups and dataset.group_origin == f"column {TAKEN_BY_ITSELF}":
        dataset = dataclasses.replace(dataset, group_origin=about.groups)
    return dataset, rows


def _labelled(
    path: Path, raw: RawRows, grid: Grid, known: Columns, root: Path
) -> tuple[list[Labelled], dict[Path, int], dict[str, int]]:
    """Return the rows that have a label, the row of each image, and what is left out and why."""
    # What we have written is taken as it is: a class may be called "nan".
    kept, left_out = (
        labelled_rows(path, grid, known) if raw.about is None else (_exactly(grid, known), {})
    )
    with_zero = [row for row, name, _, _ in kept if "\0" in name]
    if with_zero:
        raise DataError(
            f"{path}: the path in row {with_zero[0]:,} has a zero character, which no file can have"
        )
    labelled: list[Labelled] = [
        (_item_path(root, name), label, split_in(path, row, known, split))
        for row, name, label, split in kept
    ]
    check_splits(path, labelled)
    row_of = {image: row for (row, *_), (image, *_) in zip(kept, labelled, strict=True)}
    _refuse_repeats(path, labelled, [row for row, *_ in kept])
    return labelled, row_of, left_out


def _columns(path: Path, grid: Grid, root: Path, *, is_settled: bool) -> Columns:
    """Find out what the columns mean; if it is settled, ``path`` has the paths."""
    try:
        return understand(
            path,
            grid,
            lambda cell: is_settled or _exists(root, cell),
            lambda name, cell: bool(split_word(name, cell)),
        )
    except DataError as error:
        raise DataError(str(error), setting="columns") from error


def _exactly(grid: Grid, columns: Columns) -> list[tuple[int, str, str, str]]:
    """Return row, name, label and split of every row."""
    split = columns.split
    return [
        (
            row,
            cells[columns.path],
            cells[columns.labels[0]],
            "" if split is None else cells[split],
        )
        for row, cells in grid.rows
    ]


def _named(path: Path, names: list[str], wanted: Mapping[str, str]) -> list[str]:
    """Return the names of columns, where those that the user has named are called by their role."""
    header = list(names)
    for role, name in wanted.items():
        fitting = [i for i, known in enumerate(names) if name in (known, plain(known))]
        if not fitting:
            raise DataError(
                f"{path} has no column {name!r} for the {role}; found {', '.join(names) or 'none'}"
                f"{did_you_mean(name, names)}",
                setting="columns",
            )
        for i, known in enumerate(header):
            if plain(known) == role and i != fitting[0]:
                header[i] = f"{known} (not the {role})"
        header[fitting[0]] = role
    return header


def _has_paths(header: Sequence[str], columns: Sequence[Sequence[str]], root: Path) -> bool:
    """Tell whether a column is called as one of images, or has names of some."""
    if any(plain(name) in PATH_NAMES for name in header):
        return True
    return any(
        any(_exists(root, cell) for cell in cells[:_ROWS_PER_CHECK:400]) for cells in columns
    )


def _numbers(n_rows: int) -> list[str]:
    width = len(str(n_rows - 1))
    return [f"row-{row:0{width}}" for row in range(n_rows)]


def _exists(root: Path, cell: str) -> bool:
    return is_address(cell) or (bool(cell.strip()) and is_file(root / cell))


def is_file(path: Path) -> bool:
    """Tell whether a file is there; no name is too long or otherwise impossible to ask."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _as_path(text: str) -> Path:
    """Return a path or an address; one that is malformed or cannot be read is only a name."""
    try:
        path = as_path(text)
        hash(path)  # which parses an address
    except (AddressError, ValueError):
        return Path(text)
    return path


def _item_path(root: Path, name: str) -> Path:
    return _as_path(name) if is_address(name) else root / name


def _refuse_repeats(path: Path, labelled: Sequence[Labelled], rows: Sequence[int]) -> None:
    numbers = Counter(image for image, _, _ in labelled)
    twice = [image for image, number in numbers.items() if number > 1]
    if twice:
        at = [f"{row:,}" for row, one in zip(rows, labelled, strict=True) if one[0] == twice[0]]
        more = f"; so {'is' if len(twice) == 2 else 'are'} {plural(len(twice) - 1, 'other path')}"
        raise DataError(
            f"{path}: expected each path once, but {twice[0].name} is in the rows "
            f"{' and '.join(at[:_SHOWN])}{more if twice[1:] else ''}; keep one row for each image"
        )


def _require_finite(
    path: Path, X: NDArray[np.float32], rows: Sequence[int], names: Sequence[str]
) -> None:
    """Check that all numbers of some rows are finite."""
    finite = np.concatenate(
        [
            np.isfinite(X[start : start + _ROWS_PER_CHECK]).all(axis=1)
            for start in range(0, len(X), _ROWS_PER_CHECK)
        ]
    )
    wrong = [(row, name) for row, name in zip(rows, names, strict=True) if not finite[row]]
    if wrong:
        shown = ", ".join(f"row {row:,} ({name})" for row, name in sorted(wrong)[:_SHOWN])
        more = f" and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise DataError(
            f"{path}: the embeddings of {len(wrong):,} of {plural(len(rows), 'row')} are not all "
            f"finite numbers of 32 bits: {shown}{more}; compute them again, or leave the rows out"
        )
