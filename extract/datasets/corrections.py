"""Labels that a person has corrected, put over those of a data set."""

from __future__ import annotations

import csv
import dataclasses
import logging
from typing import TYPE_CHECKING

from extract.errors import DataError
from toolkit.csv_cells import decode_text
from toolkit.errors import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from extract.datasets.dataset import Dataset

logger = logging.getLogger(__name__)


def relabelled(dataset: Dataset, path: Path) -> Dataset:
    """Return a data set with the labels that a CSV file has for some of its images.

    Parameters
    ----------
    dataset : Dataset
    path : Path
        With the columns ``path``, as the data set's reports write it, and ``label``; other columns
        are passed over, as ``suspects.csv`` has them. An image whose label is empty is left out.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file cannot be read, names an image twice, or one that the data set does not have.
    """
    labels = _read(path)
    known = {dataset.relative(item.path): item for item in dataset.items}
    strange = [name for name in labels if name not in known]
    if strange:
        example = next(iter(known))
        raise DataError(
            f"{path}: the data set {dataset.name} has no image {strange[0]!r}"
            f"{f' nor {len(strange) - 1} others' if len(strange) > 1 else ''}; paths are written "
            f"as its reports write them, as in {example!r}"
        )
    items = []
    changed = left_out = 0
    for name, item in known.items():
        label = labels.get(name, item.label)
        if not label:
            left_out += 1
            continue
        changed += label != item.label
        items.append(dataclasses.replace(item, label=label))
    logger.info("%s: %d labels changed, %d images left out", path, changed, left_out)
    new = sorted({item.label for item in items} - set(dataset.classes))
    if new:
        told = (f"{name}{did_you_mean(name, dataset.classes)}" for name in new)
        logger.info("%s: classes that were not there before: %s", path, ", ".join(told))
    return dataclasses.replace(dataset, items=tuple(items))


def _read(path: Path) -> dict[str, str]:
    labels: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, restval="")
            columns = [str(name).strip().lower() for name in reader.fieldnames or []]
            if "path" not in columns or "label" not in columns:
                raise DataError(
                    f"{path}: expected the columns path and label, found "
                    f"{','.join(columns) or 'an empty file'}"
                )
            reader.fieldnames = columns
            for row in reader:
                name, label = decode_text(row["path"]), decode_text(row["label"].strip())
                if labels.setdefault(name, label) != label:
                    raise DataError(
                        f"{path}, line {reader.line_num}: {name!r} stands twice, once as "
                        f"{labels[name]!r} and once as {label!r}; keep one of the rows"
                    )
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
    return labels
