"""Immutable array files, each named by the SHA-256 of its bytes.

A shard is published by writing a temporary file, fsync, rename, and fsync of the folder. Its name
is there only when its bytes are, and a published shard is never written again.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from cache import disk
from cache.errors import CacheError, CorruptCacheError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Shards:
    """The folder of shards.

    Parameters
    ----------
    folder : Path
        Made when the first shard is published.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(self, rows: np.ndarray) -> tuple[str, int]:
        """Write `rows` as a shard that survives a power cut from the moment this returns.

        Parameters
        ----------
        rows : numpy.ndarray, shape (n_rows, ...)
            Any dtype without Python objects.

        Returns
        -------
        name : str
            SHA-256 of the file's bytes, 64 hexadecimal digits.
        n_bytes : int
            Size of the file.

        Raises
        ------
        CacheError
            If the disk does not take it. Nothing is left under the shard's name.
        """
        data = _npy(rows)
        name = hashlib.sha256(data).hexdigest()
        try:
            disk.publish(self.path(name), data)
        except OSError as error:
            raise CacheError(
                f"cannot write to the cache in {self.folder}: {error.strerror or error}; what was "
                "committed before is safe; mend that and run the same command again"
            ) from error
        return name, len(data)

    def ensure(self, name: str, rows: np.ndarray) -> None:
        """Publish a shard again if its file has been deleted in the meantime."""
        if not self.path(name).exists():
            self.publish(rows)

    def open(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Map a shard into memory, read-only.

        The header is held against what the index says of the shard; the rows are not read yet.

        Raises
        ------
        CorruptCacheError
            If the file is missing or is not an array of this shape and dtype.
        """
        path = self.path(name)
        try:
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise CorruptCacheError(f"shard {path} cannot be read: {error}") from error
        if array.shape != shape or array.dtype != np.dtype(dtype):
            raise CorruptCacheError(
                f"shard {path} holds {array.dtype} {array.shape}; expected {dtype} {shape}"
            )
        return array

    def intact(self, name: str) -> bool:
        """Read every byte of a shard and return whether they are the ones it is named by."""
        try:
            with self.path(name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == name
        except OSError:
            return False

    def names(self) -> Iterator[str]:
        """Yield the names of the shards in the folder, in the index or not."""
        for path in self.folder.glob("*.npy"):
            yield path.stem

    def temporaries(self) -> list[Path]:
        """Return the unfinished files that killed runs have left, and those being written now."""
        return list(self.folder.glob(f"{disk.TEMPORARY}*"))

    def delete(self, name: str) -> None:
        """Delete a shard, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return the file of the shard called `name`."""
        return self.folder / f"{name}.npy"


def _npy(rows: np.ndarray) -> memoryview:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(rows), allow_pickle=False)
    return buffer.getbuffer()
