"""A folder of images: on this machine, or at an address.

A remote folder is listed once and completely. Most object stores have no folders, only names with
slashes in them, and none responds fast enough to be asked about every name.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from extract.errors import DataError
from extract.images.decoding import IMAGE_SUFFIXES
from toolkit.addresses import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator


class Folder:
    """A folder on this machine.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    def names(self) -> list[str]:
        """Return the names of the files and folders in it, sorted."""
        return sorted(entry.name for entry in self.path.iterdir())

    def subfolders(self) -> list[Self]:
        """Return the folders in it, including links to folders, without hidden ones."""
        return [
            type(self)(entry)
            for entry in self.path.iterdir()
            if entry.is_dir() and not entry.name.startswith((".", "__"))
        ]

    def files(self) -> list[Path]:
        """Return the files directly in it."""
        return [entry for entry in self.path.iterdir() if not entry.is_dir()]

    def walk(self) -> Iterator[Path]:
        """Yield all files below it, in any order.

        Hidden files and folders are left out; links to folders are not followed.
        """
        for parent, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (Path(parent, file) for file in files if not file.startswith("."))

    def images(self) -> Iterator[Path]:
        """Yield the files below it that have the suffix of an image format, in any order."""
        return (path for path in self.walk() if path.suffix.lower() in IMAGE_SUFFIXES)


class RemoteFolder(Folder):
    """A folder at an address.

    Parameters
    ----------
    path : Path
        The address.
    tree : dict
        The files below it: name -> the tree of a folder, or None for a file.
    """

    def __init__(self, path: Path, tree: dict[str, Any]) -> None:
        super().__init__(path)
        self._folders: dict[str, RemoteFolder] = {}
        self._files: dict[str, Path] = {}
        for name, subtree in tree.items():
            if subtree is None:
                self._files[name] = path / name
            else:
                self._folders[name] = RemoteFolder(path / name, subtree)

    @classmethod
    def at(cls, path: Any) -> RemoteFolder:
        """Ask the server at an address for all names below it.

        Raises
        ------
        DataError
            If the server does not respond, or has no file there.
        """
        on_the_web = path.protocol in ("http", "https")
        try:
            names = [*_walk_web(path.fs, path.path)] if on_the_web else path.fs.find(path.path)
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
        return cls(path, tree)

    def names(self) -> list[str]:
        """Return the names of the files and folders in it, sorted."""
        return sorted([*self._folders, *self._files])

    def subfolders(self) -> list[RemoteFolder]:
        """Return the folders in it, without hidden ones."""
        return [
            folder for name, folder in self._folders.items() if not name.startswith((".", "__"))
        ]

    def files(self) -> list[Path]:
        """Return the files directly in it."""
        return [*self._files.values()]

    def walk(self) -> Iterator[Path]:
        """Yield all files below it, without hidden ones."""
        yield from (path for name, path in self._files.items() if not name.startswith("."))
        for name, folder in self._folders.items():
            if not name.startswith("."):
                yield from folder.walk()


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


def open_folder(path: Path) -> Folder:
    """Return the folder at a path, or list the one at an address.

    Raises
    ------
    DataError
        If the server of an address does not respond, or has no file there.
    """
    return RemoteFolder.at(path) if is_remote(path) else Folder(path)
