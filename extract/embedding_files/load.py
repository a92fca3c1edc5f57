"""`load_embeddings`: embeddings that were computed elsewhere, with the data set of their rows."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import disk
from cache.location import cache_folder
from cache.store import Store
from extract.datasets.load import check_settings, settled
from extract.embedding_files.arrays_reader import read_npy, read_npz
from extract.embedding_files.parquet_reader import read_parquet
from extract.embedding_files.understanding import ROLES, is_file, understood
from extract.errors import DataError
from extract.options import DataSettings
from toolkit.addresses import is_remote
from toolkit.progress import Progress, silent
from toolkit.wording import plural, set_to

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from extract.datasets.corrections import Files
    from extract.datasets.dataset import Dataset
    from extract.embedding_files.about import About
    from extract.embedding_files.raw import RawRows

_READERS: dict[bytes, Callable[[Path, str | None, float], RawRows]] = {
    b"PAR1": read_parquet,
    b"PK\x03\x04": read_npz,
    b"\x93NUM": read_npy,
}
"""First bytes of a file -> what reads it: names of files are often wrong."""
_PATHS_TO_TRY = 20


@dataclass(frozen=True)
class Source:
    """Where embeddings come from.

    Parameters
    ----------
    file : str
        Name of the file.
    sha256 : str
        Of its bytes, 64 hexadecimal digits.
    column : str
        The column or array that has them.
    shape : tuple of int
        Of one embedding.
    about : About or None
        The metadata, if `extract` has written the file.
    """

    file: str
    sha256: str
    column: str
    shape: tuple[int, ...]
    about: About | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return this for a record, with the recipe if it is known."""
        fields: dict[str, Any] = {
            "embeddings": f"given in {self.file}",
            "sha256": self.sha256,
            "column": self.column,
            "shape": list(self.shape),
        }
        if self.about is not None:
            fields["computed_by"] = self.about.recipe
            fields["recipe_fingerprint"] = self.about.fingerprint
        return fields


