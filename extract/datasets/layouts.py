"""Read a data set from any of the usual layouts.

Layouts of a folder, tried in this order:

- ``CLASS-train/`` and ``CLASS-test/``, as in the lesson;
- ``train/CLASS/`` and ``test/CLASS/`` (also ``val``, ``valid`` or ``validation`` for the test);
- Kaggle's file names, ``CLASS.NUMBER.jpg``, in the folder itself or in its ``train/``; no split;
- ``CLASS/``: one folder per class, no split.

A data set may also be a CSV file with the columns ``path``, ``label`` and, optionally, ``split``.
All of these may be at an address that fsspec supports, and so may single images of a CSV file.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from extract.datasets.dataset import Dataset, Item, Layout, Split
from extract.datasets.folders import Folder, open_folder
from extract.datasets.split_names import SPLIT_NAMES, TEST_NAMES
from extract.datasets.tables import read_table
from extract.errors import DataError
from extract.images.decoding import IMAGE_SUFFIXES
from toolkit.addresses import is_remote, relative, sort_key
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_LESSON_FOLDER = re.compile(r"(?P<label>.+)-(?P<split>train|test)", re.DOTALL)
_KAGGLE_NAME = re.compile(r"(?P<label>[^.]+)\.\d+\.[^.]+", re.DOTALL)


def read_dataset(path: Path, name: str | None = None) -> Dataset:
    """Read the data set in a folder or a CSV file.

    Parameters
    ----------
    path : Path
        A folder in one of the module's layouts, or a ``.csv`` file; or the address of one.
    name : str, default=None
        The name of the data set; None takes the name of the folder or file.

    Returns
    -------
    Dataset
        Items have no split if the layout has none.

    Raises
    ------
    DataError
        If nothing is there, or it has none of the layouts.
    """
    if not is_remote(path):
        path = Path(path).absolute()
    if path.suffix.lower() == ".csv" and (is_remote(path) or path.is_file()):
        items, root, layout = read_table(path), path.parent, Layout("table", "a table of images")
    elif is_remote(path) or path.is_dir():
        folder = _descend(open_folder(path))
        (items, layout), root = _read_folder(folder), folder.path
    else:
        raise DataError(f"{path}: expected a folder of images or a .csv file, found neither")
    items = sorted(items, key=lambda item: sort_key(item.path))
    return Dataset(name or path.stem, root, tuple(items), layout=layout)


def images_in(path: Path) -> list[Path]:
    """Return a file or address itself, or the image files below a folder, sorted by name.

    Raises
    ------
    DataError
        If nothing is there, or the folder contains no image file.
    """
    if not is_remote(path) and path.is_dir():
        paths = sorted(Folder(path).images(), key=os.fsencode)
        if not paths:
            raise DataError(
                f"{path} contains no images: no file below it ends in {_suffixes()}; "
                "choose another folder"
            )
        return paths
    if not is_remote(path) and not os.path.lexists(path):
        raise DataError(f"there is no file or folder {path}; check the name")
    return [path]


def _read_folder(folder: Folder) -> tuple[list[Item], Layout]:
    for name, (description, reader) in _READERS.items():
        items = reader(folder)
        if items is not None:
            return items, Layout(name, description, _ignored_files(folder))
    raise DataError(
        f"{folder.path} has no layout that gives labels: expected one folder per class, "
        "CLASS-train and CLASS-test folders, train/CLASS and test/CLASS, or files named "
        f"CLASS.NUMBER.jpg; found {', '.join(folder.names()[:5]) or 'an empty folder'}"
    )


def _read_lesson(folder: Folder) -> list[Item] | None:
    matches = [(sub, _LESSON_FOLDER.fullmatch(sub.name)) for sub in folder.subfolders()]
    if not any(match for _, match in matches):
        return None
    items = []
    for sub, match in matches:
        if match is not None:
            items += _class_items(sub, match["label"], SPLIT_NAMES[match["split"]])
    return items


def _read_split_folders(folder: Folder) -> list[Item] | None:
    subfolders = {sub.name.lower(): sub for sub in folder.subfolders()}
    train = subfolders.get("train")
    if train is None or not train.subfolders():
        return None
    items = _read_class_folders(train, "train") or []
    for name in TEST_NAMES:
        if name in subfolders and subfolders[name].subfolders():
            items += _read_class_folders(subfolders[name], "test") or []
            break
    return items


def _read_class_folders(folder: Folder, split: Split | None = None) -> list[Item] | None:
    subfolders = folder.subfolders()
    if not subfolders:
        return None
    return [item for sub in subfolders for item in _class_items(sub, sub.name, split)]


def _read_kaggle(folder: Folder) -> list[Item] | None:
    folder = next((sub for sub in folder.subfolders() if sub.name == "train"), folder)
    items = []
    for path in folder.files():
        match = _KAGGLE_NAME.fullmatch(path.name)
        if match and path.suffix.lower() in IMAGE_SUFFIXES:
            items.append(Item(path, match["label"], None))
    return items or None


def _descend(folder: Folder) -> Folder:
    """Step into folders that hold a single folder, as unpacked archives often do."""
    while True:
        names = [name for name in folder.names() if not name.startswith((".", "__"))]
        subfolders = folder.subfolders()
        if len(names) != 1 or len(subfolders) != 1:
            return folder
        (only,) = subfolders
        if only.name.lower() == "train" or _LESSON_FOLDER.fullmatch(only.name):
            return folder
        if not only.subfolders() and _read_kaggle(only) is None:
            return folder
        folder = only


def _class_items(folder: Folder, label: str, split: Split | None) -> list[Item]:
    items = [Item(path, label, split) for path in folder.images()]
    if not items:
        raise DataError(
            f"class {label!r} has no images: {folder.path} contains no file ending in "
            f"{_suffixes()}; add images or remove the folder"
        )
    return items


def _suffixes() -> str:
    return ", ".join(sorted(IMAGE_SUFFIXES))


def _ignored_files(folder: Folder) -> dict[str, int]:
    """Count and log the kinds of files that are ignored: .heic may be half of a phone's images."""
    kinds = Counter(
        path.suffix.lower() or "no suffix"
        for path in folder.walk()
        if path.suffix.lower() not in IMAGE_SUFFIXES
        and not relative(path, folder.path).startswith("__")
    )
    if kinds:
        logger.info(
            "%s in %s %s ignored (%s); images end in %s",
            plural(kinds.total(), "file"),
            folder.path,
            "was" if kinds.total() == 1 else "were",
            ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5)),
            _suffixes(),
        )
    return dict(kinds)


_READERS: dict[str, tuple[str, Callable[[Folder], list[Item] | None]]] = {
    "class-split-folders": ("CLASS-train and CLASS-test folders", _read_lesson),
    "split-folders": ("train/CLASS and test/CLASS", _read_split_folders),
    "file-names": ("files named CLASS.NUMBER.jpg", _read_kaggle),
    "class-folders": ("one folder per class", _read_class_folders),
}
