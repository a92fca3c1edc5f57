"""Which image has which label and which split, read from any of the usual layouts.

Layouts of a folder, tried in this order:

- ``CLASS-train/`` and ``CLASS-test/``, as in the lesson;
- ``train/CLASS/`` and ``test/CLASS/`` (also ``val``, ``valid`` or ``validation`` for the test);
- ``CLASS/``: one folder per class, no split;
- Kaggle's file names, ``CLASS.NUMBER.jpg``, in the folder itself or in its ``train/``; no split.

Or a CSV file with the columns ``path,label`` and, if it likes, ``split``.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import logging
import math
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from extract.errors import DataError
from extract.images import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Split = Literal["train", "test"]

logger = logging.getLogger(__name__)

_TEST_FOLDERS = ("test", "val", "valid", "validation")
_LESSON_FOLDER = re.compile(r"(?P<label>.+)-(?P<split>train|test)", re.DOTALL)
_KAGGLE_NAME = re.compile(r"(?P<label>[^.]+)\.\d+\.[^.]+", re.DOTALL)
_SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(_TEST_FOLDERS, "test"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One image file of a data set."""

    path: Path
    label: str
    split: Split | None


@dataclass(frozen=True)
class Dataset:
    """Images with their labels and splits, in the order of their paths.

    Parameters
    ----------
    name : str
        For people.
    root : Path
        Folder that the images lie in.
    items : tuple of Item
        Sorted by path within the data set.
    split : str
        How the test split came about, in words.
    """

    name: str
    root: Path
    items: tuple[Item, ...]
    split: str = "as given"

    @property
    def classes(self) -> list[str]:
        """Class names, sorted: class `i` is `classes[i]`."""
        return sorted({item.label for item in self.items})

    @property
    def has_split(self) -> bool:
        """Whether any image is in a test split."""
        return any(item.split == "test" for item in self.items)

    def __len__(self) -> int:
        return len(self.items)

    def relative(self, path: Path) -> str:
        """Return an image's path below `root`, or its full path if it lies elsewhere."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def with_hashed_split(self, digests: Sequence[str], test_size: float, seed: int) -> Dataset:
        """Put a share of every class into a test split, by the images' content.

        An image's side depends on its own bytes, the seed and the share alone. Adding or removing
        other images never moves it, and two copies of one image are never on different sides.
        A class that would be left without a test (or a training) image gives the one nearest to
        the border.

        Parameters
        ----------
        digests : sequence of str
            SHA-256 of each image file's bytes, as hexadecimal digits, in the order of `items`.
        test_size : float
            Share of the images in the test split, between 0 and 1.
        seed : int
            Another seed gives another split.

        Returns
        -------
        Dataset
            The same images, each with a split.

        Raises
        ------
        DataError
            If `test_size` is not between 0 and 1.
        """
        if not 0 < test_size < 1:
            raise DataError(f"test size must be between 0 and 1, not {test_size}")
        draws = [_draw(digest, seed) for digest in digests]
        borders = {
            label: _border(
                [d for d, item in zip(draws, self.items, strict=True) if item.label == label],
                test_size,
            )
            for label in self.classes
        }
        items = tuple(
            dataclasses.replace(item, split="test" if draw < borders[item.label] else "train")
            for draw, item in zip(draws, self.items, strict=True)
        )
        n_test = sum(item.split == "test" for item in items)
        words = (
            f"{n_test} of {len(items)} drawn for the test by their content, about {test_size:.0%} "
            f"of every class, seed {seed}"
        )
        return dataclasses.replace(self, items=items, split=words)


def read(path: Path, name: str | None = None) -> Dataset:
    """Read the data set in a folder or a CSV file.

    Parameters
    ----------
    path : Path
        A folder in one of the module's layouts, or a ``.csv`` file.
    name : str, optional
        What to call the data set; the folder's or file's name by default.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is nothing there, or no layout fits what is there.
    """
    path = Path(path).absolute()
    if path.is_file() and path.suffix.lower() == ".csv":
        items, root = _read_csv(path), path.parent
    elif path.is_dir():
        root = _descend(path)
        items = _read_folder(root)
        _note_what_is_passed_over(root)
    else:
        raise DataError(f"{path}: expected a folder of images or a .csv file, found neither")
    items = sorted(items, key=lambda item: os.fsencode(item.path))
    return Dataset(name or path.stem, root, tuple(items))


def images_in(path: Path) -> list[Path]:
    """Return a file itself, or the image files below a folder in the order of their names.

    Raises
    ------
    DataError
        If there is nothing there, or the folder holds no image file.
    """
    if path.is_dir():
        found = sorted(find_images(path), key=os.fsencode)
        if not found:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise DataError(f"{path} holds no image: no file below it ends in {kinds}")
        return found
    if not os.path.lexists(path):
        raise DataError(f"there is no file or folder {path}")
    return [path]


def find_images(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder` whose names say that they are images, in no given order.

    Hidden files and folders are passed over; links to folders are not followed.
    """
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            if not file.startswith(".") and Path(file).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(parent, file)


def _read_folder(folder: Path) -> list[Item]:
    for reader in (_read_lesson, _read_split_folders, _read_kaggle, _read_class_folders):
        items = reader(folder)
        if items is not None:
            return items
    found = sorted(entry.name for entry in folder.iterdir())[:5]
    raise DataError(
        f"{folder} is in no layout that tells labels: expected a folder per class, CLASS-train and "
        f"CLASS-test folders, train/CLASS and test/CLASS, or files named CLASS.NUMBER.jpg; found "
        f"{', '.join(found) or 'an empty folder'}"
    )


