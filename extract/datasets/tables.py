"""Read a table of images: a CSV file with the columns path, label and, optionally, split."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, TextIO

from extract.datasets.dataset import Item
from extract.datasets.split_names import SPLIT_NAMES
from extract.errors import DataError
from toolkit.addresses import as_path, is_address, is_remote, read_remote
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MAX_BYTES_OF_CSV = 2**30


def read_table(path: Path) -> list[Item]:
    """Read the images that a CSV file lists.

    Parameters
    ----------
    path : Path
        A ``.csv`` file or the address of one. The paths in it are relative to its folder.

    Returns
    -------
    list of Item
        In the order of the rows, without repeated ones. Either all have a split or none has.

    Raises
    ------
    DataError
        If the file cannot be read, has no rows, or a row names no file, no label or an unknown
        split, or if two rows contradict each other.
    AddressError
        If the server of an address does not respond.
    """
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
    if split and split not in SPLIT_NAMES:
        raise DataError(
            f"{path}, line {line}: the split is {split!r}; expected one of {', '.join(SPLIT_NAMES)}"
        )
    image = as_path(name) if is_address(name) else path.parent / name
    if not is_remote(image) and not os.path.lexists(image):
        raise DataError(
            f"{path}, line {line}: there is no file {image}; paths are relative to the CSV file"
        )
    return Item(image, label, SPLIT_NAMES[split] if split else None)


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
