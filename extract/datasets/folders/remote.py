"""List the files below an address.

It is listed once and completely. Most object stores have no folders, only names with slashes in
them, and none responds fast enough to be asked about every name.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from extract.errors import DataError
from toolkit.addresses import note_listing

if TYPE_CHECKING:
    from collections.abc import Iterator


def list_address(path: Any) -> dict[str, Any]:
    """Ask the server at an address for all names below it.

    Parameters
    ----------
    path : Path
        The address of a folder.

    Returns
    -------
    dict
        Name -> the same for a folder, or None for a file.

    Raises
    ------
    DataError
        If the server does not respond, or has no file there.
    """
    on_the_web = path.protocol in ("http", "https")
    try:
        if on_the_web:
            names = [*_walk_web(path.fs, path.path)]
        else:
            listing = path.fs.find(path.path, detail=True)
            note_listing(path.fs, listing)
            names = list(listing)
        if not names:
            path.fs.ls(path.path)  # raises the reason, which `find` does not
    except Exception as error:
        is_missing = isinstance(error, FileNotFoundError)
        reason = "there is nothing, or no server responds" if is_missing else error
        raise DataError(f"{path} cannot be listed: {reason}; check the address") from error
    root = path.fs._strip_protocol(path.path).rstrip("/")
    tree = _tree([name.removeprefix(root).lstrip("/") for name in names])
    if not tree:
        raise DataError(f"there is no file below {path}; check the address")
    return tree


def _tree(names: list[str]) -> dict[str, Any]:
    """Turn names with slashes into nested dicts, in which a file is None."""
    tree: dict[str, Any] = {}
    for name in names:
        *parents, last = PurePosixPath(name).parts or ("",)
        subtree = tree
        for parent in parents:
            # A store may have an object with the name of a folder; the folder takes precedence.
            if subtree.get(parent) is None:
                subtree[parent] = {}
            subtree = subtree[parent]
        subtree.setdefault(last, None)
    return tree


def _walk_web(fs: Any, folder: str) -> Iterator[str]:
    """Yield the names of all files below a folder of a web server.

    Unlike `find`, this does not skip a folder whose listing fails.
    """
    for entry in fs.ls(folder, detail=True):
        if entry["type"] != "directory":
            yield entry["name"]
        elif entry["name"].rstrip("/") != folder.rstrip("/"):
            yield from _walk_web(fs, entry["name"])