@dataclass(frozen=True, repr=False)
class Embeddings:
    """Embeddings with the data set that their rows are; `load_embeddings` returns them.

    Parameters
    ----------
    dataset : Dataset
        One item for each row. They have no split if the file has none.
    X : ndarray of float32, shape (n_images, n_features)
        In the order of the items.
    source : Source
    """

    dataset: Dataset
    X: NDArray[np.float32]
    source: Source

    def __repr__(self) -> str:
        numbers = plural(self.X.shape[1], "number")
        return f"<Embeddings of {self.source.file}: {plural(len(self.X), 'image')}, {numbers} each>"

    @property
    def has_images(self) -> bool:
        """Whether the images are where the file says, on this machine."""
        paths = [item.path for item in self.dataset.items[:_PATHS_TO_TRY]]
        return not any(map(is_remote, paths)) and all(map(is_file, paths))

    def in_shape(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some embeddings as height, width and channels, if that is known.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)

        Returns
        -------
        ndarray of float32, shape (n, height, width, channels) or (n, n_features)
            The shape is known of the files that `extract` has written; of others, which axis has
            the channels is not.
        """
        shape = self.source.shape if self.source.about is not None else (self.X.shape[1],)
        return self.X[rows].reshape(len(rows), *shape)

    def digests(self) -> dict[Path, str]:
        """Return the SHA-256 of the bytes of every embedding."""
        return {
            item.path: hashlib.sha256(row.tobytes()).hexdigest()
            for item, row in zip(self.dataset.items, self.X, strict=True)
        }

    def with_split(self, test_size: float, seed: int) -> Embeddings:
        """Return them with the split that the file has, or else one that is drawn.

        It is drawn as for images, by the bytes of each embedding or by the names of groups, so that
        two equal embeddings are always in the same split.

        Parameters
        ----------
        test_size : float
            Share of every class that becomes the test split.
        seed : int
        """
        if self.dataset.has_split:
            return self
        drawn = self.dataset.with_hashed_split([*self.digests().values()], test_size, seed)
        return dataclasses.replace(self, dataset=drawn)


def load_embeddings(
    file: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    labels: Files | None = None,
    settings: DataSettings = DataSettings(),
    memory_limit: float = math.inf,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    advise: Callable[[str, str], str] = set_to,
) -> Embeddings:
    """Load embeddings that were computed elsewhere, with the labels of their images.

    Parameters
    ----------
    file : str or path
        - ``.parquet``: a column with a list of numbers for each image (or numbered columns of
          numbers), and columns for path, label and, optionally, split and group.
        - ``.npz``: an array of shape (n_images, n_features), and arrays of text for the others.
        - ``.npy``: such an array, with a table (.csv, .tsv, .xlsx, .parquet) of the same name
          beside it, which has a row for each image.
    columns : dict of str to str, optional
        Which columns or arrays have the ``embedding``, ``path``, ``label`` and ``split``, where
        their names do not tell. The names that a table of images may have are known.
    labels : str, path or sequence of these, optional
        A table with path and label, whose labels replace those of the file; or several.
    settings : DataSettings, optional
        What becomes of a validation split, which classes are large enough, and where the groups
        are; a column ``group`` is taken by itself.
    memory_limit : float, optional
        Bytes that the embeddings may take, which are read as a whole.
    cache : str or path, optional
        The cache folder.
    progress : Progress, optional
        Called while files are read.
    advise : callable, optional
        See `extract.datasets.load.load_unsplit`.

    Returns
    -------
    Embeddings

    Raises
    ------
    DataError
        If the file cannot be read, embeddings are not finite or of different lengths, or it is not
        clear which column is which.

    Notes
    -----
    Nothing is unpickled. Paths are relative to the folder that the file's metadata name, or else to
    the file; no image needs to be there.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> labels = ["cat", "dog"] * 3
    >>> np.savez(folder / "clip.npz", embeddings=np.eye(6), labels=labels)
    >>> load_embeddings(folder / "clip.npz", cache=folder / "cache")
    <Embeddings of clip.npz: 6 images, 6 numbers each>
    """
    path = Path(file)
    wanted = dict(columns or {})
    unknown = [role for role in wanted if role not in ROLES]
    if unknown:
        raise DataError(
            f"expected columns for {', '.join(ROLES)}, found {unknown[0]!r}", setting="columns"
        )
    check_settings(settings)
    raw = _read(path, wanted.pop("embedding", None), memory_limit)
    dataset, rows = understood(path, raw, wanted, settings)
    row_of = {item.path: row for item, row in zip(dataset.items, rows, strict=True)}
    dataset = settled(
        dataset,
        Store(cache_folder(cache)),
        labels=labels,
        settings=settings,
        progress=progress,
        advise=advise,
    )
    order = np.array([row_of[item.path] for item in dataset.items])
    in_order = len(order) == len(raw.X) and bool((order == np.arange(len(order))).all())
    return Embeddings(
        dataset,
        raw.X if in_order else raw.X[order],
        Source(path.name, disk.sha256(path), raw.name, raw.shape, raw.about),
    )


def _read(path: Path, wanted: str | None, limit: float) -> RawRows:
    """Read a file by what it begins with."""
    try:
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        reason = error.strerror or error
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file; check the name"
        raise DataError(f"{path} cannot be read: {reason}", setting="embeddings") from error
    if begins not in _READERS:
        csv = " Of a CSV file of ours, export a .parquet or .npz file." if _is_csv(path) else ""
        raise DataError(
            f"{path} is neither a Parquet nor a npz nor a npy file, and nothing else is read as "
            f"embeddings (a .pt or .pkl file could run code): save it as one of these.{csv}",
            setting="embeddings",
        )
    return _READERS[begins](path, wanted, limit)


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".txt")
