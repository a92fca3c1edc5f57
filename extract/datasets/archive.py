"""Unpack zip files, completely or not at all. Every file is treated as hostile."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cache import disk
from extract.errors import ArchiveError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILES = 200_000
MAX_BYTES = 20 * 2**30
MAX_EXPANSION = 100
MAX_DEPTH = 32
MAX_NAME, MAX_PATH = 255, 1024
"""Bytes in one part of a name, and in the whole name, that every file system accepts."""
CHUNK = 1024 * 1024

_ARCHIVE_SUFFIX = re.compile(
    r"\.(7z|bz2|cab|gz|iso|jar|lz|lz4|lzma|rar|tar|tbz2|tgz|txz|xz|z|zip|zst)", re.IGNORECASE
)
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_MAC_METADATA = "__MACOSX"
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


def unpack(archive: Path, destination: Path, *, progress: Progress = silent) -> Path:
    """Unpack the zip file `archive` into the new folder `destination`.

    All entries are checked before anything is written. The files are written to a scratch folder
    beside `destination`, which gets its name in one step after all checksums have matched.

    Parameters
    ----------
    archive : Path
        A zip file whose entries are stored or deflated.
    destination : Path
        A folder that does not exist yet; its parents are created.
    progress : Progress, default=silent
        Is called after each file.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    ArchiveError
        If the archive is damaged, or contains anything but plain files and folders with safe and
        distinct names, or expands beyond `MAX_FILES`, `MAX_BYTES` or `MAX_EXPANSION` to 1, or if
        the files cannot be written. Nothing is left behind.

    Notes
    -----
    The metadata folder that macOS adds is checked like the rest, but not unpacked.
    """
    with _open(archive) as opened, disk.atomic_folder(destination) as folder:
        _extract(opened, folder, progress, f"unpacking {archive.name}")
    return destination


def check_archive(archive: Path) -> None:
    """Check the zip file `archive` as `unpack` does, including its checksums; write nothing.

    Raises
    ------
    ArchiveError
        If `unpack` would refuse it.
    """
    with _open(archive) as opened:
        for entry in opened.infolist():
            for _ in _chunks(opened, entry):
                pass


@contextmanager
def _open(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open and check an archive; turn what fails while it is open into an `ArchiveError`."""
    try:
        with zipfile.ZipFile(archive) as opened:
            _check(opened.infolist(), archive)
            yield opened
    except ArchiveError:
        raise
    except _UNREADABLE as error:
        raise ArchiveError(
            f"{archive} cannot be unpacked: {error or type(error).__name__}; "
            "nothing was kept; get a good copy of the file, or solve that, and try again"
        ) from error


def _check(entries: list[zipfile.ZipInfo], archive: Path) -> None:
    """Refuse the whole archive if any entry, or their sum, breaks a rule."""
    if len(entries) > MAX_FILES:
        raise _refused(archive, f"it contains {len(entries):,} entries, more than {MAX_FILES:,}")
    for entry in entries:
        reason = _problem_with_name(entry.orig_filename) or _problem_with_kind(entry)
        if reason:
            raise _refused(archive, f"its entry {entry.orig_filename!r} {reason}")
    if all(entry.is_dir() for entry in entries):
        raise _refused(archive, "it contains no files")
    _check_distinct(entries, archive)
    total = sum(entry.file_size for entry in entries)
    if total > MAX_BYTES:
        raise _refused(archive, f"it would expand to {total:,} bytes, more than {MAX_BYTES:,}")
    # Entries that overlap can each look harmless, so the sum is compared with the size of the file.
    if total > MAX_EXPANSION * archive.stat().st_size:
        raise _refused(archive, f"it would expand more than {MAX_EXPANSION} to 1")


def _problem_with_name(name: str) -> str | None:
    if "\\" in name or any(ord(character) < 32 for character in name):
        return "has a backslash or a control character in its name"
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or any(re.match(r"[A-Za-z]:", part) for part in parts):
        return "has an absolute name"
    if any(part in {"", ".", ".."} for part in parts):
        return "has a name with an empty, '.' or '..' part"
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
    if max(sizes) > MAX_NAME or sum(sizes) + len(parts) > MAX_PATH:
        return "has a name that is too long"
    if len(parts) > MAX_DEPTH:
        return f"lies more than {MAX_DEPTH} folders deep"
    if _ARCHIVE_SUFFIX.fullmatch(PurePosixPath(name).suffix) and not name.endswith("/"):
        return "is an archive inside the archive"
    return None


def _problem_with_kind(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a special file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return f"is compressed with method {entry.compress_type}, not stored or deflated"
    if entry.file_size > MAX_EXPANSION * max(entry.compress_size, 1):
        return f"expands more than {MAX_EXPANSION} to 1"
    return None


def _check_distinct(entries: list[zipfile.ZipInfo], archive: Path) -> None:
    """Refuse names that some file system takes for the same name, including those of folders."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    listed: set[str] = set()
    for entry in entries:
        name = entry.orig_filename.removesuffix("/")
        if name in listed:
            raise _refused(archive, f"it contains the name {name!r} twice")
        listed.add(name)
        if not entry.is_dir():
            files.add(name)
        path = PurePosixPath(name)
        for step in (name, *map(str, path.parents[:-1])):
            folded = unicodedata.normalize("NFC", step).casefold()
            if seen.setdefault(folded, step) != step:
                raise _refused(archive, f"it contains both {seen[folded]!r} and {step!r}")
        if len(seen) > MAX_FILES:
            raise _refused(archive, f"it contains more than {MAX_FILES:,} files and folders")
    for name in listed:
        for parent in map(str, PurePosixPath(name).parents[:-1]):
            if parent in files:
                raise _refused(archive, f"it contains {parent!r} as a file and as a folder")


def _extract(opened: zipfile.ZipFile, folder: Path, progress: Progress, stage: str) -> None:
    entries = opened.infolist()
    for done, entry in enumerate(entries, start=1):
        path = folder / entry.orig_filename
        if entry.orig_filename.startswith(f"{_MAC_METADATA}/"):
            pass
        elif entry.is_dir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                target.writelines(_chunks(opened, entry))
        progress(stage, done, len(entries))


def _chunks(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of one file; trust what is unpacked, not the size that the archive states."""
    arrived = 0
    with opened.open(entry) as source:
        while arrived <= entry.file_size and (chunk := source.read(CHUNK)):
            arrived += len(chunk)
            yield chunk
    if arrived != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.orig_filename!r} is not as long as stated")


def _refused(archive: Path, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{archive} was refused: {reason}; nothing was unpacked; expected a zip file of plain "
        "files and folders"
    )
