"""Locks between processes: one at a time makes a thing, and what a running command reads stays."""

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
"""Where there are no locks, a lease older than this is taken for that of an ended command."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for any other process that holds it.

    The file is removed at the end. A file system without `flock` locks nothing.
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
                logger.info("waiting for another process that is making %s", path.stem)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                logger.debug("no locks in %s", path.parent)
            # The holder before us has removed the file: a third process may hold a newer one.
            if not _is_open_file(path, file.fileno()):
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # a file without its lock locks nothing
                    path.unlink(missing_ok=True)
            return


class Lease:
    """Says that a command is running on the cache since when, for as long as it lives.

    A lease is a file that its process holds a lock on; the system lets go of the lock when the
    process ends, however it ends.

    Parameters
    ----------
    folder : Path
        Where the leases of all commands on one cache lie; made if need be.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        disk.make_folder(folder)
        while True:
            self.path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
            file = self.path.open("x")
            # Until it is locked it looks like that of an ended process, and may be removed as such.
            if _try_lock(file.fileno()) is not False and _is_open_file(self.path, file.fileno()):
                break
            file.close()
        now = time.time()  # ours, as in the index: a file server's clock may be another
        os.utime(self.path, (now, now))
        self._release = weakref.finalize(self, _release, self.path, file, os.getpid())

    @staticmethod
    def oldest(folder: Path, besides: Lease | None = None) -> float | None:
        """Return when the longest-running command began, in seconds since 1970; None if none runs.

        The files of commands that have ended are removed.
        """
        begun = []
        for path in folder.glob("*"):
            if besides is not None and path == besides.path:
                continue
            try:
                with path.open() as file:
                    free, since = _try_lock(file.fileno()), os.fstat(file.fileno()).st_mtime
                    if free or (free is None and time.time() - since > _SECONDS_A_COMMAND_MAY_RUN):
                        path.unlink(missing_ok=True)
                    else:
                        begun.append(since)
            except FileNotFoundError:
                continue
        return min(begun, default=None)


def _release(path: Path, file: object, owner: int) -> None:  # noqa: ARG001 - kept open by it
    if os.getpid() == owner:  # a forked child has the lease, but not the say over it
        with contextlib.suppress(OSError):  # without its lock it is that of an ended command
            path.unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open file; return False if another process has, None where there are no locks."""
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
