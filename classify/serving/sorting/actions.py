"""Put one image into a folder, and put it back: links, copies and moves that replace nothing."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cache import disk
from extract.images.files import read_bytes
from toolkit.addresses import as_path, is_address

if TYPE_CHECKING:
    from classify.serving.sorting.journal import Entry, How

TEMPORARY = ".undo-sorting.tmp-"
"""First characters of the names of files that have no place yet."""
_BLOCK = 2**20


class Outcome(enum.Enum):
    """What an image is that was to be put back."""

    BACK = "put back"
    GONE = "not in the folder any more, and nothing is lost by that"
    LOST = "not in the folder any more, so that it cannot go back"
    CHANGED = "changed since"
    OCCUPIED = "not to go back, because another file is there now"
    ONLY_COPY = "the copy of an image that has changed or is gone since"

    @property
    def is_left(self) -> bool:
        """Whether something remains to be done by a person."""
        return self not in (Outcome.BACK, Outcome.GONE)


def copy_file(source: str, temporary: Path) -> str:
    """Copy a file, or fetch it from its address; return the SHA-256 of its content.

    The copy has the time of the file. It is on disk when this returns.

    Parameters
    ----------
    source : str
        Absolute path, or address.
    temporary : Path
        It is replaced if it exists.

    Raises
    ------
    OSError
        If the file cannot be read or written, or the server does not respond.
    ImageError
        If the address has no file that can be an image.
    """
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(temporary.open("wb"))
        if is_address(source):
            data = read_bytes(as_path(source))
            digest.update(data)
            target.write(data)
        else:
            file = stack.enter_context(Path(source).open("rb"))
            while block := file.read(_BLOCK):
                digest.update(block)
                target.write(block)
        target.flush()
        os.fsync(target.fileno())
    if not is_address(source):
        status = Path(source).stat()
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    return digest.hexdigest()


def place(entry: Entry, folder: Path, how: How) -> None:
    """Carry out an entry.

    Parameters
    ----------
    entry : Entry
    folder : Path
        The folder to sort into. With ``"copy"``, it has the copy already, under its temporary name.
    how : {"link", "copy", "move"}

    Raises
    ------
    FileExistsError
        If the name is taken.
    OSError
        If the file cannot be linked or moved.
    """
    target = folder / entry.target
    if how == "link":
        # On some systems, a link to a symbolic link would be a symbolic link.
        os.link(os.path.realpath(entry.source), target)
    else:
        source = temporary_name(folder, entry.number) if how == "copy" else Path(entry.source)
        disk.rename_new(source, target)


def temporary_name(folder: Path, number: int) -> Path:
    """Return where the copy of an entry is made; 0 is for a trial."""
    return folder / f"{TEMPORARY}{number}"


def delete_temporary_files(folder: Path) -> None:
    """Delete the copies that a killed command has left under their temporary names."""
    for path in folder.glob(f"{TEMPORARY}*"):
        path.unlink()


def complete(entry: Entry, folder: Path, how: How) -> bool:
    """Find out whether an entry was carried out before its command was killed.

    What was done by half is completed, or undone.

    Raises
    ------
    OSError
        If that fails.
    """
    source, target = Path(entry.source), folder / entry.target
    if not os.path.lexists(target):
        return False
    if how == "link":
        return _is_same(source, target)
    if how == "move" and _is_same(source, target):
        source.unlink()
        return True
    if target.stat().st_size == 0 < entry.size:  # a name that was reserved; see `rename_new`
        target.unlink()
        return False
    if how == "copy":
        return _sha256(target) == entry.sha256
    return not os.path.lexists(source) and _is_unchanged(entry, target)


def put_back(entry: Entry, folder: Path, how: How) -> Outcome:
    """Undo an entry, unless something would be lost by it.

    A link or a copy is deleted if the same content is still where it was; a link that has become
    the last name of an image gets the earlier name back, and so does a moved image.

    Raises
    ------
    OSError
        If a file cannot be deleted or moved.
    """
    source, target = Path(entry.source), folder / entry.target
    if not os.path.lexists(target):
        is_lost = how == "move" and not _is_unchanged(entry, source)
        return Outcome.LOST if is_lost else Outcome.GONE
    if how != "copy" and _is_same(source, target):
        target.unlink()
        return Outcome.BACK
    if how == "copy":
        return _delete_copy(entry, target)
    if not _is_unchanged(entry, target):
        return Outcome.CHANGED
    try:
        disk.make_folder(source.parent)
        disk.rename_new(target, source)
    except FileExistsError:
        return Outcome.OCCUPIED
    return Outcome.BACK


def _delete_copy(entry: Entry, target: Path) -> Outcome:
    if _sha256(target) != entry.sha256:
        return Outcome.CHANGED
    if not is_address(entry.source) and _sha256(Path(entry.source)) != entry.sha256:
        return Outcome.ONLY_COPY
    target.unlink()
    return Outcome.BACK


def _is_same(source: Path, target: Path) -> bool:
    """Return whether two names are of one file."""
    try:
        return source.samefile(target) and not target.is_symlink()
    except OSError:
        return False


def _is_unchanged(entry: Entry, path: Path) -> bool:
    """Return whether a file is as it was when it was sorted."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)


def _sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None if it cannot be read."""
    try:
        return disk.sha256(path)
    except OSError:
        return None
