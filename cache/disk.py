"""How a file gets onto the disk: whole under its name, or not there at all.

Everything that the toolkit keeps is written through `publish`. The system calls are looked up in
this module, so that a test can stand between them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from cache.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".tmp-"
_SYNCS_AT_ONCE = 8


def publish(path: Path, data: bytes | memoryview) -> None:
    """Write a file that survives a power cut from the moment this returns.

    The bytes go into a temporary file beside it, which is fsynced and renamed; then the folder is
    fsynced. Until the rename nothing, or the file that was there before, is under the name.

    Parameters
    ----------
    path : Path
        Its folder is made if need be.
    data : bytes-like
        The whole content.

    Raises
    ------
    OSError
        If the disk does not take it; no temporary file is left.
    """
    make_folder(path.parent)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        write(temporary, data)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, that survive a power cut; nothing if it is there.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


@contextlib.contextmanager
def attempt(doing: str, then: str = "mend that and run the same command again") -> Iterator[None]:
    """Turn what the system refuses into a `CacheError` that says what was being done.

    >>> with attempt("read the list"):
    ...     raise OSError(5, "Input/output error")
    Traceback (most recent call last):
    cache.errors.CacheError: cannot read the list: Input/output error; mend that and run the same \
command again
    """
    try:
        yield
    except CacheError:
        raise
    except OSError as error:
        raise CacheError(f"cannot {doing}: {error.strerror or error}; {then}") from error


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a new file and fsync it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name == "nt":  # Windows cannot open a folder, and syncs names by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make everything below a folder, and its own names, survive a power cut.

    Many files are fsynced at once, because the file system then writes its journal once for many
    of them: 3,000 photographs take 0.3 s in place of 3 s.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    found = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        list(pool.map(_sync_file, found))
        list(pool.map(sync_folder, [Path(parent) for parent, _, _ in os.walk(folder)]))


def _sync_file(path: Path) -> None:
    # Windows flushes only files that are open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
