"""A folder of pictures on this machine, or the listing of one elsewhere.

What is elsewhere is listed once, as a whole: most stores have no folders, only names with slashes
in them, and none of them answers quickly enough to be asked about every name.
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
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.name

    def names(self) -> list[str]:
        """Return what lies in it, sorted."""
        return sorted(entry.name for entry in self.path.iterdir())

    def subfolders(self) -> list[Self]:
        """Return the folders in it, links to folders included, but no hidden ones."""
        return [
            type(self)(sub)
            for sub in self.path.iterdir()
            if sub.is_dir() and not sub.name.startswith((".", "__"))
        ]

    def files(self) -> list[Path]:
        """Return the files that lie in it, and not below."""
        return [entry for entry in self.path.iterdir() if not entry.is_dir()]

    def walk(self) -> Iterator[Path]:
        """Yield all files below it, in no given order.

        Hidden files and folders are passed over; links to folders are not followed.
        """
        for parent, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (Path(parent, file) for file in files if not file.startswith("."))

    def images(self) -> Iterator[Path]:
        """Yield the files below it whose names say that they are images, in no given order."""
        return (path for path in self.walk() if path.suffix.lower() in IMAGE_SUFFIXES)


class Listing(Folder):
    """A folder at an address.

    Parameters
    ----------
    path : Path
        The address.
    entries : dict from str to (Listing or Path)
        What lies in it, by name.
    """

    def __init__(self, path: Path, entries: dict[str, Listing | Path]) -> None:
        super().__init__(path)
        self._entries = entries

    @classmethod
    def of(cls, path: Any) -> Listing:
        """Ask the server at an address for all names below it.

        Raises
        ------
        DataError
            If it does not answer, or there is nothing.
        """
        on_the_web = path.protocol in ("http", "https")
        try:
            names = list(_walk(path.fs, path.path)) if on_the_web else path.fs.find(path.path)
            if not names:
                path.fs.ls(path.path)  # which says why, where `find` does not
        except Exception as error:
            reason = (
                "there is nothing, or nobody answers"
                if isinstance(error, FileNotFoundError)
                else error
            )
            raise DataError(f"{path} cannot be listed: {reason}") from error
        top: dict[str, Any] = {}
        root = path.fs._strip_protocol(path.path).rstrip("/")
        for name in names:
            inside = top
            *parents, last = PurePosixPath(name.removeprefix(root).lstrip("/")).parts or ("",)
            for parent in parents:
                # A store may have a name that is the folder of others; the folder counts.
                if inside.get(parent) is None:
                    inside[parent] = {}
                inside = inside[parent]
            inside.setdefault(last, None)
        if not top:
            raise DataError(f"there is no file below {path}")
        return cls._made(path, top)

    @classmethod
    def _made(cls, path: Path, tree: dict[str, Any]) -> Listing:
        return cls(
            path,
            {
                name: path / name if below is None else cls._made(path / name, below)
                for name, below in tree.items()
            },
        )

    def names(self) -> list[str]:
        """Return what lies in it, sorted."""
        return sorted(self._entries)

    def subfolders(self) -> list[Listing]:
        """Return the folders in it, but no hidden ones."""
        return [
            entry
            for name, entry in self._entries.items()
            if isinstance(entry, Listing) and not name.startswith((".", "__"))
        ]

    def files(self) -> list[Path]:
        """Return the files that lie in it, and not below."""
        return [entry for entry in self._entries.values() if not isinstance(entry, Listing)]

    def walk(self) -> Iterator[Path]:
        """Yield all files below it but hidden ones."""
        for name, entry in self._entries.items():
            if name.startswith("."):
                continue
            if isinstance(entry, Listing):
                yield from entry.walk()
            else:
                yield entry


def _walk(fs: Any, folder: str) -> Iterator[str]:
    """Yield the names of all files below a folder of a web server.

    `find` would pass over a folder that does not answer.
    """
    for entry in fs.ls(folder, detail=True):
        if entry["type"] != "directory":
            yield entry["name"]
        elif entry["name"].rstrip("/") != folder.rstrip("/"):
            yield from _walk(fs, entry["name"])


def folder_at(path: Path) -> Folder:
    """Return the folder at a path, or list what is at an address.

    Raises
    ------
    DataError
        If an address does not answer, or there is nothing.
    """
    return Listing.of(path) if is_remote(path) else Folder(path)
