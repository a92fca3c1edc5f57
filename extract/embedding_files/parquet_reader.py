"""Read embeddings from a Parquet file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.datasets.tables.grid import as_text
from extract.embedding_files.about import KEY
from extract.embedding_files.libraries import import_pyarrow
from extract.embedding_files.raw import (
    MAX_ROWS,
    RawRows,
    as_float32,
    choose_embeddings,
    conversion_remark,
    numbered,
    one_line,
    read_about,
    require_memory,
    require_plausible,
)
from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS_PER_READ, _BYTES_READ = 4096, 2**20
_OF_PANDAS = "__index_level_0__"
OF_MODELS = ("predicted", "probabilities")
"""Columns of our own files that are no properties of the images."""


def read_parquet(path: Path, wanted: str | None = None, limit: float = math.inf) -> RawRows:
    """Read the embeddings of a Parquet file, and its other columns as text, each once.

    Parameters
    ----------
    path : Path
    wanted : str, optional
        The column of the embeddings: lists of as many numbers each; or the beginning of the names
        of numbered columns. None takes the only one, or the one that is called so.
    limit : float
        Bytes that the embeddings may take in memory.

    Raises
    ------
    DataError
        If the file is damaged, has no embeddings, has lists of different lengths, or exceeds the
        limit.
    """
    _, pq = import_pyarrow(path)
    try:
        # Otherwise whole columns are read ahead, which takes the memory of the embeddings again.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BYTES_READ) as file:
            return _read(path, file, wanted, limit)
    except DataError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in pyarrow
        raise DataError(f"{path} cannot be read as a Parquet file: {one_line(error)}") from error


def _read(path: Path, file: Any, wanted: str | None, limit: float) -> RawRows:
    n_rows = file.metadata.num_rows
    if not 0 < n_rows <= MAX_ROWS:
        raise DataError(f"{path}: expected 1 to {MAX_ROWS:,} rows, found {n_rows:,}")
    schema = file.schema_arrow
    metadata = (schema.metadata or {}).get(KEY.encode())
    about = None if metadata is None else read_about(path, metadata)
    kinds = {field.name: _kind(field.type) for field in schema if field.name != _OF_PANDAS}
    vectors = [name for name, kind in kinds.items() if kind == "vector"]
    cells = [name for name, kind in kinds.items() if kind in ("cell", "number")]
    numbers = numbered([name for name in cells if kinds[name] == "number"])
    candidates = vectors or [*numbers] if wanted is None else [*vectors, *numbers]
    chosen = choose_embeddings(path, candidates, wanted)
    if chosen is None:
        raise DataError(
            f"{path}: expected a column with a list of numbers for each image, found "
            f"{', '.join(schema.names) or 'no column'}"
        )
    columns = [chosen] if chosen in vectors else numbers[chosen]
    X, dtype = _embeddings(path, file, columns, limit, is_list=chosen in vectors)
    left = [name for name in cells if name not in columns]
    if about is not None:
        left = [name for name in left if name not in OF_MODELS]
    table = file.read(columns=left)
    texts = {name: [as_text(cell) for cell in table.column(name).to_pylist()] for name in left}
    unread = [name for name in kinds if name not in (*columns, *left)]
    shape: tuple[int, ...] = (X.shape[1],)
    if about is not None and chosen == "embedding":
        shape = tuple(about.shape)
        if int(np.prod(shape)) != X.shape[1]:
            raise DataError(
                f"{path}: expected embeddings of shape {shape} as in its metadata, found "
                f"{X.shape[1]:,} numbers each"
            )
    remarks = conversion_remark(dtype)
    if about is None and unread:
        remarks.append(
            f"Columns that are no text and no numbers are left out: {', '.join(unread)}."
        )
    return RawRows(X, shape, chosen, texts, about, remarks)


def _kind(type_: Any) -> str:
    """Tell whether a column holds lists of numbers, numbers, other cells, or something else."""
    import pyarrow.types as types

    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        value = type_.value_type
        return "vector" if types.is_floating(value) or types.is_integer(value) else "other"
    if types.is_nested(type_) or types.is_binary(type_) or types.is_large_binary(type_):
        return "other"
    if types.is_floating(type_) or types.is_integer(type_):
        return "number"
    return "cell"


def _embeddings(
    path: Path, file: Any, columns: Sequence[str], limit: float, *, is_list: bool
) -> tuple[NDArray[np.float32], object]:
    """Read one column of lists, or several of numbers, a part at a time into one array."""
    n_rows, X, start = file.metadata.num_rows, None, 0
    dtype: object = None
    for batch in file.iter_batches(batch_size=_ROWS_PER_READ, columns=list(columns)):
        if is_list:
            rows, dtype = _of_lists(path, batch.column(0), start, X)
        else:
            parts = [batch.column(name).to_numpy(zero_copy_only=False) for name in columns]
            rows, dtype = np.column_stack(parts), np.result_type(*parts)
        if X is None:
            n_bytes = n_rows * rows.shape[1] * np.dtype(np.float32).itemsize
            require_plausible(path, n_bytes, path.stat().st_size)
            require_memory(path, (n_rows, rows.shape[1]), limit)
            X = np.empty((n_rows, rows.shape[1]), np.float32)
        X[start : start + len(rows)] = as_float32(rows)
        start += len(rows)
    assert X is not None  # there are rows
    if start != n_rows:
        raise DataError(f"{path} is damaged: expected {n_rows:,} rows, found {start:,}")
    return X, dtype


def _of_lists(
    path: Path, column: Any, start: int, before: NDArray[np.float32] | None
) -> tuple[NDArray[Any], object]:
    """Return lists as rows, and the type of their numbers."""
    import pyarrow.compute as pc

    if column.null_count:
        missing = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        raise DataError(
            f"{path}: row {start + int(missing[0]):,} has no embedding"
            + (f", nor have {plural(len(missing) - 1, 'other row')}" if len(missing) > 1 else "")
            + "; leave such rows out"
        )
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    expected = int(lengths[0]) if before is None else before.shape[1]
    different = np.flatnonzero(lengths != expected)
    if len(different) or not expected:
        row = int(different[0]) if len(different) else 0
        raise DataError(
            f"{path}: expected embeddings of one length, found {plural(expected, 'number')} in row "
            f"0 and {plural(int(lengths[row]), 'number')} in row {start + row:,}"
        )
    values = column.flatten()
    flat = values.to_numpy(zero_copy_only=False)
    return flat.reshape(-1, expected), _numpy_name(values.type)


def _numpy_name(type_: Any) -> str:
    return {"halffloat": "float16", "float": "float32", "double": "float64"}.get(
        str(type_), str(type_)
    )
