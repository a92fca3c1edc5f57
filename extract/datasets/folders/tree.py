"""Read a folder with everything below it, once: on this machine or at an address."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from extract.datasets.folders.litter import is_named_litter, is_unread_picture, reason_for_folder
from extract.datasets.folders.remote import list_address
from extract.errors import DataError
from extract.images.formats import IMAGE_SUFFIXES, format_of
from toolkit.addresses import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MAX_DEPTH = 64
_LOOKED_INTO = 1000
"""Files without the suffix of an image whose first bytes are looked at."""
_FIRST_BYTES = 256

_Identity = tuple[int, int]


@dataclass(eq=False)
class Folder:
    """A folder with everything below it that may be data.

    Parameters
    ----------
    path : Path
        The folder or its address.
    folders : list of Folder
        Sorted by name, without those that are passed over.
    images : list of Path
        Files directly in it that have the suffix of an image.
    others : list of Path
        The other files directly in it, without hidden ones.
    passed_over : Counter
        Reason -> number of files and folders directly in it that are not data.
    """

    path: Path
    folders: list[Folder] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    def walk(self) -> Iterator[Folder]:
        """Yield this folder and all below it."""
        yield self
        for folder in self.folders:
            yield from folder.walk()

    def all_images(self) -> list[Path]:
        """Return the images in it and below it."""
        return [path for folder in self.walk() for path in folder.images]

    @property
    def filled(self) -> list[Folder]:
        """The folders in it that have images in or below them."""
        return [folder for folder in self.folders if folder.has_images]

    @cached_property
    def has_images(self) -> bool:
        """Whether there is any image in it or below it."""
        return bool(self.images) or any(folder.has_images for folder in self.folders)

    def add_file(self, path: Path) -> None:
        """Put a file where it belongs."""
        if path.name.startswith("."):
            self.passed_over["hidden files"] += 1
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            self.images.append(path)
        else:
            self.others.append(path)


def read_tree(path: Path) -> Folder:
    """Read a folder and all below it.

    Links to folders are followed, but not back to a folder that they are in, and not twice to the
    same one. If no file has the suffix of an image, those without any suffix that begin as an image
    does are images.

    Raises
    ------
    DataError
        If a folder cannot be listed, folders are nested too deeply, or the server of an address
        does not respond.
    """
    if is_remote(path):
        return _from_names(path, list_address(path))
    above = tuple(_identity(parent) for parent in path.resolve().parents)
    root = _LocalReader().read(path, _entries(path), above)
    if not any(folder.images for folder in root.walk()):
        _take_by_content(root)
    return root


class _LocalReader:
    """Reads folders of this machine, and remembers the links that it has followed."""

    def __init__(self) -> None:
        self._followed: set[_Identity] = set()

    def read(
        self,
        path: Path,
        entries: list[os.DirEntry[str]],
        parents: tuple[_Identity, ...],
        depth: int = 0,
    ) -> Folder:
        if depth > MAX_DEPTH:
            raise DataError(f"{path}: folders are nested more than {MAX_DEPTH} deep; move the data")
        folder = Folder(path)
        parents = (*parents, _identity(path))
        for entry in entries:
            if not _is_folder(entry):
                folder.add_file(path / entry.name)
                continue
            reason = self._reason_before_listing(entry, parents)
            inner = [] if reason else _entries(path / entry.name)
            reason = reason or reason_for_folder(entry.name, {each.name for each in inner})
            if reason:
                folder.passed_over[reason] += 1
            else:
                folder.folders.append(self.read(path / entry.name, inner, parents, depth + 1))
        return folder

    def _reason_before_listing(
        self, entry: os.DirEntry[str], parents: tuple[_Identity, ...]
    ) -> str | None:
        if is_named_litter(entry.name):
            return reason_for_folder(entry.name, set())
        if entry.is_symlink():
            target = _identity(Path(entry.path))
            if target in parents:
                return "links in a circle"
            if target in self._followed:
                return "links to the folder of another link"
            self._followed.add(target)
        return None


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise DataError(
            f"the folder {path} cannot be listed: {error.strerror or error}; make it readable, or "
            "move it out of the data"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def _from_names(path: Path, tree: Mapping[str, Any]) -> Folder:
    folder = Folder(path)
    for name, subtree in sorted(tree.items()):
        if subtree is None:
            folder.add_file(path / name)
        elif reason := reason_for_folder(name, set(subtree)):
            folder.passed_over[reason] += 1
        else:
            folder.folders.append(_from_names(path / name, subtree))
    return folder


def _take_by_content(root: Folder) -> None:
    """Count files without a suffix as images if they begin as one does."""
    for folder in root.walk():
        taken = [
            path for path in folder.others if not suffix_of(path) and is_image_by_content(path)
        ]
        folder.images += taken
        folder.others = [path for path in folder.others if path not in set(taken)]


def suffix_of(path: Path) -> str:
    """Return the suffix of a file in lower case; the number in ``cat.4001`` is none.

    Examples
    --------
    >>> suffix_of(Path("a.JPG")), suffix_of(Path("cat.4001")), suffix_of(Path("a.7z"))
    ('.jpg', '', '.7z')
    """
    return "" if path.suffix[1:].isdecimal() else path.suffix.lower()


def is_image_by_content(path: Path) -> bool:
    """Tell whether a file on this machine begins as one of the image formats does."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return format_of(file.read(_FIRST_BYTES)) is not None
    except OSError:
        return False


def images_in_disguise(root: Folder) -> list[Path]:
    """Return files that are images by their content, or unread pictures by their suffix.

    Only the first files are looked into, and none at an address.
    """
    others = [path for folder in root.walk() for path in folder.others]
    if is_remote(root.path):
        return []
    unknown = [path for path in others if not is_unread_picture(path)]
    return [path for path in unknown[:_LOOKED_INTO] if is_image_by_content(path)]
