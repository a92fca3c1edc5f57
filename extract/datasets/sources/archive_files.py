"""What zip and tar files contain: entries with their names in Unicode, and their bytes.

Names are returned with slashes, as Windows programs may write backslashes, and without a leading
``./``. Whether they are safe is judged in `extract.datasets.sources.archive`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from toolkit.encodings import guess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2")
"""Ends of the names of archives, in lower case."""
CHUNK = 1024 * 1024

_ENCRYPTED = 0x1 | 0x40 | 0x2000
_IN_UTF8 = 0x800
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LOCAL_HEADER = 30
_UNICODE_PATH = 0x7075
_LARGEST_TAR_HEADER = 2 * CHUNK
_BYTES_OF_HEADERS_PER_FILE = 2048


class RefusedError(Exception):
    """An archive breaks a rule that is found out while it is listed; the message is the reason."""


@dataclass(frozen=True)
class Entry:
    """One file or folder of an archive.

    Parameters
    ----------
    name : str
        Its path, without a slash at the end.
    written : str
        The same as the archive has it, for messages.
    is_folder : bool
        Whether it is a folder.
    size : int
        Bytes of its content, as the archive states.
    problem : str or None
        Why entries of its kind are refused, as it follows "its entry 'x'".
    """

    name: str
    written: str
    is_folder: bool
    size: int
    problem: str | None = None


class OpenArchive(ABC):
    """An archive that is open for reading.

    Parameters
    ----------
    entries : list of Entry
        Its files and folders.
    guessed : tuple of (str, str) or None
        The encoding of names that do not state theirs, and one of them; None if there are none but
        in UTF-8.
    """

    def __init__(self, entries: list[Entry], guessed: tuple[str, str] | None) -> None:
        self.entries, self.guessed = entries, guessed

    @abstractmethod
    def contents(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield every entry with the chunks of its content, to be read before the next entry.

        The chunks raise an error if they are not those that the archive states.
        """


@contextmanager
def open_archive(path: Path, *, max_files: int, max_bytes: int) -> Iterator[OpenArchive]:
    """Open an archive, whose kind is decided by its content.

    Parameters
    ----------
    path : Path
        A zip file; or a tar file, which may be compressed by gzip or bzip2.
    max_files, max_bytes : int
        Listing stops where a tar file exceeds them.

    Raises
    ------
    RefusedError
        If a tar file is too large, or the entries of a zip file overlap.
    zipfile.BadZipFile, tarfile.TarError, OSError, ...
        If the archive is damaged.
    """
    with path.open("rb") as file:
        start = file.read(512)
    opener = _opener(path, start)
    if opener is None:
        with zipfile.ZipFile(path) as opened:
            yield _ZipArchive(opened)
        return
    limit = max_bytes + max_files * _BYTES_OF_HEADERS_PER_FILE
    yield _TarArchive(path, opener, max_files, limit)


def _opener(path: Path, start: bytes) -> Any:
    """Return what opens the bytes of a tar file, or None for any other file."""
    if start.startswith(b"\x1f\x8b"):
        return gzip.open
    if start.startswith(b"BZh"):
        return bz2.open
    is_tar = start[257:262] == b"ustar" or path.suffix.lower() == ".tar"
    return open if is_tar and not start.startswith(b"PK") else None


def _unpacked_name(name: str) -> str:
    return re.sub(r"^(\./+)+", "", name.replace("\\", "/")).removesuffix("/")


def _is_root(name: str) -> bool:
    """Tell whether an entry is the folder that all others are in, as ``tar c .`` writes it."""
    return name.replace("\\", "/").rstrip("/") == "."


# --- zip -----------------------------------------------------------------------------------------


