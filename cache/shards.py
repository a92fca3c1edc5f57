"""Immutable array files, each named after the SHA-256 of its bytes.

A shard is published by writing a temporary file, fsync, rename, and fsync of the folder. A file
with the name of a shard is therefore complete, and it is never written again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import math
from typing import TYPE_CHECKING

import numpy as np

from cache import disk
from cache.errors import REPAIR_HINT, CacheError, CorruptCacheError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cache.entries import ShardEntry


class Shards:
    """The folder of shards.

    Parameters
    ----------
    folder : Path
        Created when the first shard is published.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(self, rows: np.ndarray) -> tuple[str, int]:
        """Write `rows` as a shard; it survives a power cut from the moment this returns.

        Parameters
        ----------
        rows : numpy.ndarray, shape (n_rows, ...)
            Of any dtype without Python objects.

        Returns
        -------
        name : str
            SHA-256 of the bytes of the file, 64 hexadecimal digits.
        n_bytes : int
            Size of the file.

        Raises
        ------
        CacheError
            If the file cannot be written. No file has the name of the shard then.
        """
        data = _npy(rows)
        name = hashlib.sha256(data).hexdigest()
        with disk.attempt(
            f"write to the cache in {self.folder}",
            "what was committed before is safe; solve that and run the same command again",
        ):
            disk.publish(self.path(name), data)
        return name, len(data)

    def ensure(self, name: str, rows: np.ndarray) -> None:
        """Publish a shard again if its file has been deleted in the meantime."""
        with disk.attempt(f"look for {self.path(name)}"):
            exists = self.path(name).exists()
        if not exists:
            self.publish(rows)

    def read(self, shard: ShardEntry, positions: Sequence[int]) -> np.ndarray:
        """Read some rows of a shard.

        Their places in the file follow from the index; the header of the file is ignored, because
        it may be damaged. The file is not mapped into memory: if the disk fails, or the file is
        truncated meanwhile, that would kill the process.

        Parameters
        ----------
        shard : ShardEntry
            The shard as the index describes it.
        positions : sequence of int, length n
            The rows, from 0 to ``shard.shape[0] - 1``.

        Returns
        -------
        numpy.ndarray, shape (n, ...)
            The caller must compare them with their checksums.

        Raises
        ------
        CorruptCacheError
            If the file is missing or too short.
        CacheError
            If the file cannot be read for another reason.
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
                        raise EOFError(f"it ends before the end of row {position}")
        except (CacheError, EOFError) as error:
            reason = error.__cause__ or error
            if not (isinstance(error, EOFError) or _is_gone(reason)):
                raise
            raise CorruptCacheError(
                f"shard {path} cannot be read: {reason}; {REPAIR_HINT}"
            ) from error
        return rows

    def intact(self, name: str) -> bool:
        """Read a shard and tell whether its name is the SHA-256 of its bytes.

        Raises
        ------
        CacheError
            If the file cannot be read, so that it may be intact or not.
        """
        try:
            with disk.attempt(f"read {self.path(name)}"):
                return disk.sha256(self.path(name)) == name
        except CacheError as error:
            if _is_gone(error.__cause__):
                return False
            raise

    def names(self) -> Iterator[str]:
        """Yield the names of all shards in the folder, whether the index names them or not."""
        with disk.attempt(f"list {self.folder}"):
            yield from [path.stem for path in self.folder.glob("*.npy")]

    def temporaries(self) -> list[Path]:
        """Return the temporary files: of killed processes, and those being written now."""
        with disk.attempt(f"list {self.folder}"):
            return list(self.folder.glob(f"{disk.TEMPORARY}*"))

    def delete(self, name: str) -> None:
        """Delete a shard, if it exists.

        Raises
        ------
        CacheError
            If the file cannot be deleted.
        """
        with disk.attempt(f"delete {self.path(name)}"):
            self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return the file of the shard called `name`."""
        return self.folder / f"{name}.npy"


def _is_gone(error: BaseException | None) -> bool:
    """Tell whether the bytes are lost, and not merely out of reach."""
    return isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.EIO, errno.EISDIR)


def _npy(rows: np.ndarray) -> memoryview:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(rows), allow_pickle=False)
    return buffer.getbuffer()
