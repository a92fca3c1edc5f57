"""Archives in the folder of a run: read only if they are what was written, and hold no more."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from classify.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, expected: str | None) -> bytes:
    """Compare the SHA-256 of a file, block by block, and then read it into memory."""
    if path.exists() and not path.is_file():  # opening a FIFO would block
        raise ModelError("it is not a regular file")
    with path.open("rb") as file:
        if expected is not None and hashlib.file_digest(file, "sha256").hexdigest() != expected:
            raise ModelError(
                "it is not the file that the run has written: its SHA-256 should be "
                f"{expected}; take a complete copy of the run, or train again"
            )
        file.seek(0)
        return file.read()


def check(data: bytes) -> None:
    """Check that an archive holds no more than its own bytes: no compression, no false sizes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > len(data):
            raise ModelError("its members claim more bytes than the file has")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ModelError(f"{member.filename} is compressed, which no saved model is")
            if member.filename.endswith(".npy"):
                _check_array(archive, member)


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Check that an array has the size that its header claims, and holds no Python objects."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        expected = file.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or member.file_size != expected:
        raise ModelError(
            f"{member.filename} claims to be a {dtype} array of shape {shape}, which does not fit "
            f"its {member.file_size} bytes"
        )
