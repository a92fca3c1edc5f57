"""Tar files for tests: good ones, and hostile ones by what is wrong with them."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRIES: dict[str, tuple[str, bytes, dict[str, object]]] = {
    "parent": ("../evil.jpg", b"1", {}),
    "absolute": ("/etc/evil.jpg", b"1", {}),
    "drive": ("c:\\evil.jpg", b"1", {}),
    "backslashes": ("pets\\..\\..\\evil.jpg", b"1", {}),
    "new line": ("pets/new\nline.jpg", b"1", {}),
    "nested": ("pets/in.tar.gz", b"1", {}),
    "link": ("pets/l.jpg", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
    "hard link": ("pets/l.jpg", b"", {"type": tarfile.LNKTYPE, "linkname": "pets/cat/1.jpg"}),
    "FIFO": ("pets/f.jpg", b"", {"type": tarfile.FIFOTYPE}),
    "device": ("pets/d.jpg", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}),
    "block device": ("pets/b.jpg", b"", {"type": tarfile.BLKTYPE}),
    "unknown type": ("pets/o.jpg", b"", {"type": b"Z"}),
    "repeated": ("pets/cat/1.jpg", b"2", {}),
    "other case": ("pets/CAT/1.jpg", b"2", {}),
    "file and folder": ("pets/cat", b"2", {}),
    "sparse": ("s.jpg", b"", {"pax_headers": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}}),
    "negative size": ("n.jpg", b"1", {"pax_headers": {"size": "-1024"}}),
    "size beyond the file": ("n.jpg", b"1", {"pax_headers": {"size": "99999999999999"}}),
    "endless name": ("x" * 5_000_000, b"1", {}),
}


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Return one entry with these fields of `tarfile.TarInfo`."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def made(*entries: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as opened:
        for info, content in entries:
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def with_files(files: dict[str, bytes], *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar file of good files and more entries."""
    return made(*(entry(name, content) for name, content in files.items()), *more)


def good_kinds(files: dict[str, bytes]) -> list[bytes]:
    """Return the same files as every kind of tar file that is read."""
    data = with_files(files)
    return [data, gzip.compress(data), bz2.compress(data)]


def hostile(files: dict[str, bytes]) -> dict[str, Callable[[], bytes]]:
    """Return good files with one bad entry, as they are and compressed; bombs; and cut files."""

    def with_entry(name: str, packed: Callable[[bytes], bytes]) -> bytes:
        path, content, fields = ENTRIES[name]
        return packed(with_files(files, entry(path, content, **fields)))

    bomb = entry("bomb.jpg", bytes(10_000_000))
    found: dict[str, Callable[[], bytes]] = {
        "a tar bomb": lambda: gzip.compress(with_files(files, bomb)),
        "a tar bomb of bzip2": lambda: bz2.compress(with_files(files, bomb)),
        "a tar file of nothing": lambda: made(),
        "two tar files": lambda: with_files(files) + with_files(files),
    }
    for name in ENTRIES:
        found[f"tar, {name}"] = partial(with_entry, name, bytes)
        found[f"tar.gz, {name}"] = partial(with_entry, name, gzip.compress)
    data = with_files(files)
    last = data.rindex(list(files.values())[-1])
    for length in range(512, last, 512):
        found[f"tar, cut at {length}"] = partial(data.__getitem__, slice(length))
    return found


def contents(data: bytes) -> dict[str, bytes]:
    """Return the files as Python's tarfile reads them."""
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        files = [member for member in opened if member.isreg()]
        return {member.name: opened.extractfile(member).read() for member in files}  # type: ignore[union-attr]
