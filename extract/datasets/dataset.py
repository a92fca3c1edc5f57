"""Which image has which label and which split, read from any of the usual layouts.

Layouts of a folder, tried in this order:

- ``CLASS-train/`` and ``CLASS-test/``, as in the lesson;
- ``train/CLASS/`` and ``test/CLASS/`` (also ``val``, ``valid`` or ``validation`` for the test);
- ``CLASS/``: one folder per class, no split;
- Kaggle's file names, ``CLASS.NUMBER.jpg``, in the folder itself or in its ``train/``; no split.

Or a CSV file with the columns ``path,label`` and, if it likes, ``split``. Any of it may be at an
address that fsspec knows, and so may a single picture of a CSV file.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import logging
import math
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from extract.datasets.folders import Folder, folder_at
from extract.errors import DataError
from extract.images.decoding import IMAGE_SUFFIXES
from toolkit.addresses import is_address, is_remote, place, read_remote, relative, sort_key
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Split = Literal["train", "test"]

logger = logging.getLogger(__name__)

_TEST_FOLDERS = ("test", "val", "valid", "validation")
_LESSON_FOLDER = re.compile(r"(?P<label>.+)-(?P<split>train|test)", re.DOTALL)
_KAGGLE_NAME = re.compile(r"(?P<label>[^.]+)\.\d+\.[^.]+", re.DOTALL)
_MAX_BYTES_OF_CSV = 2**30
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
        return relative(path, self.root)

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
        A folder in one of the module's layouts, or a ``.csv`` file; or the address of one.
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
    if not is_remote(path):
        path = Path(path).absolute()
    if path.suffix.lower() == ".csv" and (is_remote(path) or path.is_file()):
        items, root = _read_csv(path), path.parent
    elif is_remote(path) or path.is_dir():
        folder = _descend(folder_at(path))
        items, root = _read_folder(folder), folder.path
        _note_what_is_passed_over(folder)
    else:
        raise DataError(f"{path}: expected a folder of images or a .csv file, found neither")
    items = sorted(items, key=lambda item: sort_key(item.path))
    return Dataset(name or path.stem, root, tuple(items))


def images_in(path: Path) -> list[Path]:
    """Return a file or address itself, or the image files below a folder, sorted by name.

    Raises
    ------
    DataError
        If there is nothing there, or the folder holds no image file.
    """
    if not is_remote(path) and path.is_dir():
        found = sorted(Folder(path).images(), key=os.fsencode)
        if not found:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise DataError(f"{path} holds no image: no file below it ends in {kinds}")
        return found
    if not is_remote(path) and not os.path.lexists(path):
        raise DataError(f"there is no file or folder {path}")
    return [path]


def _read_folder(folder: Folder) -> list[Item]:
    for reader in (_read_lesson, _read_split_folders, _read_kaggle, _read_class_folders):
        items = reader(folder)
        if items is not None:
            return items
    raise DataError(
        f"{folder.path} is in no layout that tells labels: expected a folder per class, "
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
            split = _SPLIT_WORDS[match["split"]]
            items += _label(sub, match["label"], split)
    return items


def _read_split_folders(folder: Folder) -> list[Item] | None:
    names = {sub.name.lower(): sub for sub in folder.subfolders()}
    train = names.get("train")
    if train is None or not train.subfolders():
        return None
    items = _read_class_folders(train, "train") or []
    for name in _TEST_FOLDERS:
        if name in names and names[name].subfolders():
            items += _read_class_folders(names[name], "test") or []
            break
    return items


def _read_class_folders(folder: Folder, split: Split | None = None) -> list[Item] | None:
    subfolders = folder.subfolders()
    if not subfolders:
        return None
    return [item for sub in subfolders for item in _label(sub, sub.name, split)]


def _read_kaggle(folder: Folder) -> list[Item] | None:
    folder = next((sub for sub in folder.subfolders() if sub.name == "train"), folder)
    items = []
    for path in folder.files():
        match = _KAGGLE_NAME.fullmatch(path.name)
        if match and path.suffix.lower() in IMAGE_SUFFIXES:
            items.append(Item(path, match["label"], None))
    return items or None


def _descend(folder: Folder) -> Folder:
    """Step into folders that hold one folder and nothing else, as unpacked archives often do."""
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


def _label(folder: Folder, label: str, split: Split | None) -> list[Item]:
    items = [Item(path, label, split) for path in folder.images()]
    if not items:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(
            f"class {label!r} has a folder without images: {folder.path} holds no file ending in "
            f"{kinds}; add images or remove the folder"
        )
    return items


def _read_csv(path: Path) -> list[Item]:
    try:
        with _opened(path) as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            if "path" not in columns or "label" not in columns:
                raise DataError(
                    f"{path}: expected the columns path,label and perhaps split, with commas "
                    f"between, found {','.join(columns) or 'an empty file'}"
                )
            items = [_csv_item(path, reader.line_num, row) for row in reader]
    except AddressError:
        raise
    except (OSError, csv.Error) as error:
        gone = is_remote(path) and isinstance(error, FileNotFoundError)
        reason = "there is no such file" if gone else error
        raise DataError(f"{path} cannot be read as CSV: {reason}") from error
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


def _opened(path: Path) -> TextIO:
    if not is_remote(path):
        return path.open(newline="", encoding="utf-8-sig", errors="surrogateescape")
    data = read_remote(path, _MAX_BYTES_OF_CSV)
    if len(data) > _MAX_BYTES_OF_CSV:
        raise DataError(f"{path} is larger than {_MAX_BYTES_OF_CSV // 2**20} MiB")
    return io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline="")


def _csv_item(path: Path, line: int, row: dict[str, str | None]) -> Item:
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    word = (row.get("split") or "").strip().lower()
    if not name or not label:
        raise DataError(f"{path}, line {line}: expected a path and a label, found {name},{label}")
    if word and word not in _SPLIT_WORDS:
        raise DataError(
            f"{path}, line {line}: split is {word!r}; expected one of {', '.join(_SPLIT_WORDS)}"
        )
    image = place(name) if is_address(name) else path.parent / name
    if not is_remote(image) and not os.path.lexists(image):
        raise DataError(
            f"{path}, line {line}: there is no file {image}; paths are relative to the CSV file"
        )
    return Item(image, label, _SPLIT_WORDS[word] if word else None)


def _note_what_is_passed_over(folder: Folder) -> None:
    """Say which kinds of files are not looked at: a telephone's .heic may be half of the data."""
    kinds = Counter(
        path.suffix.lower() or "no suffix"
        for path in folder.walk()
        if path.suffix.lower() not in IMAGE_SUFFIXES
        and not relative(path, folder.path).startswith("__")
    )
    if kinds:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        logger.info(
            "%d files in %s were not looked at (%s); images end in %s",
            kinds.total(),
            folder.path,
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
