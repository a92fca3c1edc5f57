"""Read whole image files, which may be anything."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from extract.errors import ImageError
from toolkit.addresses import is_remote, read_remote
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 256 * 2**20
"""A larger file is refused before it is read; no photograph has this size."""


def read_bytes(path: Path, at_most: int | None = None) -> bytes:
    """Read an image file.

    Parameters
    ----------
    path : pathlib.Path
        A file, or the address of one.
    at_most : int, default=None
        Of a file, only so many bytes are read. None is the whole file.

    Raises
    ------
    ImageError
        If it is not a regular file (reading a FIFO would block), is empty, is larger than
        `MAX_BYTES`, changes while it is read, or cannot be read.
    AddressError
        If it is an address and the server does not respond.
    """
    if is_remote(path):
        return _read_remote(path)
    try:
        # Before it is opened, because opening some devices has side effects.
        _check_status(path.stat())
        # O_NONBLOCK: opening a FIFO that has just replaced the file must not block.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            size = _check_status(os.fstat(file.fileno()))
            data = file.read(size + 1 if at_most is None else at_most)
    except OSError as error:
        reason = error.strerror or error
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            reason = f"a link to {str(path.readlink())!r}, which is not there"
        raise ImageError(f"cannot be read: {reason}") from error
    if len(data) != (size if at_most is None else min(size, at_most)):
        raise ImageError("its size changed while it was being read; run again")
    return data


def _read_remote(path: Path) -> bytes:
    try:
        data = read_remote(path, MAX_BYTES)
    except OSError as error:
        if isinstance(error, AddressError):
            raise
        gone = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if gone else error.strerror or error
        raise ImageError(f"cannot be read: {reason}") from error
    check_size(len(data))
    return data


def _check_status(status: os.stat_result) -> int:
    if stat.S_ISDIR(status.st_mode):
        raise ImageError("it is a folder; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not a regular file")
    check_size(status.st_size)
    return status.st_size


def check_size(size: int) -> None:
    """Check the number of bytes of a file.

    Raises
    ------
    ImageError
        If it is empty or larger than `MAX_BYTES`.
    """
    if size > MAX_BYTES:
        raise ImageError(f"larger than {MAX_BYTES // 2**20} MiB")
    if not size:
        raise ImageError("empty file")
