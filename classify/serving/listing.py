"""Which images a user means who names files, folders and addresses."""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from classify.errors import ModelError
from extract.datasets.layouts import images_in
from toolkit.addresses import as_path, is_remote
from toolkit.wording import counted, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)


def list_images(
    arguments: Iterable[str], outside: Path | None = None, *, may_be_moved: bool = False
) -> list[str]:
    """Return the images in files, folders and addresses; log which files of a folder are none.

    Parameters
    ----------
    arguments : iterable of str
        Paths of files and folders, or addresses.
    outside : Path, optional
        A folder whose images are not meant, wherever it is: the one that images are sorted into.
    may_be_moved : bool, default=False
        Whether an earlier command may have moved images, so that it is no error if none is left.

    Returns
    -------
    list of str
        Each once, those of a folder sorted by name. Texts, because 100,000 of them take 15 MB.

    Raises
    ------
    DataError
        If nothing is there, or a folder contains no image.
    ModelError
        If an argument is in `outside`.
    """
    files: list[str] = []
    for text in arguments:
        if outside is not None:
            _refuse_inside(text, outside)
        files += _images_in(text, outside, may_be_moved)
    return list(dict.fromkeys(files))


def _refuse_inside(text: str, folder: Path) -> None:
    path = as_path(text)
    if not is_remote(path) and _is_inside(path, folder.resolve()):
        raise ModelError(
            f"{path} is in {folder}, the folder to sort into, whose images are never sorted again; "
            "choose another folder to sort into",
            setting="sort_into",
        )


def _images_in(text: str, outside: Path | None, may_be_moved: bool) -> list[str]:
    found = images_in(as_path(text), may_be_empty=may_be_moved)
    if not found.paths:
        logger.info("%s: no image is left there", text)
    paths = found.paths if outside is None else _outside(found.paths, outside.resolve())
    if found.passed_over:
        kinds = ", ".join(counted(number, kind) for kind, number in found.passed_over.items())
        logger.info("%s: %s; not looked at: %s", text, plural(len(paths), "image"), kinds)
    if len(paths) < len(found.paths):
        n_inside = plural(len(found.paths) - len(paths), "image")
        logger.info("%s: not looked at: %s in %s", text, n_inside, outside)
    if found.disguised:
        logger.info(
            "%s: %s by content, for example %s; name them one by one, or rename them",
            text,
            plural(len(found.disguised), "of these is an image", "of these are images"),
            found.disguised[0],
        )
    return [str(path) for path in paths]


def _outside(paths: list[Path], folder: Path) -> list[Path]:
    """Return the paths that are not in a folder; links to it count as the folder itself."""
    is_in = cache(lambda parent: _is_inside(Path(parent), folder))
    return [path for path in paths if is_remote(path) or not is_in(os.fspath(path.parent))]


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)