def _read_lesson(folder: Path) -> list[Item] | None:
    matches = [(sub, _LESSON_FOLDER.fullmatch(sub.name)) for sub in _subfolders(folder)]
    if not any(match for _, match in matches):
        return None
    items = []
    for sub, match in matches:
        if match is not None:
            split = _SPLIT_WORDS[match["split"]]
            items += _label(sub, match["label"], split)
    return items


def _read_split_folders(folder: Path) -> list[Item] | None:
    names = {sub.name.lower(): sub for sub in _subfolders(folder)}
    train = names.get("train")
    if train is None or not _subfolders(train):
        return None
    items = _read_class_folders(train, "train") or []
    for name in _TEST_FOLDERS:
        if name in names and _subfolders(names[name]):
            items += _read_class_folders(names[name], "test") or []
            break
    return items


def _read_class_folders(folder: Path, split: Split | None = None) -> list[Item] | None:
    subfolders = _subfolders(folder)
    if not subfolders:
        return None
    return [item for sub in subfolders for item in _label(sub, sub.name, split)]


def _read_kaggle(folder: Path) -> list[Item] | None:
    if (folder / "train").is_dir():
        folder = folder / "train"
    items = []
    for entry in folder.iterdir():
        match = _KAGGLE_NAME.fullmatch(entry.name)
        if match and entry.suffix.lower() in IMAGE_SUFFIXES:
            items.append(Item(entry, match["label"], None))
    return items or None


def _descend(folder: Path) -> Path:
    """Step into folders that hold one folder and nothing else, as unpacked archives often do."""
    while True:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__"))]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        only = entries[0]
        if only.name.lower() == "train" or _LESSON_FOLDER.fullmatch(only.name):
            return folder
        if not _subfolders(only) and _read_kaggle(only) is None:
            return folder
        folder = only


def _subfolders(folder: Path) -> list[Path]:
    return [
        sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith((".", "__"))
    ]


def _label(folder: Path, label: str, split: Split | None) -> list[Item]:
    items = [Item(path, label, split) for path in find_images(folder)]
    if not items:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(
            f"class {label!r} has a folder without images: {folder} holds no file ending in "
            f"{kinds}; add images or remove the folder"
        )
    return items


def _read_csv(path: Path) -> list[Item]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            if "path" not in columns or "label" not in columns:
                raise DataError(
                    f"{path}: expected the columns path,label and perhaps split, with commas "
                    f"between, found {','.join(columns) or 'an empty file'}"
                )
            items = [_csv_item(path, reader.line_num, row) for row in reader]
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
    if any(item.split for item in items):
        for item in items:
            if item.split is None:
                raise DataError(
                    f"{path}: {item.path.name} has no split, but others have; fill the column in "
                    "for every row, or for none"
                )
    if not items:
        raise DataError(f"{path}: expected a row for each image, found none below the heading")
    return _without_repeats(path, items)


def _csv_item(path: Path, line: int, row: dict[str, str | None]) -> Item:
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    word = (row.get("split") or "").strip().lower()
    if not name or not label:
        raise DataError(f"{path}, line {line}: expected a path and a label, found {name},{label}")
    if word and word not in _SPLIT_WORDS:
        raise DataError(
            f"{path}, line {line}: split is {word!r}; expected one of {', '.join(_SPLIT_WORDS)}"
        )
    image = path.parent / name
    if not os.path.lexists(image):
        raise DataError(
            f"{path}, line {line}: there is no file {image}; paths are relative to the CSV file"
        )
    return Item(image, label, _SPLIT_WORDS[word] if word else None)


def _note_what_is_passed_over(folder: Path) -> None:
    """Say which kinds of files are not looked at: a telephone's .heic may be half of the data."""
    kinds = Counter(
        Path(file).suffix.lower() or "no suffix"
        for parent, folders, files in os.walk(folder)
        for file in files
        if not Path(parent, file).relative_to(folder).as_posix().startswith((".", "__"))
        and not file.startswith(".")
        and Path(file).suffix.lower() not in IMAGE_SUFFIXES
    )
    if kinds:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        logger.info(
            "%d files in %s were not looked at (%s); images end in %s",
            kinds.total(),
            folder,
            listed,
            ", ".join(sorted(IMAGE_SUFFIXES)),
        )


def _without_repeats(path: Path, items: Iterable[Item]) -> list[Item]:
    kept: dict[Path, Item] = {}
    for item in items:
        known = kept.setdefault(item.path, item)
        if known != item:
            raise DataError(
                f"{path}: {item.path.name} stands twice, once as {known.label} ({known.split}) and "
                f"once as {item.label} ({item.split}); keep one of the rows"
            )
    return list(kept.values())


def _draw(digest: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on an image's content and the seed alone."""
    mixed = hashlib.sha256(f"{seed}:{digest}".encode("ascii")).digest()
    return int.from_bytes(mixed[:8], "big") / 2**64


def _border(draws: Sequence[float], test_size: float) -> float:
    """Return the draw below which a class's images are test images: both sides get one."""
    lowest, highest = min(draws), max(draws)
    if lowest == highest:
        return test_size
    return min(max(test_size, math.nextafter(lowest, 1.0)), highest)


def counts(items: Iterable[Item], classes: Sequence[str], split: Split) -> list[int]:
    """Return the number of items of each class in one split, in the order of `classes`."""
    tally = Counter(item.label for item in items if item.split == split)
    return [tally[label] for label in classes]
