"""Where images are: files on this machine, and addresses on others that fsspec supports.

An address is a `upath.UPath`. It has the interface of a `pathlib.Path` and is used as one; only
reading it and asking for its status needs this module.
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
from weakref import WeakKeyDictionary

from toolkit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "http", "https", "memory")
"""Schemes of supported addresses. fsspec has more, but some of those refer to further files."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

# Fields of a file's status that change with its content, as different servers call them.
_VERSION_FIELDS = (
    "ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "generation", "LastModified",
    "last_modified", "Last-Modified", "updated", "mtime", "created",
)  # fmt: skip
_REQUESTS_AT_ONCE = 16
_SECONDS_BETWEEN_ATTEMPTS = 1.0
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class FileState:
    """The status of a file. As long as it is the same, so is the content of the file.

    Parameters
    ----------
    size : int
        In bytes.
    mtime_ns : int
        Modification time in nanoseconds since 1970; 0 for an address.
    version : int
        A digest of the number of the file and of its change time, which no program can set back;
        for an address, of the version that its server states.
    """

    size: int
    mtime_ns: int
    version: int


def is_address(text: str) -> bool:
    """Tell whether a text is an address, not a path.

    Examples
    --------
    >>> is_address("s3://bucket/pictures"), is_address("pictures")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def as_path(*parts: str) -> Path:
    """Join parts into a path or address; an absolute part replaces those before it.

    Parameters
    ----------
    *parts : str
        As for `pathlib.Path`; each may be an address.

    Returns
    -------
    Path
        A `UPath` if it is an address.

    Raises
    ------
    AddressError
        If a part is an address whose scheme is not in `SCHEMES`, or a package that the scheme
        needs is not installed.

    Examples
    --------
    >>> as_path("pictures", "cats", "1.jpg").as_posix()
    'pictures/cats/1.jpg'
    """
    joined: Path | None = None
    for part in parts:
        if is_address(part):
            joined = _address(part)
        else:
            joined = Path(part) if joined is None else joined / part
    return joined if joined is not None else Path()


def _address(text: str) -> Path:
    scheme = text.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise AddressError(
            f"cannot use the address {text}: expected one of {', '.join(SCHEMES)}, found {scheme}"
        )
    try:
        import fsspec
        from upath import UPath

        fsspec.get_filesystem_class(scheme)
        return cast("Path", UPath(text))
    except ValueError as error:
        raise AddressError(f"cannot use the address {text}: {error}") from error
    except ImportError as error:
        raise AddressError(
            f"{text}: {scheme}:// needs a package that is not installed ({error}): run pip install "
            "'.[remote]', and install s3fs for s3://, gcsfs for gs:// or adlfs for az://"
        ) from error


def is_remote(path: Path) -> bool:
    """Tell whether this is an address, not a file on this machine."""
    return not isinstance(path, Path)


def relative(path: Path, root: Path) -> str:
    """Return a path or address relative to `root`, or in full if it is not below `root`.

    Examples
    --------
    >>> relative(Path("/data/cats/1.jpg"), Path("/data")), relative(Path("/1.jpg"), Path("/data"))
    ('cats/1.jpg', '/1.jpg')
    """
    if is_remote(path):
        return str(path).removeprefix(f"{str(root).rstrip('/')}/")
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def sort_key(path: Path) -> bytes:
    """Return a path or address as bytes, which are sorted equally on every machine."""
    return os.fsencode(str(path) if is_remote(path) else path.absolute())


def file_state(path: Path) -> FileState | None:
    """Return the status of a file, which tells whether a remembered digest is still valid.

    Returns
    -------
    FileState or None
        None if there is no file, or its server states nothing that changes with its content.
    """
    if is_remote(path):
        return _remote_state(path)
    try:
        status = path.stat()
    except OSError:
        return None
    version = _digest((status.st_ino, status.st_ctime_ns))
    return FileState(status.st_size, status.st_mtime_ns, version)


def file_states(paths: Sequence[Path]) -> list[FileState | None]:
    """Return the status of each file; servers get several requests at once."""
    if not any(map(is_remote, paths)):
        return [file_state(path) for path in paths]
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE, "status") as pool:
        return list(pool.map(file_state, paths))


def note_listing(fs: Any, listing: Mapping[str, Mapping[str, Any]]) -> None:
    """Remember the status of files from the listing of their server, which is not asked again.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
    listing : mapping from str to mapping
        What the server states about each file, by its name; as from `find` with ``detail=True``.
    """
    states = {name: _state_of(info) for name, info in listing.items()}
    _listed.setdefault(fs, {}).update({name: state for name, state in states.items() if state})


def is_listed(path: Path) -> bool:
    """Tell whether the status of the file at an address is known from a listing."""
    return _listed_state(path) is not None


def _listed_state(path: Any) -> FileState | None:
    return _listed.get(path.fs, {}).get(path.path)


_listed: WeakKeyDictionary[Any, dict[str, FileState]] = WeakKeyDictionary()


def _remote_state(path: Any) -> FileState | None:
    if state := _listed_state(path):
        return state
    try:
        info = path.fs.info(path.path)
    except Exception:  # noqa: BLE001 - file systems of fsspec raise any error
        return None
    return _state_of(info)


def _state_of(info: Mapping[str, Any]) -> FileState | None:
    """Return the status of a file from what its server states; None if it states no version."""
    version = [(name, str(info[name])) for name in _VERSION_FIELDS if info.get(name)]
    if not version:
        return None
    return FileState(int(info.get("size") or 0), 0, _digest(version))


def _digest(fields: object) -> int:
    """Return a number that fits SQLite's signed integers of 64 bits."""
    digest = hashlib.sha256(repr(fields).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def read_remote(path: Path, max_bytes: int, attempts: int = 3) -> bytes:
    """Read the file at an address.

    Parameters
    ----------
    path : Path
        The address.
    max_bytes : int
        Reading stops one byte after this limit.
    attempts : int, default=3
        How often to try.

    Returns
    -------
    bytes
        At most ``max_bytes + 1`` bytes; more than `max_bytes` means that the file is too large.

    Raises
    ------
    FileNotFoundError, PermissionError
        If the server says so.
    AddressError
        If all attempts fail.
    """
    for attempt in range(1, attempts + 1):
        try:
            return _read(path, max_bytes)
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            if attempt == attempts:
                raise AddressError(
                    f"cannot read {path} in {attempts} attempts: {error}; what was done before is "
                    "kept, so solve that and run the same command again"
                ) from error
        time.sleep(attempt * _SECONDS_BETWEEN_ATTEMPTS)
    raise AssertionError("the last attempt has returned or raised")


def _read(path: Any, max_bytes: int) -> bytes:
    # As a stream and without asking for the length first, because an HTTP server may send any.
    options = {"block_size": 0, "size": -1} if path.protocol in ("http", "https") else {}
    data = b""
    with path.fs.open(path.path, "rb", **options) as file:
        while len(data) <= max_bytes:
            block = file.read(min(_BLOCK, max_bytes + 1 - len(data)))
            if not block:
                break
            data += block
    return data
