"""Labels as people mean them: one spelling of each class, and enough images of every class."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from extract.datasets.dataset import MINIMUM, MINIMUM_WITHOUT_SPLIT
from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from extract.datasets.dataset import Dataset

_COPY = re.compile(r"(\s*[-_ ]\s*(copy|kopie|copie|copia|kopia)(\s+\d+)?)?(\s*\(\d+\))?\s*$")
"""What a file manager appends to the name of a copy."""
_NUMBER = re.compile(r"0*(\d+)(\.0*)?")
_BETWEEN_LABELS = re.compile(r"\s*[,;|+&/]\s*|\s+")
_SHOWN = 5
_PURPOSE = {"train": "train a classifier", "test": "test a classifier on"}


def settle_labels(dataset: Dataset, min_images: int = 0) -> Dataset:
    """Normalise the labels of a data set, and leave out classes that are too small.

    Labels become Unicode's composed form (NFC). Others that look alike are named in a remark, or
    refused if one of them is only in the training split and the other only in the test split. So
    are classes with too few images in a split that the data have.

    Parameters
    ----------
    dataset : Dataset
    min_images : int, default=0
        Classes with fewer images are left out.

    Returns
    -------
    Dataset
        With what was done in its layout.

    Raises
    ------
    DataError
        If labels that look alike keep the splits apart, or no class is large enough.
    """
    items = tuple(
        dataclasses.replace(item, label=unicodedata.normalize("NFC", item.label))
        for item in dataset.items
    )
    remarks = []
    composed = Counter(unicodedata.normalize("NFC", label) for label in dataset.classes)
    twice = [label for label, number in composed.items() if number > 1]
    if twice:
        remarks.append(
            f"{plural(len(twice), 'class is', 'classes are')} written in several Unicode forms, "
            f"which are read as one: {', '.join(map(repr, twice))}."
        )
    dataset = dataclasses.replace(dataset, items=items)
    alike = _alike(dataset.classes)
    _require_same_spelling(dataset, alike)
    remarks += [
        f"The classes {_quoted(names)} differ only by "
        + (
            "the way a number is written"
            if all(map(_NUMBER.fullmatch, names))
            else "case, spaces, hyphens or the mark of a copy"
        )
        + "; if they are one class, give them one name."
        for names in alike
    ]
    remarks += _several_at_once(dataset.classes)
    dataset = _with_remarks(dataset, remarks)
    if min_images:
        dataset = _without_small(dataset, min_images)
    return _with_remarks(dataset, _small_in_splits(dataset))


def require_images(dataset: Dataset) -> None:
    """Check that a test split can be drawn from every class, if there are several.

    Raises
    ------
    DataError
        If a class has too few images; the message lists all of these.
    """
    if dataset.has_split or len(dataset.classes) < 2:
        return
    numbers = Counter(item.label for item in dataset.items)
    small = [label for label in dataset.classes if numbers[label] < MINIMUM_WITHOUT_SPLIT]
    if small:
        listed = ", ".join(f"{label!r} ({numbers[label]:,})" for label in small)
        raise DataError(
            f"{plural(len(small), 'class has', 'classes have')} too few images to train and to "
            f"test on: {listed}; expected at least {MINIMUM_WITHOUT_SPLIT}; add images, or leave "
            f"out classes with fewer than {MINIMUM_WITHOUT_SPLIT}",
            setting="min_images",
        )


def _alike(labels: Iterable[str]) -> list[list[str]]:
    """Return groups of labels that are one number, or differ only as `settle_labels` says."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        folded = _COPY.sub("", unicodedata.normalize("NFKC", label).casefold())
        key = "".join(folded.replace("_", " ").replace("-", " ").split())
        number = _NUMBER.fullmatch(label.strip())
        key = number[1] if number else key
        groups.setdefault(key, []).append(label)
    return [names for names in groups.values() if len(names) > 1]


