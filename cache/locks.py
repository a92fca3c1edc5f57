"""Locks between processes: one process at a time makes a file, and files in use are kept."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
import time
import weakref
from typing import TYPE_CHECKING

from cache import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_SECONDS_A_COMMAND_MAY_RUN = 7 * 86400.0
"""Without locks, a lease older than this counts as that of a command that has ended."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; wait until no other process holds it.

    The file is deleted at the end. On a file system without `flock`, nothing is locked.

    Parameters
    ----------
    path : Path
        ``NAME.lock``; a note says that `NAME` is waited for.

    Raises
    ------
    CacheError
        If the file cannot be created.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    while True:
        with disk.attempt(f"lock {path}"):
            file = path.open("a")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info("waiting for another process that creates %s", path.stem)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                logger.debug("the file system of %s has no locks", path.parent)
            # The previous holder has deleted the file: a third process may hold a new one.
            if not _is_open_file(path, file.fileno()):
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # a file that nobody has locked is harmless
                    path.unlink(missing_ok=True)
            return


class Lease:
    """Shows other processes that a command is using the cache, and since when.

    A lease is a file that its process has locked. The system releases the lock when the process
    ends, however it ends.

    Parameters
    ----------
    folder : Path
        The folder for the leases of all commands on a cache; created if need be.

    Raises
    ------
    OSError
        If the file cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        disk.make_folder(folder)
        while True:
            self.path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
            file = self.path.open("x")
            # Until it is locked, another process may delete it as that of an ended process.
            if _try_lock(file.fileno()) is not False and _is_open_file(self.path, file.fileno()):
                break
            file.close()
        now = time.time()  # our clock, as in the index: that of a file server may differ
        os.utime(self.path, (now, now))
        self._release = weakref.finalize(self, _release, self.path, file, os.getpid())

    @staticmethod
    def oldest(folder: Path, exclude: Lease | None = None) -> float | None:
        """Return when the oldest running command started, in seconds since 1970; None if none runs.

        The leases of commands that have ended are deleted.
        """
        starts = []
        for path in folder.glob("*"):
            if exclude is not None and path == exclude.path:
                continue
            try:
                with path.open() as file:
                    free, start = _try_lock(file.fileno()), os.fstat(file.fileno()).st_mtime
                    if free or (free is None and time.time() - start > _SECONDS_A_COMMAND_MAY_RUN):
                        path.unlink(missing_ok=True)
                    else:
                        starts.append(start)
            except FileNotFoundError:
                continue
        return min(starts, default=None)


def _release(path: Path, file: object, owner: int) -> None:  # noqa: ARG001 - keeps the file open
    if os.getpid() == owner:  # not in a forked child, which has inherited the lease
        with contextlib.suppress(OSError):  # a lease without its lock is harmless
            path.unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open file; return False if another process has locked it, None without locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_open_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
