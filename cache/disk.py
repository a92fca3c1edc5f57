"""Write files and folders so that they are complete under their name, or absent.

The toolkit writes everything that it keeps with `publish`, `publishing` or `atomic_folder`. The
system calls are looked up in this module, so that tests can replace them.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from cache.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

NO_HARD_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK}
)
"""What a file system answers that has no hard links, or no more of them for a file."""
TEMPORARY = ".tmp-"
"""First characters of the names of files that are being written."""
_SYNCS_AT_ONCE = 8
_SECONDS_UNTIL_ABANDONED = 24 * 60 * 60


def publish(path: Path, data: bytes | memoryview) -> None:
    """Write a file atomically; it survives a power cut from the moment this returns.

    The bytes go into a temporary file beside it, which is fsynced and renamed; then the folder is
    fsynced. Until the rename, the name belongs to the previous file, or to none.

    Parameters
    ----------
    path : Path
        Its folder is created if need be.
    data : bytes-like
        The whole content.

    Raises
    ------
    OSError
        If the file cannot be written; no temporary file is left.
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


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write in parts; it gets its name when the block ends without an error.

    As with `publish`, the name belongs to the previous file, or to none, until everything is
    written. After an error or Ctrl-C no temporary file is left.

    Parameters
    ----------
    path : Path
        Its folder is created if need be.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    make_folder(path.parent)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def rename_new(source: Path, target: Path) -> None:
    """Rename a file within its file system, unless the new name is taken.

    Unlike `os.rename`, this never replaces a file. On a file system without hard links, such as
    exFAT, the name is first reserved with an empty file.

    Parameters
    ----------
    source : Path
        A regular file.
    target : Path
        In an existing folder.

    Raises
    ------
    FileExistsError
        If `target` exists.
    OSError
        If the file cannot be renamed; it keeps its name.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = folder.joinpath("a").write_text("a"), folder.joinpath("b").write_text("b")
    >>> rename_new(folder / "a", folder / "b")
    Traceback (most recent call last):
    FileExistsError: ...
    """
    try:
        os.link(source, target)
        is_linked = True
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        target.open("xb").close()
        is_linked = False
    try:
        if is_linked:
            source.unlink()
        else:
            source.replace(target)
    except OSError:
        target.unlink()
        raise


def make_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a power cut, unless it exists.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


@contextlib.contextmanager
def atomic_folder(destination: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes `destination` in one step if the block succeeds.

    Its files are fsynced first, so that a power cut leaves the complete folder or none. Scratch
    folders that killed processes have left are deleted a day later.

    Parameters
    ----------
    destination : Path
        A folder that does not exist yet; its parents are created.

    Raises
    ------
    OSError
        If `destination` exists and is not an empty folder, or cannot be created.
    """
    import shutil  # here, because every command imports this module
    import tempfile

    destination.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = f".{destination.name}.", ".partial"
    for leftover in destination.parent.glob(f"{glob.escape(prefix)}*{suffix}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _SECONDS_UNTIL_ABANDONED:
                shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(suffix, prefix, destination.parent) as scratch:
        # A subfolder, because only the owner may read the temporary folder itself.
        folder = Path(scratch) / "whole"
        folder.mkdir()
        yield folder
        # Otherwise a power cut could leave the folder with empty files.
        sync_tree(folder)
        folder.rename(destination)
        sync_folder(destination.parent)


@contextlib.contextmanager
def attempt(
    action: str,
    advice: str = "solve that and run the same command again",
    setting: str | None = None,
) -> Iterator[None]:
    """Turn an `OSError` into a `CacheError` that says what was attempted.

    Parameters
    ----------
    action : str
        What the block does, as it follows "cannot".
    advice : str, default="solve that and run the same command again"
        What to do next.
    setting : str, default=None
        The setting that helps, see `toolkit.errors.ToolkitError`.

    Raises
    ------
    CacheError
        If the block raises an `OSError`.

    Examples
    --------
    >>> with attempt("read the list"):
    ...     raise OSError(5, "Input/output error")
    Traceback (most recent call last):
    cache.errors.CacheError: cannot read the list: Input/output error; solve that and run the same \
command again
    """
    try:
        yield
    except CacheError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise CacheError(f"cannot {action}: {reason}; {advice}", setting=setting) from error


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
    """Make the names in a folder survive a power cut, where the system supports that."""
    if os.name == "nt":  # Windows cannot open a folder, and syncs names itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make everything below a folder survive a power cut.

    Several files are fsynced at once, because the file system then writes its journal once for all
    of them: 3,000 photographs take 0.3 s instead of 3 s.

    Raises
    ------
    OSError
        If a file or folder cannot be fsynced.
    """
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        list(pool.map(_sync_file, files))
        list(pool.map(sync_folder, [Path(parent) for parent, _, _ in os.walk(folder)]))


def _sync_file(path: Path) -> None:
    # Windows flushes only files that are open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
