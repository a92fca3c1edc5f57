"""pyarrow, which reads and writes Parquet, imported only where it is needed."""

from __future__ import annotations

from typing import Any

from extract.errors import DataError


def import_pyarrow(file: object) -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.parquet`.

    Raises
    ------
    DataError
        If the extra ``tables`` is not installed; the message names `file` and the extra.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(
            f"{file}: Parquet files need a package: run pip install '.[tables]', or use a .npz file"
        ) from error
    return pa, pq
