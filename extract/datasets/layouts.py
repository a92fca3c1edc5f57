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

import csv
import io
import logging
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from extract.datasets.dataset import Dataset, Item, Split
from extract.datasets.folders import Folder, open_folder
from extract.errors import DataError
from extract.images.decoding import IMAGE_SUFFIXES
from toolkit.addresses import as_path, is_address, is_remote, read_remote, relative, sort_key
from toolkit.errors import AddressError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

_TEST_FOLDERS = ("test", "val", "valid", "validation")
_LESSON_FOLDER = re.compile(r"(?P<label>.+)-(?P<split>train|test)", re.DOTALL)
_KAGGLE_NAME = re.compile(r"(?P<label>[^.]+)\.\d+\.[^.]+", re.DOTALL)
_MAX_BYTES_OF_CSV = 2**30
_SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(_TEST_FOLDERS, "test"),
}


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
        items, root = _read_csv(path), path.parent
    elif is_remote(path) or path.is_dir():
        folder = _descend(open_folder(path))
        items, root = _read_folder(folder), folder.path
        _note_ignored_files(folder)
    else:
        raise DataError(f"{path}: expected a folder of images or a .csv file, found neither")
    items = sorted(items, key=lambda item: sort_key(item.path))
    return Dataset(name or path.stem, root, tuple(items))


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


def _read_folder(folder: Folder) -> list[Item]:
    for reader in (_read_lesson, _read_split_folders, _read_kaggle, _read_class_folders):
        items = reader(folder)
        if items is not None:
            return items
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
            items += _class_items(sub, match["label"], _SPLIT_NAMES[match["split"]])
    return items


def _read_split_folders(folder: Folder) -> list[Item] | None:
    subfolders = {sub.name.lower(): sub for sub in folder.subfolders()}
    train = subfolders.get("train")
    if train is None or not train.subfolders():
        return None
    items = _read_class_folders(train, "train") or []
    for name in _TEST_FOLDERS:
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


def _note_ignored_files(folder: Folder) -> None:
    """Log which kinds of files are ignored: the .heic files of a phone may be half of the data."""
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


# --- CSV files -----------------------------------------------------------------------------------


def _read_csv(path: Path) -> list[Item]:
    try:
        with _open_csv(path) as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            if "path" not in columns or "label" not in columns:
                raise DataError(
                    f"{path}: expected the columns path,label and optionally split, separated by "
                    f"commas, found {','.join(columns) or 'an empty file'}"
                )
            items = [_csv_item(path, reader.line_num, row) for row in reader]
    except AddressError:
        raise
    except (OSError, csv.Error) as error:
        is_missing = is_remote(path) and isinstance(error, FileNotFoundError)
        reason = "there is no such file" if is_missing else error
        raise DataError(f"{path} cannot be read as CSV: {reason}") from error
    if not items:
        raise DataError(f"{path}: expected one row per image, found none below the header")
    _check_splits(path, items)
    return _without_repeats(path, items)


def _open_csv(path: Path) -> TextIO:
    if not is_remote(path):
        return path.open(newline="", encoding="utf-8-sig", errors="surrogateescape")
    data = read_remote(path, _MAX_BYTES_OF_CSV)
    if len(data) > _MAX_BYTES_OF_CSV:
        raise DataError(f"{path} is larger than {_MAX_BYTES_OF_CSV // 2**20} MiB")
    return io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline="")


def _csv_item(path: Path, line: int, row: dict[str, str | None]) -> Item:
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    split = (row.get("split") or "").strip().lower()
    if not name or not label:
        raise DataError(f"{path}, line {line}: expected a path and a label, found {name},{label}")
    if split and split not in _SPLIT_NAMES:
        raise DataError(
            f"{path}, line {line}: the split is {split!r}; expected one of "
            f"{', '.join(_SPLIT_NAMES)}"
        )
    image = as_path(name) if is_address(name) else path.parent / name
    if not is_remote(image) and not os.path.lexists(image):
        raise DataError(
            f"{path}, line {line}: there is no file {image}; paths are relative to the CSV file"
        )
    return Item(image, label, _SPLIT_NAMES[split] if split else None)


def _check_splits(path: Path, items: Iterable[Item]) -> None:
    """Raise an error if some rows have a split and others have none."""
    unsplit = [item for item in items if item.split is None]
    if unsplit and any(item.split for item in items):
        raise DataError(
            f"{path}: {unsplit[0].path.name} has no split, but other rows have one; fill in the "
            "column for every row or for none"
        )


def _without_repeats(path: Path, items: Iterable[Item]) -> list[Item]:
    kept: dict[Path, Item] = {}
    for item in items:
        known = kept.setdefault(item.path, item)
        if known != item:
            raise DataError(
                f"{path}: {item.path.name} appears twice, once as {known.label} ({known.split}) "
                f"and once as {item.label} ({item.split}); keep one of the rows"
            )
    return list(kept.values())
