"""Apply the labels that a person has corrected to a data set."""

from __future__ import annotations

import csv
import dataclasses
import logging
from typing import TYPE_CHECKING

from extract.errors import DataError
from toolkit.csv_cells import decode_text
from toolkit.errors import did_you_mean
from toolkit.wording import plural

if TYPE_CHECKING:
    from pathlib import Path

    from extract.datasets.dataset import Dataset

logger = logging.getLogger(__name__)


def apply_corrections(dataset: Dataset, path: Path) -> Dataset:
    """Return the data set with the labels that a CSV file gives for some of its images.

    Parameters
    ----------
    dataset : Dataset
        The data set to correct.
    path : Path
        A CSV file with the columns ``path``, written as in the reports of the data set, and
        ``label``. Other columns are ignored, so a corrected ``suspects.csv`` can be used. An image
        whose label is empty is left out.

    Returns
    -------
    Dataset
        A new data set; the numbers of changed labels and of images left out are logged.

    Raises
    ------
    DataError
        If the file cannot be read, gives two labels for an image, or names an image that the data
        set does not contain.
    """
    labels = _read_labels(path)
    by_name = {dataset.relative(item.path): item for item in dataset.items}
    unknown = [name for name in labels if name not in by_name]
    if unknown:
        more = len(unknown) - 1
        others = f", nor {plural(more, 'other image')} of this file" if more else ""
        raise DataError(
            f"{path}: the data set {dataset.name} has no image {unknown[0]!r}{others}; write "
            f"paths as the reports of the data set do, for example {next(iter(by_name))!r}"
        )
    items = []
    n_changed = n_left_out = 0
    for name, item in by_name.items():
        label = labels.get(name, item.label)
        if not label:
            n_left_out += 1
            continue
        n_changed += label != item.label
        items.append(dataclasses.replace(item, label=label))
    if not items:
        raise DataError(f"{path} leaves out every image; fill in the labels of those to keep")
    logger.info(
        "%s: %s changed, %s left out",
        path, plural(n_changed, "label"), plural(n_left_out, "image"),
    )  # fmt: skip
    new = sorted({item.label for item in items} - set(dataset.classes))
    if new:
        names = ", ".join(f"{name}{did_you_mean(name, dataset.classes)}" for name in new)
        logger.info("%s: new %s: %s", path, "class" if len(new) == 1 else "classes", names)
    return dataclasses.replace(dataset, items=tuple(items))


def _read_labels(path: Path) -> dict[str, str]:
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
                        f"{path}, line {reader.line_num}: {name!r} appears twice, once as "
                        f"{labels[name]!r} and once as {label!r}; keep one of the rows"
                    )
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
    return labels
