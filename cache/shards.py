"""Immutable array files, each named by the SHA-256 of its bytes.

A shard is published by writing a temporary file, fsync, rename, and fsync of the folder. Its name
is there only when its bytes are, and a published shard is never written again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import math
from typing import TYPE_CHECKING

import numpy as np

from cache import disk
from cache.errors import CacheError, CorruptCacheError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cache.index import ShardEntry


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
        with disk.attempt(
            f"write to the cache in {self.folder}",
            "what was committed before is safe; mend that and run the same command again",
        ):
            disk.publish(self.path(name), data)
        return name, len(data)

    def ensure(self, name: str, rows: np.ndarray) -> None:
        """Publish a shard again if its file has been deleted in the meantime."""
        with disk.attempt(f"look for {self.path(name)}"):
            there = self.path(name).exists()
        if not there:
            self.publish(rows)

    def read(self, shard: ShardEntry, positions: Sequence[int]) -> np.ndarray:
        """Read some rows of a shard.

        Where they are follows from what the index says; the file's own header, which may lie, is
        not asked. Nor is the file mapped into memory: a mapped file that the disk cannot deliver,
        or that is cut off meanwhile, would end the process.

        Parameters
        ----------
        shard : ShardEntry
            What the index says of it.
        positions : sequence of int, length n
            Which rows, from 0 to ``shard.shape[0] - 1``.

        Returns
        -------
        numpy.ndarray, shape (n, ...)
            To be held against their checksums.

        Raises
        ------
        CorruptCacheError
            If the file is missing or too short.
        CacheError
            If the system does not let us read it.
        """
        path = self.path(shard.name)
        rows = np.empty((len(positions), *shard.shape[1:]), shard.dtype)
        n_bytes = rows.dtype.itemsize * math.prod(shard.shape[1:])
        start = shard.bytes - shard.shape[0] * n_bytes
        target = rows.reshape(-1).view(np.uint8).data
        try:
            with disk.attempt(f"read {path}"), path.open("rb") as file:
                for i, position in enumerate(positions):
                    file.seek(start + position * n_bytes)
                    if file.readinto(target[i * n_bytes : (i + 1) * n_bytes]) != n_bytes:
                        raise EOFError(f"it ends before row {position}")
        except (CacheError, EOFError) as error:
            reason = error.__cause__ or error
            if not (isinstance(error, EOFError) or _is_gone(reason)):
                raise
            raise CorruptCacheError(
                f"shard {path} cannot be read: {reason}; run python -m cache verify --repair, then "
                "the same command again"
            ) from error
        return rows

    def intact(self, name: str) -> bool:
        """Read every byte of a shard and return whether they are the ones it is named by.

        Raises
        ------
        CacheError
            If the system does not let us read it, which says nothing of its bytes.
        """
        try:
            with disk.attempt(f"read {self.path(name)}"):
                return disk.sha256(self.path(name)) == name
        except CacheError as error:
            if _is_gone(error.__cause__):
                return False
            raise

    def names(self) -> Iterator[str]:
        """Yield the names of the shards in the folder, in the index or not."""
        with disk.attempt(f"list {self.folder}"):
            yield from [path.stem for path in self.folder.glob("*.npy")]

    def temporaries(self) -> list[Path]:
        """Return the unfinished files that killed runs have left, and those being written now."""
        with disk.attempt(f"list {self.folder}"):
            return list(self.folder.glob(f"{disk.TEMPORARY}*"))

    def delete(self, name: str) -> None:
        """Delete a shard, if it is there.

        Raises
        ------
        CacheError
            If the system does not let us.
        """
        with disk.attempt(f"delete {self.path(name)}"):
            self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return the file of the shard called `name`."""
        return self.folder / f"{name}.npy"


def _is_gone(error: BaseException | None) -> bool:
    """Tell whether the bytes are lost, and not only out of reach for the moment."""
    return isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.EIO, errno.EISDIR)


def _npy(rows: np.ndarray) -> memoryview:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(rows), allow_pickle=False)
    return buffer.getbuffer()
