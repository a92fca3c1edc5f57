"""Unpack zip and tar files, completely or not at all. Every file is treated as hostile."""

from __future__ import annotations

import logging
import re
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cache import disk
from extract.datasets.sources.archive_files import OpenArchive, RefusedError, open_archive
from extract.errors import ArchiveError
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extract.datasets.sources.archive_files import Entry

logger = logging.getLogger(__name__)

MAX_FILES = 200_000
MAX_BYTES = 20 * 2**30
MAX_EXPANSION = 100
HARMLESS_BYTES = 2**30
"""So much may an archive expand to at any ratio: white scans are packed 1,000 to 1."""
MAX_DEPTH = 32
MAX_NAME, MAX_PATH = 255, 1024
"""Bytes in one part of a name, and in the whole name, that every file system accepts."""

_ARCHIVE_SUFFIX = re.compile(
    r"\.(7z|bz2|cab|gz|iso|jar|lz|lz4|lzma|rar|tar|tbz2|tgz|txz|xz|z|zip|zst)", re.IGNORECASE
)
_MAC_METADATA = "__MACOSX"
_UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


@phase("unpacking")
def unpack(archive: Path, destination: Path, *, progress: Progress = silent) -> Path:
    """Unpack an archive into the new folder `destination`.

    All entries are checked before anything is written. The files are written to a scratch folder
    beside `destination`, which gets its name in one step after all checksums have matched.

    Parameters
    ----------
    archive : Path
        A zip file whose entries are stored or deflated; or a tar file, which may be compressed by
        gzip or bzip2.
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
        distinct names, or expands beyond `MAX_FILES` or `MAX_BYTES`, or beyond `HARMLESS_BYTES` and
        `MAX_EXPANSION` to 1, or if the files cannot be written. Nothing is left behind.

    Notes
    -----
    The metadata folder that macOS adds is checked like the rest, but not unpacked. Of a tar file,
    nothing but names and contents is used: neither owners, permissions nor links.
    """
    with _open(archive) as opened, disk.atomic_folder(destination) as folder:
        if opened.guessed:
            logger.warning(
                "%s does not state the encoding of its names; they were read as %s, as %r",
                archive.name, *opened.guessed,
            )  # fmt: skip
        _extract(opened, folder, progress, f"unpacking {archive.name}")
    return destination


def check_archive(archive: Path) -> None:
    """Check an archive as `unpack` does, including its checksums; write nothing.

    Raises
    ------
    ArchiveError
        If `unpack` would refuse it.
    """
    with _open(archive) as opened:
        for _, chunks in opened.contents():
            for _ in chunks:
                pass


@contextmanager
def _open(archive: Path) -> Iterator[OpenArchive]:
    """Open and check an archive; turn what fails while it is open into an `ArchiveError`."""
    try:
        packed = archive.stat().st_size
        limit = min(MAX_BYTES, max(HARMLESS_BYTES, MAX_EXPANSION * packed))
        with open_archive(archive, max_files=MAX_FILES, max_bytes=limit) as opened:
            _check(opened.entries, archive, packed)
            yield opened
    except ArchiveError:
        raise
    except RefusedError as error:
        raise _refused(archive, str(error)) from error
    except _UNREADABLE as error:
        raise ArchiveError(
            f"{archive} cannot be unpacked: {error or type(error).__name__}; "
            "nothing was kept; get a good copy of the file, or solve that, and try again"
        ) from error


def _check(entries: list[Entry], archive: Path, packed: int) -> None:
    """Refuse the whole archive if any entry, or their sum, breaks a rule."""
    if len(entries) > MAX_FILES:
        raise _refused(archive, f"it contains {len(entries):,} entries, more than {MAX_FILES:,}")
    for entry in entries:
        reason = _problem_with_name(entry) or entry.problem
        if reason:
            raise _refused(archive, f"its entry {entry.written!r} {reason}")
    if all(entry.is_folder for entry in entries):
        raise _refused(archive, "it contains no files")
    _check_distinct(entries, archive)
    total = sum(entry.size for entry in entries)
    if total > MAX_BYTES:
        raise _refused(archive, f"it would expand to {total:,} bytes, more than {MAX_BYTES:,}")
    if total > max(HARMLESS_BYTES, MAX_EXPANSION * packed):
        raise _refused(
            archive,
            f"it would expand more than {MAX_EXPANSION} to 1, to {total:,} bytes, and up to "
            f"{HARMLESS_BYTES:,} are accepted at such a ratio",
        )


def _problem_with_name(entry: Entry) -> str | None:
    name = entry.name
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        return "has a control character in its name"
    parts = name.split("/")
    if name.startswith("/") or any(re.match(r"[A-Za-z]:", part) for part in parts):
        return "has an absolute name"
    if any(part in {"", ".", ".."} for part in parts):
        return "has a name with an empty, '.' or '..' part"
    sizes = [len(part.encode("utf-8")) for part in parts]
    if max(sizes) > MAX_NAME or sum(sizes) + len(parts) > MAX_PATH:
        return "has a name that is too long"
    if len(parts) > MAX_DEPTH:
        return f"lies more than {MAX_DEPTH} folders deep"
    if _ARCHIVE_SUFFIX.fullmatch(PurePosixPath(name).suffix) and not entry.is_folder:
        return "is an archive inside the archive"
    return None


def _check_distinct(entries: list[Entry], archive: Path) -> None:
    """Refuse names that some file system takes for the same name, including those of folders."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    listed: set[str] = set()
    for entry in entries:
        name = entry.name
        if name in listed:
            raise _refused(archive, f"it contains the name {name!r} twice")
        listed.add(name)
        if not entry.is_folder:
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


def _extract(opened: OpenArchive, folder: Path, progress: Progress, stage: str) -> None:
    for done, (entry, chunks) in enumerate(opened.contents(), start=1):
        path = folder / entry.name
        if entry.name.partition("/")[0] == _MAC_METADATA:
            pass
        elif entry.is_folder:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                target.writelines(chunks)
        progress(stage, done, len(opened.entries))


def _refused(archive: Path, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{archive} was refused: {reason}; nothing was unpacked; expected a zip or tar file of "
        "plain files and folders"
    )
