"""Read embeddings from NumPy's files: npz, or npy with a table beside it. Nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from extract.datasets.tables.columns import LABEL_NAMES, PATH_NAMES, SPLIT_NAMES, plain
from extract.datasets.tables.grid import as_text, is_table, read_grid
from extract.embedding_files.raw import (
    MAX_ROWS,
    RawRows,
    as_float32,
    choose_embeddings,
    conversion_remark,
    one_line,
    read_about,
    refuse_lengths,
    require_memory,
    require_plausible,
)
from extract.embedding_files.rows import as_utf8
from extract.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.embedding_files.about import About

_COLUMNS = {"splits": "split", "groups": "group"}
"""Names in the plural that no rule of tables knows -> names of columns."""
_OUR_COLUMNS = {**_COLUMNS, "paths": "path", "labels": "label"}
_OURS = ("embeddings", "paths", "labels", "splits", "groups")
_NAMED = {*PATH_NAMES, *LABEL_NAMES, *SPLIT_NAMES, "splits", "group", "groups"}


def read_npz(path: Path, wanted: str | None = None, limit: float = math.inf) -> RawRows:
    """Read the embeddings of a npz file, and its other arrays of one dimension as columns.

    Parameters
    ----------
    path : Path
    wanted : str, optional
        The array of the embeddings, with a row for each image. None takes the only one with several
        dimensions, or the one that is called so.
    limit : float
        Bytes that the embeddings may take in memory.

    Raises
    ------
    DataError
        If the file is damaged, an array holds Python objects or has another length, there are no
        embeddings, or they exceed the limit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _from_archive(path, archive, wanted, limit)
    except DataError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in zipfile and NumPy
        raise DataError(f"{path} cannot be read as a npz file: {one_line(error)}") from error


def _from_archive(
    path: Path, archive: zipfile.ZipFile, wanted: str | None, limit: float
) -> RawRows:
    members = {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }
    shapes: dict[str, tuple[int, ...]] = {}
    kinds: dict[str, str] = {}
    for name, info in members.items():
        with archive.open(info) as file:
            shapes[name], dtype = _header(f"{path}, array {name!r}", file, info.file_size)
        kinds[name] = dtype.kind
        require_plausible(path, info.file_size, info.compress_size)
    about = None
    if "recipe" in members and kinds["recipe"] == "u" and set(_OURS) <= set(members):
        about = read_about(path, _array(archive, members["recipe"]).tobytes())
        members = {name: members[name] for name in _OURS}
    tables = [name for name in members if len(shapes[name]) > 1 and kinds[name] in "fiu"]
    chosen = choose_embeddings(path, tables, wanted)
    if chosen is None:
        found = ", ".join(f"{name} {shapes[name]}" for name in members) or "none"
        raise DataError(
            f"{path}: expected an array of numbers of shape (n_images, n_features), found {found}"
        )
    require_memory(path, shapes[chosen], limit)
    n_rows = shapes[chosen][0]
    taken = [
        name for name in members
        if len(shapes[name]) == 1 and (shapes[name][0] == n_rows or plain(name) in _NAMED)
    ]  # fmt: skip
    refuse_lengths(path, {name: shapes[name][0] for name in (chosen, *taken)})
    of = _COLUMNS if about is None else _OUR_COLUMNS
    columns = {of.get(name, name): _texts(_array(archive, members[name])) for name in taken}
    if len(columns) < len(taken):
        raise DataError(f"{path} has splits or groups twice: {', '.join(taken)}; keep one of them")
    left_out = [name for name in members if name not in (chosen, *taken)]
    remarks = []
    if left_out:
        remarks.append(f"Arrays that are not used: {', '.join(left_out)}.")
    return _rows(path, _array(archive, members[chosen]), chosen, columns, about, remarks)


def read_npy(
    path: Path,
    wanted: str | None = None,  # noqa: ARG001 - as the others
    limit: float = math.inf,
) -> RawRows:
    """Read the embeddings of a npy file, and the table beside it with as many rows.

    The table has the same name but for its end, or is the only one in the folder.

    Raises
    ------
    DataError
        If the file is damaged, holds Python objects or exceeds the limit of memory, or there is no
        such table.
    """
    table = _table_beside(path)
    try:
        with path.open("rb") as file:
            shape, _ = _header(str(path), file, path.stat().st_size)
            require_memory(path, shape or (1,), limit)
            file.seek(0)
            values = np.lib.format.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path} cannot be read as a npy file: {one_line(error)}") from error
    grid = read_grid(table)
    n_rows = len(values) if values.ndim else 0
    refuse_lengths(path, {path.name: n_rows, f"{table.name} (below its header)": len(grid.rows)})
    columns = {name or f"column {i + 1}": grid.column(i) for i, name in enumerate(grid.header)}
    if len(columns) < len(grid.header):
        raise DataError(f"{table} has several columns of one name; rename them")
    remarks = [f"The rows are described by {table.name}.", *grid.remarks]
    return _rows(path, values, path.name, columns, None, remarks)


def _table_beside(path: Path) -> Path:
    tables = sorted(other for other in path.parent.iterdir() if is_table(other) and other.is_file())
    of_the_name = [table for table in tables if table.stem == path.stem]
    found = of_the_name or tables
    if len(found) != 1:
        listed = f", found {', '.join(table.name for table in found)}" if found else ""
        raise DataError(
            f"{path} has no paths and labels: expected one table with a row for each of its rows "
            f"beside it, as {path.stem}.csv{listed}"
        )
    return found[0]


def _header(what: str, file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array, after checking them, without reading its numbers.

    Raises
    ------
    DataError
        If it holds Python objects, or not as many bytes as it says.
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise DataError(f"{what}: its format {version} is for arrays with named fields")
    if dtype.hasobject or dtype.names is not None:
        raise DataError(
            f"{what} holds Python objects, which are not loaded because that can run code; save "
            "numbers as numbers, and text as text (dtype str)"
        )
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size - file.tell() != expected:
        raise DataError(
            f"{what} is damaged: expected {expected:,} bytes of numbers, found "
            f"{size - file.tell():,}"
        )
    return tuple(map(int, shape)), dtype


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return values


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "S":
        return [cell.decode("utf-8", "backslashreplace") for cell in values.tolist()]
    return [as_utf8(as_text(cell)) for cell in values.tolist()]


def _rows(
    path: Path,
    values: NDArray[Any],
    name: str,
    columns: dict[str, list[str]],
    about: About | None,
    remarks: list[str],
) -> RawRows:
    if values.ndim < 2 or not values.size or values.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: expected embeddings as numbers of shape (n_images, n_features), found "
            f"{values.dtype} of shape {values.shape}"
        )
    if len(values) > MAX_ROWS:
        raise DataError(f"{path} has {len(values):,} rows, more than {MAX_ROWS:,}")
    X = np.ascontiguousarray(as_float32(values).reshape(len(values), -1))
    shape = values.shape[1:]
    if about is not None:
        shape = tuple(about.shape)
        if int(np.prod(shape)) != X.shape[1]:
            raise DataError(
                f"{path}: expected embeddings of shape {shape} as in its metadata, found "
                f"{X.shape[1]:,} numbers each"
            )
    return RawRows(X, shape, name, columns, about, [*remarks, *conversion_remark(values.dtype)])