def _require_same_spelling(dataset: Dataset, alike: list[list[str]]) -> None:
    splits: dict[str, set[str | None]] = {}
    for item in dataset.items:
        splits.setdefault(item.label, set()).add(item.split)
    apart = []
    for names in alike:
        ones = {name: next(iter(splits[name])) for name in names if len(splits[name]) == 1}
        if len(set(ones.values())) > 1:
            apart.append(", ".join(f"{name!r} in {split}" for name, split in ones.items()))
    if apart:
        raise DataError(
            f"the splits of {dataset.name} spell {plural(len(apart), 'class', 'classes')} in "
            f"different ways: {'; '.join(apart)}; give each class one name in all splits"
        )


def require_usable(dataset: Dataset, unusable: Mapping[Path, str]) -> None:
    """Check that every class has an image that can be used.

    Parameters
    ----------
    dataset : Dataset
    unusable : mapping of Path to str
        Images that cannot be used, with the reason.

    Raises
    ------
    DataError
        If all images of a class are among them.
    """
    usable = {item.label for item in dataset.items if item.path not in unusable}
    for label in dataset.classes:
        if label not in usable:
            path = next(item.path for item in dataset.items if item.label == label)
            raise DataError(
                f"no usable image in class {label!r}; for example, {path}: {unusable[path]}; "
                "replace these files or remove the class"
            )


def _several_at_once(labels: Sequence[str]) -> list[str]:
    """Say that labels are several others together, as of images with more than one label."""
    known = set(labels)
    several = [
        label for label in labels
        if len(parts := _BETWEEN_LABELS.split(label.strip())) > 1 and known.issuperset(parts)
    ]  # fmt: skip
    if not several:
        return []
    more = f" and {len(several) - _SHOWN:,} more" if len(several) > _SHOWN else ""
    verb = "class is" if len(several) == 1 else "classes are"
    return [
        f"{len(several):,} {verb} several other classes together: "
        f"{', '.join(map(repr, several[:_SHOWN]))}{more}. An image has one class: each combination "
        "is learned as a class of its own."
    ]


def _small_in_splits(dataset: Dataset) -> list[str]:
    """Say which classes lack images in a split that the data have."""
    if not dataset.has_split or len(dataset.classes) < 2:
        return []
    numbers, remarks = dataset.class_counts(), []
    for split, minimum in MINIMUM.items():
        small = [f"{k!r} ({n[split]:,})" for k, n in numbers.items() if n[split] < minimum]
        if small:
            remarks.append(
                f"{plural(len(small), 'class has', 'classes have')} too few images in the {split} "
                f"split to {_PURPOSE[split]}, which takes {minimum}: {', '.join(small)}."
            )
    return remarks


def _quoted(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names))


def _with_remarks(
    dataset: Dataset, remarks: list[str], left_out: dict[str, int] | None = None
) -> Dataset:
    layout = dataclasses.replace(
        dataset.layout,
        remarks=(*dataset.layout.remarks, *remarks),
        passed_over={**dataset.layout.passed_over, **(left_out or {})},
    )
    return dataclasses.replace(dataset, layout=layout)


def _without_small(dataset: Dataset, min_images: int) -> Dataset:
    numbers = Counter(item.label for item in dataset.items)
    small = sorted(label for label, number in numbers.items() if number < min_images)
    kept = tuple(item for item in dataset.items if item.label not in small)
    if not kept:
        raise DataError(
            f"no class of {dataset.name} has {plural(min_images, 'image')}; the largest has "
            f"{max(numbers.values()):,}",
            setting="min_images",
        )
    if not small:
        return dataset
    reason = f"images of classes with fewer than {min_images}"
    names = ", ".join(f"{label!r} ({numbers[label]:,})" for label in small)
    remark = (
        f"{plural(len(small), 'class', 'classes')} with fewer than {min_images} images "
        f"{'is' if len(small) == 1 else 'are'} left out: {names}."
    )
    return _with_remarks(
        dataclasses.replace(dataset, items=kept),
        [remark],
        {reason: len(dataset.items) - len(kept)},
    )
