"""Where pictures are: files of this machine, and addresses of others that fsspec knows.

An address is a `upath.UPath`. It has what a `pathlib.Path` has, and stands for one everywhere; only
what reads it or asks for its status goes through this module.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toolkit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "http", "https", "memory")
"""Of the addresses that are taken. fsspec knows more, some of which lead to other files in turn."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

# What servers say of a file that changes with its content, each in its own words.
_MARKS = (
    "ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "generation", "LastModified",
    "last_modified", "Last-Modified", "updated", "mtime", "created",
)  # fmt: skip
_ASKED_AT_ONCE = 16
_SECONDS_BETWEEN = 1.0
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file's status says of its content: as long as it stays, so does the content."""

    size: int
    mtime_ns: int
    inode: int
    """Of an address: a digest of what its server says in place of time and inode."""


def is_address(text: str) -> bool:
    """Return whether a word of the user's is an address, and no path.

    Examples
    --------
    >>> is_address("s3://bucket/pictures"), is_address("pictures")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def place(*parts: str) -> Path:
    """Return a path or address, put together from parts: an absolute one begins anew.

    Parameters
    ----------
    *parts : str
        As for `pathlib.Path`; any may be an address.

    Returns
    -------
    Path
        Or `UPath`, which stands for one.

    Raises
    ------
    AddressError
        If a part is an address of another scheme than `SCHEMES`, or fsspec or what it needs for
        this scheme is not installed.

    Examples
    --------
    >>> place("pictures", "cats", "1.jpg").as_posix()
    'pictures/cats/1.jpg'
    """
    found: Path | None = None
    for part in parts:
        if is_address(part):
            found = _address(part)
        else:
            found = Path(part) if found is None else found / part
    return found if found is not None else Path()


def _address(text: str) -> Path:
    scheme = text.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise AddressError(
            f"cannot take the address {text}: expected one of {', '.join(SCHEMES)}, found {scheme}"
        )
    try:
        import fsspec
        from upath import UPath

        fsspec.get_filesystem_class(scheme)
        return cast("Path", UPath(text))
    except ValueError as error:
        raise AddressError(f"cannot take the address {text}: {error}") from error
    except ImportError as error:
        raise AddressError(
            f"{text}: {scheme}:// needs a package that is not installed ({error}): pip install "
            "'.[remote]', and for s3:// also s3fs, for gs:// gcsfs, for az:// adlfs"
        ) from error


def is_remote(path: Path) -> bool:
    """Return whether this is an address, and no file of this machine."""
    return not isinstance(path, Path)


def relative(path: Path, root: Path) -> str:
    """Return a path or address as it is written below `root`, or whole if it lies elsewhere.

    Examples
    --------
    >>> relative(Path("/data/cats/1.jpg"), Path("/data")), relative(Path("/1.jpg"), Path("/data"))
    ('cats/1.jpg', '/1.jpg')
    """
    if is_remote(path):
        return str(path).removeprefix(f"{str(root).rstrip('/')}/")
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def sort_key(path: Path) -> bytes:
    """Return a path or address as bytes that identify it; bytes sort alike on every machine."""
    return os.fsencode(str(path) if is_remote(path) else path.absolute())


def file_state(path: Path) -> FileState | None:
    """Return the status that a file's remembered digest hangs on.

    Returns
    -------
    FileState or None
        None if there is no file, or its server says nothing that changes with its content.
    """
    if is_remote(path):
        return _remote_state(path)
    try:
        status = path.stat()
    except OSError:
        return None
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


def file_states(paths: Sequence[Path]) -> list[FileState | None]:
    """Return the status of each, asking servers about several files at once."""
    if not any(map(is_remote, paths)):
        return [file_state(path) for path in paths]
    with ThreadPoolExecutor(_ASKED_AT_ONCE, "status") as pool:
        return list(pool.map(file_state, paths))


def _remote_state(path: Any) -> FileState | None:
    try:
        info = path.fs.info(path.path)
    except Exception:  # noqa: BLE001 - fsspec passes on whatever its file systems raise
        return None
    marks = [(name, str(info[name])) for name in _MARKS if info.get(name)]
    if not marks:
        return None
    digest = hashlib.sha256(repr(marks).encode()).digest()
    return FileState(int(info.get("size") or 0), 0, int.from_bytes(digest[:8], "big") >> 1)


def read_remote(path: Path, most: int, attempts: int = 3) -> bytes:
    """Read what an address holds, but no more than a byte beyond `most`.

    Raises
    ------
    FileNotFoundError, PermissionError
        If its server says so.
    AddressError
        If the server does not answer in any of the attempts.
    """
    for attempt in range(1, attempts + 1):
        try:
            return _read(path, most)
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            if attempt == attempts:
                raise AddressError(
                    f"cannot read {path}, tried {attempts} times: {error}; what is done so far "
                    "stays, so mend that and run the same command again"
                ) from error
        time.sleep(attempt * _SECONDS_BETWEEN)
    raise AssertionError("the last attempt has returned or raised")


def _read(path: Any, most: int) -> bytes:
    # A stream, and without asking for the length first: a server of HTTP may send any.
    options = {"block_size": 0, "size": -1} if path.protocol in ("http", "https") else {}
    data = b""
    with path.fs.open(path.path, "rb", **options) as file:
        while len(data) <= most and (block := file.read(min(_BLOCK, most + 1 - len(data)))):
            data += block
    return data
