"""Locks between processes: one process at a time makes a file, and files in use are kept."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
import weakref
from typing import TYPE_CHECKING

from cache import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

logger = logging.getLogger(__name__)

_SECONDS_A_COMMAND_MAY_RUN = 7 * 86400.0
"""Without locks, a lease older than this counts as that of a command that has ended."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; wait until no other process holds it.

    The file is deleted at the end. On a system or a file system without locks,
    nothing is locked.

    Parameters
    ----------
    path : Path
        ``NAME.lock``; a note says that `NAME` is waited for.

    Raises
    ------
    CacheError
        If the file cannot be created.
    """
    while True:
        with disk.attempt(f"lock {path}"):
            file = path.open("a")
        with file:
            _wait_for(path, file.fileno())
            # The previous holder has deleted the file: a third process may hold a new one.
            if not _is_open_file(path, file.fileno()):
                continue
            try:
                yield
            finally:
                is_deleted = _delete(path)
        if not is_deleted:  # Windows deletes no open file, also not that of the next holder
            _delete(path)
        return


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` if no other command holds it; yield whether it is held.

    The file is deleted at the end. On a system or a file system without locks, whoever creates the
    file holds it, and a command that was killed leaves it behind.

    Parameters
    ----------
    path : Path
        In an existing folder.

    Raises
    ------
    CacheError
        If the file cannot be created.
    """
    while True:
        with disk.attempt(f"lock {path}"):
            try:
                file, is_new = path.open("x"), True
            except FileExistsError:
                file, is_new = path.open("a"), False
        locked_now = try_lock(file.fileno())
        # The previous holder has deleted the file: a third process may hold a new one.
        if locked_now and not _is_open_file(path, file.fileno()):
            file.close()
            continue
        break
    is_held = is_new if locked_now is None else locked_now
    with file:
        try:
            yield is_held
        finally:
            is_deleted = not is_held or _delete(path)
    if not is_deleted:  # Windows deletes no open file
        _delete(path)


def _wait_for(path: Path, descriptor: int) -> None:
    from filelock import lock_descriptor

    try:
        if not lock_descriptor(descriptor, blocking=False):
            logger.info("waiting for another process that creates %s", path.stem)
            lock_descriptor(descriptor)
    except (OSError, NotImplementedError):
        logger.debug("the file system of %s has no locks", path.parent)


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
            if try_lock(file.fileno()) is not False and _is_open_file(self.path, file.fileno()):
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
                    free, start = try_lock(file.fileno()), os.fstat(file.fileno()).st_mtime
                    has_ended = free or (
                        free is None and time.time() - start > _SECONDS_A_COMMAND_MAY_RUN
                    )
                    # While it is locked, so that no process can take it in between.
                    is_deleted = bool(has_ended) and _delete(path)
            except FileNotFoundError:
                continue
            if not has_ended:
                starts.append(start)
            elif not is_deleted:
                _delete(path)
        return min(starts, default=None)


def _release(path: Path, file: IO[str], owner: int) -> None:
    if os.getpid() == owner and not _delete(path):  # not in a forked child, which has inherited it
        file.close()
        _delete(path)


def _delete(path: Path) -> bool:
    """Delete a lock file; return False if it is still there, which is harmless."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file; return False if another process has locked it, None without locks."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(descriptor, blocking=False)
    except (OSError, NotImplementedError):
        return None


def _is_open_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
