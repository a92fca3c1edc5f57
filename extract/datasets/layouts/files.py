"""Find the images in files and folders, without labels."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extract.datasets.folders.litter import is_archive
from extract.datasets.folders.tree import (
    images_in_disguise,
    is_image_by_content,
    read_tree,
)
from extract.datasets.layouts.reader import count_no_images, no_images
from extract.errors import DataError
from toolkit.addresses import is_remote, sort_key

if TYPE_CHECKING:
    from pathlib import Path

_LIST = re.compile(r"\.(csv|tsv|xlsx?|ods|parquet|jsonl?|txt)", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """The images in a folder, and what else is there.

    Parameters
    ----------
    paths : list of Path
        The images, sorted by name.
    passed_over : dict of str to int, default={}
        Reason -> number of files and folders that are no images.
    disguised : list of Path, default=[]
        Files that are images by their content only.
    """

    paths: list[Path]
    passed_over: dict[str, int] = field(default_factory=dict)
    disguised: list[Path] = field(default_factory=list)


def images_in(path: Path, *, may_be_empty: bool = False) -> Found:
    """Return a file or address itself, or the image files below a folder.

    Parameters
    ----------
    path : Path
    may_be_empty : bool, default=False
        Whether it is no error if nothing is there, or a folder contains no image file.

    Raises
    ------
    DataError
        If nothing is there, or the folder contains no image file.
    """
    if is_remote(path) or not path.is_dir():
        if not is_remote(path) and not os.path.lexists(path):
            if may_be_empty:
                return Found([])
            raise DataError(f"there is no file or folder {path}; check the name")
        if is_remote(path) or not is_image_by_content(path):
            _refuse_collections(path)
        return Found([path])
    tree = read_tree(path)
    if not tree.has_images and not may_be_empty:
        raise no_images(tree)
    return Found(
        sorted(tree.all_images(), key=sort_key),
        dict(count_no_images(tree)),
        images_in_disguise(tree),
    )


def _refuse_collections(path: Path) -> None:
    if is_archive(path):
        raise DataError(f"{path} is an archive, not an image; unpack it and give its folder")
    if _LIST.fullmatch(path.suffix):
        raise DataError(
            f"{path} is a table or a text, not an image; give the images that it lists, or their "
            "folder"
        )