class _ZipArchive(OpenArchive):
    def __init__(self, opened: zipfile.ZipFile) -> None:
        self._opened = opened
        _check_overlap(opened.infolist())
        self._infos = [info for info in opened.infolist() if not _is_root(info.orig_filename)]
        names, guessed = _zip_names(self._infos)
        super().__init__(
            [_zip_entry(info, name) for info, name in zip(self._infos, names, strict=True)], guessed
        )

    def contents(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        for entry, info in zip(self.entries, self._infos, strict=True):
            yield entry, self._chunks(info)

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Trust what is unpacked, not the size that the archive states."""
        arrived = 0
        with self._opened.open(info) as source:
            while arrived <= info.file_size and (chunk := source.read(CHUNK)):
                arrived += len(chunk)
                yield chunk
        if arrived != info.file_size:
            raise zipfile.BadZipFile(f"{info.orig_filename!r} is not as long as stated")


def _zip_entry(info: zipfile.ZipInfo, name: str) -> Entry:
    unpacked = _unpacked_name(name)
    is_folder = name.endswith(("/", "\\"))
    return Entry(unpacked, name, is_folder, info.file_size, _zip_problem(info))


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a special file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is compressed with method {info.compress_type}, not stored or deflated"
    return None


def _check_overlap(infos: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: each may look harmless, and all expand to anything."""
    end, previous = 0, ""
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise RefusedError(
                f"its entries {previous!r} and {info.orig_filename!r} share the same bytes"
            )
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
        previous = info.orig_filename


def _zip_names(infos: list[zipfile.ZipInfo]) -> tuple[list[str], tuple[str, str] | None]:
    """Return the names, and what was guessed: older programs do not state their encoding.

    Python takes such names as CP437. They are UTF-8 if they can be, since programs of macOS and
    Linux write that without saying so; else the encoding whose letters fit all names.
    """
    names: dict[int, str] = {}
    unstated: dict[int, bytes] = {}
    for i, info in enumerate(infos):
        if info.flag_bits & _IN_UTF8 or info.orig_filename.isascii():
            names[i] = info.orig_filename
            continue
        raw = info.orig_filename.encode("cp437")
        stated = _unicode_path(info.extra, raw)
        if stated is None:
            unstated[i] = raw
        else:
            names[i] = stated
    encoding = _encoding_of(unstated.values(), ("cp437", "cp1252"), "cp437")
    names |= {i: raw.decode(encoding) for i, raw in unstated.items()}
    guessed = None if encoding == "utf-8" else (encoding, names[next(iter(unstated))])
    return [names[i] for i in range(len(infos))], guessed


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in Info-ZIP's extra field for Unicode, if it belongs to the raw name."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            (crc,) = struct.unpack_from("<L", field, 1)
            return field[5:].decode() if crc == zlib.crc32(raw) else None
    return None


def _encoding_of(names: Iterable[bytes], western: tuple[str, ...], default: str) -> str:
    text = b"\n".join(names)
    try:
        text.decode()
    except UnicodeDecodeError:
        return guess(text, western, ("cp866", "cp1251"), default) or default
    return "utf-8"


# --- tar -----------------------------------------------------------------------------------------


class _TarArchive(OpenArchive):
    def __init__(self, path: Path, opener: Any, max_files: int, limit: int) -> None:
        self._path, self._opener, self._limit = path, opener, limit
        with self._members() as members:
            listed = []
            for _, member in members:
                listed.append(member)
                if len(listed) > max_files:
                    raise RefusedError(f"it contains more than {max_files:,} entries")
        raw = [name for name in map(_raw_name, listed) if not name.isascii()]
        self._encoding = _encoding_of(raw, ("cp1252",), "latin-1")
        guessed = (
            None if self._encoding == "utf-8" else (self._encoding, raw[0].decode(self._encoding))
        )
        entries = [self._entry(member) for member in listed if not _is_root(member.name)]
        super().__init__(entries, guessed)

    def contents(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        entries = iter(self.entries)
        with self._members() as members:
            for opened, member in members:
                if _is_root(member.name):
                    continue
                entry = next(entries, None)
                if entry is None or entry != self._entry(member):
                    raise tarfile.ReadError("it has changed while it was read")
                yield entry, _tar_chunks(opened, member)

    @contextmanager
    def _members(self) -> Iterator[Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]]:
        with self._opener(self._path, "rb") as file:
            stream: Any = _Forward(file, self._limit)
            with tarfile.TarFile(
                fileobj=stream, encoding="utf-8", errors="surrogateescape"
            ) as opened:
                yield _checked_members(opened, stream)

    def _entry(self, member: tarfile.TarInfo) -> Entry:
        name = _raw_name(member).decode(self._encoding)
        return Entry(_unpacked_name(name), name, member.isdir(), member.size, _tar_problem(member))


def _raw_name(member: tarfile.TarInfo) -> bytes:
    return member.name.encode("utf-8", "surrogateescape")


def _tar_problem(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "is a link"
    if member.sparse is not None or member.type == tarfile.GNUTYPE_SPARSE:
        return "is a sparse file"
    return None if member.isreg() or member.isdir() else "is a special file"


def _tar_chunks(opened: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    source = opened.extractfile(member) if member.isreg() else None
    if source is None:
        return
    left = member.size
    with source:
        while left and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
    if left:
        raise tarfile.ReadError(f"{member.name!r} is not as long as stated")


def _checked_members(
    opened: tarfile.TarFile, stream: _Forward
) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the members; raise an error if the file does not end as a whole one does.

    tarfile takes a damaged header for the end.
    """
    for member in opened:
        if member.size < 0 or member.offset_data < 0:
            raise tarfile.ReadError(f"{member.name!r} has an impossible size")
        yield opened, member
    stream.seek(opened.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"it is damaged or cut after {len(opened.getmembers()):,} entries")
    while rest := stream.read(CHUNK):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("there are more data after its end")


class _Forward:
    """A file that is read from its beginning to its end, up to a limit.

    Parameters
    ----------
    file : file object
        What is read, decompressed.
    limit : int
        Number of bytes, after which reading is refused.
    """

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        # tarfile looks at the byte before a header, and would go in circles for a negative size.
        if whence != io.SEEK_SET or position < self._file.tell() - tarfile.BLOCKSIZE:
            raise tarfile.ReadError("a header leads backwards")
        self._check(position)
        return self._file.seek(position)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_TAR_HEADER:
            raise RefusedError("it has a header that is too large")
        data = self._file.read(size)
        self._check(self._file.tell())
        return data

    def close(self) -> None:
        """Leave the file open: who has opened it closes it."""

    def _check(self, position: int) -> None:
        if position > self._limit:
            raise RefusedError(f"it would expand to more than {self._limit:,} bytes")
