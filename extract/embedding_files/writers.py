"""Write rows of embeddings as Parquet, npz or CSV, a part at a time."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from extract.embedding_files.about import KEY
from extract.embedding_files.libraries import import_pyarrow
from toolkit.csv_cells import encode_text
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from extract.embedding_files.rows import EmbeddingRows

STAGE = "writing embeddings"
NPZ_TEXTS = {"paths": "path", "labels": "label", "splits": "split", "groups": "group"}
"""Key in a npz file -> column."""
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""Of the members of a npz file, so that equal rows give equal bytes."""


def write_parquet(file: BinaryIO, rows: EmbeddingRows, progress: Progress = silent) -> None:
    """Write a Parquet file: columns of text, and the embeddings as a list of fixed size.

    Parameters
    ----------
    file : file object
        Open for writing bytes.
    rows : EmbeddingRows
    progress : Progress
        Called with the stage "writing embeddings".

    Raises
    ------
    DataError
        If the extra ``tables`` is not installed.
    OSError
        If the file cannot be written.
    """
    pa, pq = import_pyarrow("a Parquet file")
    fields = [pa.field(name, pa.string()) for name in rows.columns]
    n_classes = 0 if rows.predictor is None else len(rows.predictor.classes)
    if rows.predictor is not None:
        fields.append(pa.field("predicted", pa.string()))
        fields.append(pa.field("probabilities", pa.list_(pa.float32(), n_classes)))
    fields.append(pa.field("embedding", pa.list_(pa.float32(), rows.n_features), nullable=False))
    schema = pa.schema(fields, metadata={KEY: rows.about.to_json()})
    texts = [field.name for field in fields if field.type == pa.string()]
    with pq.ParquetWriter(file, schema, use_dictionary=texts) as writer:
        for part in _with_progress(rows, progress):
            arrays = [pa.array(rows.texts(name, part), pa.string()) for name in rows.columns]
            if rows.predictor is not None:
                labels, probabilities = rows.predictions(part)
                arrays += [pa.array(labels, pa.string()), _fixed(pa, probabilities)]
            arrays.append(_fixed(pa, rows.embeddings(part)))
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _fixed(pa: Any, values: NDArray[np.float32]) -> Any:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def write_npz(file: BinaryIO, rows: EmbeddingRows, progress: Progress = silent) -> None:
    """Write a npz file, which `numpy.load` reads without pickle.

    Its arrays are `embeddings` (float32 ``(n, n_features)``), `paths`, `labels`, `splits` and
    `groups` (text ``(n,)``; no group is an empty text), `recipe` (the metadata: the bytes of a JSON
    object, uint8); and, if classes are predicted, `probabilities` (float32 ``(n, n_classes)``),
    `predicted` (text ``(n,)``) and `classes` (text ``(n_classes,)``).

    Parameters
    ----------
    file, rows, progress
        As for `write_parquet`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    n_rows = len(rows)
    with zipfile.ZipFile(file, "w") as archive:
        about = np.frombuffer(rows.about.to_json().encode("ascii"), np.uint8)
        _add(archive, "recipe", about.dtype, about.shape, [about])
        for key, column in NPZ_TEXTS.items():
            _add_texts(archive, key, n_rows, functools.partial(_cells, rows, column))
        shape = (n_rows, rows.n_features)
        parts = (rows.embeddings(part) for part in _with_progress(rows, progress))
        _add(archive, "embeddings", np.dtype(np.float32), shape, parts)
        if rows.predictor is None:
            return
        classes = rows.about.model["classes"]  # type: ignore[index]  # there is a predictor
        predicted: list[list[str | None]] = []

        def probabilities() -> Iterator[NDArray[np.float32]]:
            for part in rows.parts():
                labels, values = rows.predictions(part)
                predicted.append(labels)
                yield values

        shape = (n_rows, len(classes))
        _add(archive, "probabilities", np.dtype(np.float32), shape, probabilities())
        _add_texts(archive, "predicted", n_rows, lambda: predicted)
        _add_texts(archive, "classes", len(classes), lambda: [classes])


def _cells(rows: EmbeddingRows, column: str) -> Iterator[list[str | None]]:
    for part in rows.parts():
        yield rows.texts(column, part)


def _add_texts(
    archive: zipfile.ZipFile,
    key: str,
    n_rows: int,
    read: Callable[[], Iterable[list[str | None]]],
) -> None:
    """Add an array of text, whose parts are read twice: first for the longest one."""
    longest = max(len(cell or "") for cells in read() for cell in cells)
    dtype = np.dtype(f"<U{max(longest, 1)}")
    parts = (np.array([cell or "" for cell in cells], dtype) for cells in read())
    _add(archive, key, dtype, (n_rows,), parts)


def _add(
    archive: zipfile.ZipFile,
    key: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    parts: Iterable[NDArray[Any]],
) -> None:
    """Add an array that is given in parts."""
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    member = zipfile.ZipInfo(f"{key}.npy", _FIRST_DATE)
    with archive.open(member, "w", force_zip64=True) as out:
        np.lib.format.write_array_header_1_0(out, header)
        for part in parts:
            out.write(np.ascontiguousarray(part).data.cast("B"))


def write_csv(file: BinaryIO, rows: EmbeddingRows, progress: Progress = silent) -> None:
    """Write a CSV file; its cells are encoded as `toolkit.csv_cells` says.

    The columns ``embedding_0``, ``embedding_1``, ... have nine digits, from which float32 is read
    again without an error; those of the probabilities are called ``probability CLASS``.

    Parameters
    ----------
    file, rows, progress
        As for `write_parquet`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    classes = [] if rows.about.model is None else rows.about.model["classes"]
    header = [encode_text(name) for name in rows.columns]
    if classes:
        header += ["predicted", *(f"probability {encode_text(name)}" for name in classes)]
    header += [f"embedding_{i}" for i in range(rows.n_features)]
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for part in _with_progress(rows, progress):
        texts = [rows.texts(name, part) for name in rows.columns]
        numbers = rows.embeddings(part)
        if classes:
            predicted, probabilities = rows.predictions(part)
            texts.append(predicted)
            numbers = np.hstack([probabilities, numbers])
        for cells, values in zip(zip(*texts, strict=True), numbers, strict=True):
            writer.writerow(
                itertools.chain(
                    (encode_text(cell or "") for cell in cells),
                    ("" if value != value else f"{value:.9g}" for value in values.tolist()),
                )
            )
    text.flush()
    text.detach()


def _with_progress(rows: EmbeddingRows, progress: Progress) -> Iterator[slice]:
    for part in rows.parts():
        progress(STAGE, part.start, len(rows))
        yield part
    progress(STAGE, len(rows), len(rows))
