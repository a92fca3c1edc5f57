"""The processes that decode images, as the system lists them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def children(of: int) -> set[int]:
    """Return the processes, zombies included, that a process has started and not waited for.

    They are told by their parent: the system's own lists of children are one per thread, and lack
    the children of a thread that ends while the lists are read.
    """
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and _fields(int(entry.name))[1] == str(of):
                found.add(int(entry.name))
    return found


def decoders(of: int) -> set[int]:
    """Return those of a process's children that decode images."""
    found = set()
    for pid in children(of):
        with contextlib.suppress(OSError):
            if b"extract.images.decoders" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def is_running(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    try:
        return _fields(pid)[0] != "Z"
    except OSError:
        return False


def ends(pid: int, seconds: float = 20) -> bool:
    """Wait for a process to end; return whether it has."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _fields(pid: int) -> list[str]:
    """Return what the system says of a process after its name: its state, its parent, and more."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
