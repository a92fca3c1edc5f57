"""Words that people write where a group is not known."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from extract.datasets.tables.columns import is_missing
from toolkit.wording import plural

if TYPE_CHECKING:
    from extract.datasets.dataset import Dataset

_WORDS = frozenset(
    {"none", "unknown", "unk", "missing", "not available", "not known", "undefined", "unbekannt",
     "inconnu", "desconocido", "n.a.", "?", "??", "???", "-", "--", "_", "."}
)  # fmt: skip


def is_no_group(name: str) -> bool:
    """Tell whether the name of a group, or its last part if it is a path, says that it is missing.

    Examples
    --------
    >>> is_no_group("N/A"), is_no_group("cats/unknown"), is_no_group("p12")
    (True, True, False)
    """
    return any(
        is_missing(part) or part.strip().casefold() in _WORDS
        for part in (name, name.rpartition("/")[2])
    )


def without_missing(dataset: Dataset) -> Dataset:
    """Return a data set in which images are groups of their own where a word says "missing"."""
    names = Counter(item.group for item in dataset.items if item.group is not None)
    missing = sorted(name for name in names if is_no_group(name))
    if not missing:
        return dataset
    items = tuple(
        dataclasses.replace(item, group=None) if item.group in missing else item
        for item in dataset.items
    )
    number = sum(names[name] for name in missing)
    verb = "is a group" if number == 1 else "are groups"
    remark = (
        f"{' and '.join(map(repr, missing))} as the name of a group is taken for a missing one: "
        f"{plural(number, 'image')} {verb} of {'its' if number == 1 else 'their'} own; if it is "
        "one group, give it another name."
    )
    return dataclasses.replace(dataset, items=items).with_remarks([remark])
