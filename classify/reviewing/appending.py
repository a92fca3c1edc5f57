"""A file that is locked as long as it is open, and that whole rows are appended to."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from cache.locks import try_lock
from classify.errors import ReviewError
from extract.datasets.decisions import without_incomplete_row

if TYPE_CHECKING:
    from pathlib import Path


class AppendedFile:
    """A file of rows that this process alone appends to; it is created if need be.

    Parameters
    ----------
    path : Path
        In an existing folder.

    Raises
    ------
    ReviewError
        If another process has locked it.
    OSError
        If it cannot be opened to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        while True:
            self._descriptor = os.open(path, flags, 0o666)
            is_locked = try_lock(self._descriptor)
            if is_locked is False:
                os.close(self._descriptor)
                raise ReviewError(
                    f"another process is reviewing this run and holds {path}; use its page, or "
                    "end it first"
                )
            if os.path.samestat(path.stat(), os.fstat(self._descriptor)):
                break
            os.close(self._descriptor)  # the previous holder has replaced the file
        self._status = self._status_now()

    @property
    def size(self) -> int:
        """Its number of bytes."""
        return os.fstat(self._descriptor).st_size

    @property
    def is_unchanged(self) -> bool:
        """Whether nobody else has replaced or changed the file."""
        try:
            is_this = os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False
        return is_this and self._status == self._status_now()

    def append(self, data: bytes) -> None:
        """Append bytes in one piece, and wait until they are on the disk.

        Raises
        ------
        OSError
            If that fails. As far as possible, nothing is appended then.
        """
        size = self.size
        try:
            if os.write(self._descriptor, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise
        self._status = self._status_now()

    def end_with_row(self, data: bytes) -> None:
        """Cut off an incomplete last row of the `data` in the file, or end a complete one."""
        complete = without_incomplete_row(data)
        if len(complete) < len(data):
            os.ftruncate(self._descriptor, len(complete))
        self.append(b"" if complete.endswith(b"\n") else b"\n")

    def close(self) -> None:
        """Close and unlock it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _status_now(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns
