"""From a cell of a table to the file that it names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

from extract.datasets.folders import read_tree
from extract.datasets.split_names import split_of
from extract.errors import DataError
from extract.images.formats import IMAGE_SUFFIXES
from toolkit.addresses import as_path, is_address, is_remote, relative
from toolkit.errors import ToolkitError
from toolkit.wording import plural


class Finder:
    """Find the files that a table names.

    A name is a path relative to the table, with slashes or backslashes, or an address. What is not
    there is looked up among the images below the folder of the table: by its name, without regard
    to case where that is unambiguous; or, if it has no suffix of an image format, as the name of an
    image without its suffix, or as its number without the zeros in front. Of an absolute path of
    another machine, the end is looked up.

    Parameters
    ----------
    table : Path
        The table.
    encoding : str, default="utf-8"
        Its encoding, for names that the file system keeps in it.
    folder : Path, default=None
        The folder that the names are relative to; None is that of the table.
    """

    def __init__(self, table: Path, encoding: str = "utf-8", folder: Path | None = None) -> None:
        self._table, self.folder, self._encoding = table, folder or table.parent, encoding
        self._images: dict[str, list[PurePosixPath]] | None = None
        self._looked_up: list[tuple[str, Path]] = []
        self._beginning: tuple[str, ...] = ()

    def find(self, name: str) -> Path | None:
        """Return the file or address that a cell names; None if there is none.

        Raises
        ------
        DataError
            If several images fit.
        """
        path, was_looked_up = self._find(name)
        if path is not None and was_looked_up:
            self._looked_up.append((name, path))
        return path

    def exists(self, name: str) -> bool:
        """Tell whether a cell names at least one file or address."""
        try:
            return self._find(name)[0] is not None
        except ToolkitError:
            return True

    def _find(self, name: str) -> tuple[Path | None, bool]:
        if is_address(name):
            return as_path(name), False
        plain = name.replace("\\", "/")
        if is_remote(self.folder):
            return self.folder / plain, False
        for written in dict.fromkeys((name, plain, self._as_stored(plain))):
            path = self.folder / written
            if _is_there(path):
                return path, False
        return self._look_up(name, PurePosixPath(plain)), True

    def remarks(self) -> tuple[str, ...]:
        """Return a sentence about the names that had to be looked up."""
        if not self._looked_up:
            return ()
        name, path = self._looked_up[0]
        names = plural(len(self._looked_up), "name")
        found = relative(path, self.folder)
        verb = "was" if len(self._looked_up) == 1 else "were"
        return (f"{names} {verb} looked up among the images, as {name!r} is {found!r}.",)

    def _as_stored(self, name: str) -> str:
        if self._encoding.startswith("utf"):
            return name
        return os.fsdecode(name.encode(self._encoding, "surrogateescape"))

    def _look_up(self, name: str, plain: PurePosixPath) -> Path | None:
        if not plain.parts or ".." in plain.parts:
            return None
        if plain.is_absolute() or re.match("[A-Za-z]:", plain.parts[0]):
            return self._moved(plain)
        if self._images is None:
            self._images = self._listing()
        fitting = [
            image for image in self._images.get(_key(plain.name), ()) if _ends_with(image, plain)
        ]
        if not fitting and len(plain.parts) == 1 and not plain.name.startswith("0"):
            fitting = self._images.get(_number(plain), [])
        exact = [image for image in fitting if _ends_with(image, plain, exactly=True)]
        beside = [image for image in exact or fitting if len(image.parts) == len(plain.parts)]
        chosen = beside or self._of_the_same_split(exact or fitting)
        if len(chosen) > 1:
            both = " or ".join(str(image) for image in sorted(chosen)[:2])
            more = f", or one of {plural(len(chosen) - 2, 'other')}" if chosen[2:] else ""
            raise DataError(
                f"{self._table}: {name!r} may be {both}{more}; write paths with their folder and "
                "suffix, relative to the table"
            )
        if not chosen:
            return None
        return self.folder / str(chosen[0])

    def _moved(self, absolute: PurePosixPath) -> Path | None:
        """Find a path of another machine below the folder, without its beginning.

        The beginning is the same for all paths, so that no image is taken for another.
        """
        parts = absolute.parts
        beginnings = (
            [self._beginning] if self._beginning else [parts[:n] for n in range(1, len(parts))]
        )
        for beginning in beginnings:
            rest = parts[len(beginning) :]
            path = self.folder.joinpath(*rest)
            if rest and parts[: len(beginning)] == beginning and _is_there(path):
                self._beginning = beginning
                return path
        return None

    def _of_the_same_split(self, images: list[PurePosixPath]) -> list[PurePosixPath]:
        """Keep those in ``train/`` if the table is called ``train.csv`` and others are not."""
        word = split_of(self._table.stem)
        same = [image for image in images if word and word in map(split_of, image.parts[:-1])]
        return same or images

    def _listing(self) -> dict[str, list[PurePosixPath]]:
        """Return the images below the folder by their names, with and without suffix."""
        images: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in read_tree(self.folder).all_images():
            image = PurePosixPath(path.relative_to(self.folder).as_posix())
            for key in {_key(image.name), _key(image.stem), _number(image)} - {""}:
                images[key].append(image)
        return images


def _is_there(path: Path) -> bool:
    return os.path.lexists(path) and not path.is_dir()


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _number(name: PurePosixPath) -> str:
    """Return a key for names that are the same number; spreadsheets remove the zeros in front."""
    stem = name.stem if name.suffix.lower() in IMAGE_SUFFIXES else name.name
    return f"number {stem.lstrip('0')}" if stem.isdecimal() else ""


def _ends_with(image: PurePosixPath, name: PurePosixPath, *, exactly: bool = False) -> bool:
    """Tell whether the path of an image ends with a name, which may lack the suffix."""
    last = image.name if name.suffix.lower() in IMAGE_SUFFIXES else image.stem
    parts = [*image.parts[:-1], last][-len(name.parts) :]
    if exactly:
        return tuple(parts) == name.parts
    return [_key(part) for part in parts] == [_key(part) for part in name.parts]
