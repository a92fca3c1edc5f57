"""What every reader of a file of embeddings returns, and what it checks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.embedding_files.about import About
from extract.errors import DataError
from toolkit.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

EMBEDDING_NAMES = (
    "embedding", "embeddings", "features", "feature", "vector", "vectors", "emb", "embs", "x",
)  # fmt: skip
"""Names of the column or array of the embeddings, the clearest first; case does not count."""
MAX_ROWS = 10_000_000
_LARGE = 2**30
_MOST_COMPRESSED = 200
"""Real embeddings are compressed to a tenth at most, where many numbers are zero."""


@dataclass(frozen=True)
class RawRows:
    """The rows of a file of embeddings as it has them.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_features)
    shape : tuple of int
        Of one embedding.
    name : str
        Of the column or array that has the embeddings.
    columns : dict of str to list of str
        The other columns, as text; a missing value is an empty one.
    about : About or None
        The metadata, if `extract` has written the file.
    remarks : list of str
        What was decided or left out, one sentence each.
    """

    X: NDArray[np.float32]
    shape: tuple[int, ...]
    name: str
    columns: dict[str, list[str]]
    about: About | None = None
    remarks: list[str] = field(default_factory=list)


def choose_embeddings(path: Path, names: Sequence[str], wanted: str | None) -> str | None:
    """Return which of several columns or arrays has the embeddings; None if there is none.

    Parameters
    ----------
    path : Path
        The file, for messages.
    names : sequence of str
        Those that may have.
    wanted : str or None
        What the user has named.

    Raises
    ------
    DataError
        If it is not clear, or the one that is wanted is not among them.

    Examples
    --------
    >>> from pathlib import Path
    >>> choose_embeddings(Path("clip.npz"), ["tokens", "Features"], None)
    'Features'
    """
    if wanted is not None:
        if wanted not in names:
            listed = ", ".join(names) + did_you_mean(wanted, names)
            found = f"found {listed}" if names else "found none"
            raise DataError(
                f"{path}: {wanted!r} does not have the embeddings: expected lists of numbers, one "
                f"for each image; {found}",
                setting="columns",
            )
        return wanted
    plain = {name.casefold().rstrip("_-. "): name for name in reversed(names)}
    for known in EMBEDDING_NAMES:
        if known in plain:
            return plain[known]
    if len(names) > 1:
        raise DataError(
            f"{path}: any of {', '.join(names)} may be the embeddings; say which",
            setting="columns",
        )
    return next(iter(names), None)


def numbered(names: Sequence[str]) -> dict[str, list[str]]:
    """Return columns that are numbered through, as ``emb_0``, ``emb_1``, ..., by their beginning.

    Examples
    --------
    >>> numbered(["id", "emb_1", "emb_0", "dim3"])
    {'emb_': ['emb_0', 'emb_1']}
    """
    found: dict[str, dict[int, str]] = {}
    for name in names:
        match = re.fullmatch(r"(.*?)(\d{1,6})", name, re.DOTALL)
        if match:
            found.setdefault(match[1], {})[int(match[2])] = name
    return {
        prefix: [columns[i] for i in sorted(columns)]
        for prefix, columns in found.items()
        if len(columns) > 1 and min(columns) < 2 and max(columns) - min(columns) == len(columns) - 1
    }


def as_float32(values: Any) -> NDArray[np.float32]:
    """Return real numbers as float32; one that is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)


def conversion_remark(dtype: object) -> list[str]:
    """Say that embeddings were converted, if they were."""
    name = str(dtype)
    if name in ("float32", "float", "<f4"):
        return []
    return [f"The embeddings are {name} and were converted to float32."]


def require_plausible(path: Path, n_bytes: int, size: int) -> None:
    """Check that a small file does not claim to hold a very large array.

    Parameters
    ----------
    path : Path
    n_bytes : int
        Of the array in memory.
    size : int
        Of it in the file.

    Raises
    ------
    DataError
        If it is compressed more than real embeddings can be.
    """
    if n_bytes > _LARGE and n_bytes > _MOST_COMPRESSED * size:
        raise DataError(
            f"{path} takes {size / 2**20:,.1f} MiB and would take {n_bytes / 2**30:,.1f} GiB in "
            "memory, more than embeddings can be compressed; save it without compression"
        )


def require_memory(path: Path, shape: tuple[int, ...], limit: float) -> None:
    """Check that embeddings of this shape take no more memory than they may, in float32.

    Raises
    ------
    DataError
        If they take more.
    """
    n_bytes = int(np.prod(shape, dtype=object)) * np.dtype(np.float32).itemsize
    if n_bytes > limit:
        raise DataError(
            f"{path}: the embeddings ({shape[0]:,} rows) take {n_bytes / 2**30:,.2f} GiB, more "
            f"than the memory limit of {limit / 2**30:,.2f} GiB, and are read as a whole; write a "
            "file with fewer rows or shorter embeddings",
            setting="memory_limit",
        )


def refuse_lengths(path: Path, lengths: Mapping[str, int]) -> None:
    """Raise an error if columns have different numbers of rows."""
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {number:,}" for name, number in lengths.items())
        raise DataError(f"{path}: expected as many rows of everything, found {found}")


def read_about(path: Path, text: bytes) -> About:
    """Return the metadata of one of our files.

    Raises
    ------
    DataError
        If they are damaged; the message names the file.
    """
    try:
        return About.from_json(text)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def one_line(error: Exception) -> str:
    """Return the message of an error in one line, or its kind if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
