"""How a file gets onto the disk: whole under its name, or not there at all.

Everything that the toolkit keeps is written through `publish`. The system calls are looked up in
this module, so that a test can stand between them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEMPORARY = ".tmp-"


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
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent.parent)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        write(temporary, data)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a new file and fsync it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name == "nt":  # Windows cannot open a folder, and syncs names by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
