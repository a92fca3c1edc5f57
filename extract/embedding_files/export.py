"""Write the embeddings of a data set into one file, for other programs."""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, BinaryIO

from cache import disk
from extract.embedding_files.libraries import import_pyarrow
from extract.embedding_files.rows import EmbeddingRows
from extract.embedding_files.writers import write_csv, write_npz, write_parquet
from extract.errors import DataError
from toolkit.addresses import is_address
from toolkit.errors import did_you_mean
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extract.embedding_files.rows import Predictor
    from extract.prepare import Prepared

logger = logging.getLogger(__name__)

WRITERS: dict[str, Callable[[BinaryIO, EmbeddingRows, Progress], None]] = {
    ".parquet": write_parquet,
    ".npz": write_npz,
    ".csv": write_csv,
}
"""End of a file's name, in lower case -> what writes it."""


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Check that embeddings can be written to a file, before they are computed.

    Parameters
    ----------
    path : Path
    overwrite : bool, default=False
        Whether a file of that name may be replaced.

    Raises
    ------
    DataError
        If its format is not known, a package for it is not installed, or it exists.
    """
    if is_address(str(path).replace(":/", "://", 1)):  # of which a path has dropped a slash
        raise DataError(
            f"{path} is an address; write the embeddings to a file on this machine",
            setting="export",
        )
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise DataError(
            f"expected a file of embeddings with one of the suffixes {', '.join(WRITERS)}, found "
            f"{path}{did_you_mean(suffix, WRITERS)}",
            setting="export",
        )
    if suffix == ".parquet":
        import_pyarrow(path)
    for file in (path, about_file(path)) if suffix == ".csv" else (path,):
        if file.is_dir():
            raise DataError(f"{file} is a folder; name a file in it", setting="export")
        if not overwrite and os.path.lexists(file):
            raise DataError(
                f"{file} exists, and no file is overwritten; choose another name, or allow it",
                setting="force",
            )
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = "is not a folder" if not folder.is_dir() else "may not be written to"
        raise DataError(f"cannot write {path}: {folder} {what}; choose another", setting="export")


def export(
    prepared: Prepared,
    path: Path,
    *,
    predictor: Predictor | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> EmbeddingRows:
    """Write the embeddings of a data set to a file, with paths, labels, splits and groups.

    The rows are read from the cache a part at a time, so that memory does not grow with their
    number. The file gets its name when it is complete.

    Parameters
    ----------
    prepared : Prepared
        The data set, whose embeddings are in the cache.
    path : Path
        With one of the suffixes in `WRITERS`.
    predictor : Predictor, optional
        Adds the predicted class and the probabilities.
    overwrite : bool, default=False
        Whether a file of that name may be replaced.
    progress : Progress, optional
        Called while rows are predicted and written.

    Returns
    -------
    EmbeddingRows
        What was written.

    Raises
    ------
    DataError
        See `check_target`.
    CacheError
        If an embedding cannot be read, or the file cannot be written.
    """
    check_target(path, overwrite=overwrite)
    if predictor is not None:
        predictor.embed([item.path for item in prepared.dataset.items])
    rows = EmbeddingRows(prepared, predictor)
    suffix = path.suffix.lower()
    if suffix == ".npz" and rows.further:
        logger.warning(
            "%s has no further columns: %s are left out; a Parquet or CSV file has them",
            path.name, ", ".join(rows.further),
        )  # fmt: skip
    with (
        disk.attempt(f"write {path}", "make room or choose another file", setting="export"),
        disk.publishing(path) as file,
    ):
        WRITERS[suffix](file, rows, progress)
        check_target(path, overwrite=overwrite)  # somebody else may have made it meanwhile
        if suffix == ".csv":
            disk.publish(about_file(path), rows.about.to_json().encode("ascii"))
    return rows


def about_file(path: Path) -> Path:
    """Return the file beside a CSV file that has what its rows have in common.

    Examples
    --------
    >>> from pathlib import Path
    >>> about_file(Path("all.csv")).name
    'all.csv.json'
    """
    return path.with_name(f"{path.name}.json")


def open_predictor(run: Path, classifier: str | None = None, **settings: Any) -> Predictor:
    """Open a trained classifier of a run.

    This package does not import the one above it. It finds what opens a classifier as a plug-in:
    the entry point ``predictor`` of the group ``frozen_features``.

    Parameters
    ----------
    run : Path
        Folder of the run.
    classifier : str, optional
        Its name; None is the best one in validation.
    **settings
        See `classify.serving.file_predictor.open_predictor`.

    Raises
    ------
    DataError
        If the package `classify` is not installed.
    ToolkitError
        If the run or its model cannot be used.
    """
    (entry_point,) = entry_points(group="frozen_features", name="predictor") or (None,)
    if entry_point is None:
        raise DataError(
            "only an installed package classify can predict: run pip install . in the repository",
            setting="run",
        )
    predictor: Predictor = entry_point.load()(run, classifier, **settings)
    return predictor
