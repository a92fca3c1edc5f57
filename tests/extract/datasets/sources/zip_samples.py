"""Good zip files for tests."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TypeVar

P = TypeVar("P", Path, io.BytesIO)
GOOD = {"pets/cat/1.jpg": b"one", "pets/dog/2.jpg": b"two" * 50, "pets/dog/empty.txt": b""}


def make(path: P, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> P:
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
    return path
