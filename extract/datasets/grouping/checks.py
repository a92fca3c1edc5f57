"""What groups cannot do: nothing can be tested on them, or a given split cuts through them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

from extract.datasets.drawing import cannot_be_divided
from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extract.datasets.dataset import Dataset

_NEARLY = 0.9
"""With this share of the images in the largest group of their class, a remark says so."""
_SHOWN = 3
_NUMBER = re.compile(r"0*(\d+)(?:\.0*)?")


def require_groups(dataset: Dataset) -> None:
    """Check that a test split can be drawn by groups, before anything is computed.

    Parameters
    ----------
    dataset : Dataset
        It is not checked if it has a split, no groups, or a single class.

    Raises
    ------
    DataError
        If there is only one group, or a class is in one only.
    """
    if dataset.has_split or not dataset.has_groups or len(dataset.classes) < 2:
        return
    problem = _constant(dataset) or _like_the_labels(dataset)
    if problem:
        raise DataError(problem, setting=dataset.group_setting)
    alone = _in_one_group(dataset)
    if alone:
        raise cannot_be_divided(alone, dataset.group_setting)


def describe_groups(dataset: Dataset) -> list[str]:
    """Return what a reader should know about the groups, one sentence each.

    Parameters
    ----------
    dataset : Dataset
        With or without a split.
    """
    if not dataset.has_groups:
        return []
    remarks = []
    if dataset.n_groups() == len(dataset):
        remarks.append(
            f"Every image is a group of its own ({dataset.group_origin}), so the groups change "
            "nothing."
        )
    names = {item.group for item in dataset.items if item.group is not None}
    alike = _alike(names)
    if alike:
        shown = "; ".join(" and ".join(map(repr, same)) for same in alike[:_SHOWN])
        remarks.append(
            f"Names of groups that differ only by case, spaces or the way a number is written: "
            f"{shown}; if they are one group, give it one name."
        )
    problem = _constant(dataset) or _like_the_labels(dataset)
    if problem:
        remarks.append(f"{problem[0].upper()}{problem[1:]}.")
    elif not dataset.has_split and len(dataset.classes) > 1:
        remarks += [f"The class {why}." for why in _in_one_group(dataset).values()]
    return [*remarks, *_nearly_the_labels(dataset), *describe_cut(dataset)]


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Return the names that people would write for one group, together."""
    same: dict[str, list[str]] = {}
    for name in sorted(names):
        folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        number = _NUMBER.fullmatch(folded)
        same.setdefault(number[1] if number else folded, []).append(name)
    return [alike for alike in same.values() if len(alike) > 1]


def cut(dataset: Dataset) -> tuple[list[str], int]:
    """Return the groups that are on both sides of a split, and how many test images are in them."""
    training = {item.group for item in dataset.items if item.split == "train"}
    test = Counter(item.group for item in dataset.items if item.split == "test")
    both = sorted(group for group in test if group is not None and group in training)
    return both, sum(test[group] for group in both)


def describe_cut(dataset: Dataset) -> list[str]:
    """Say that the split cuts through groups, if it does."""
    both, n_images = cut(dataset)
    if not both:
        return []
    n_groups = len({item.group for item in dataset.items} - {None})
    verb = "is" if len(both) == 1 else "are"
    images, belong = plural(n_images, "image"), "belongs" if n_images == 1 else "belong"
    return [
        f"{len(both):,} of {plural(n_groups, 'group')} {verb} on both sides of the split of the "
        f"data, as {both[0]!r}: {images} of {len(dataset.test):,} in the test split {belong} to "
        "groups that are trained on, so the accuracy on new groups is probably lower."
    ]


def groups_summary(dataset: Dataset) -> dict[str, Any] | None:
    """Return the numbers of groups as JSON can hold them; None without groups.

    Those of training and test are None if the split is not drawn yet.
    """
    if not dataset.has_groups:
        return None
    both, n_images = cut(dataset)
    split = dataset.has_split
    return {
        "origin": dataset.group_origin,
        "number": dataset.n_groups(),
        "train": dataset.n_groups("train") if split else None,
        "test": dataset.n_groups("test") if split else None,
        "cut": len(both),
        "test_images_cut": n_images,
    }


def _numbers(dataset: Dataset) -> dict[str, Counter[str]]:
    """Return the images of each class in each group; one without a group has its path for it."""
    numbers: dict[str, Counter[str]] = {label: Counter() for label in dataset.classes}
    for item in dataset.items:
        group = dataset.relative(item.path) if item.group is None else item.group
        numbers[item.label][group] += 1
    return numbers


def _in_one_group(dataset: Dataset) -> dict[str, str]:
    """Return the classes that are in one group only, each with a phrase that says so."""
    return {
        label: f"{label!r} is in one group only, {group!r} ({plural(number, 'image')})"
        for label, of_groups in _numbers(dataset).items()
        if len(of_groups) == 1
        for group, number in of_groups.items()
    }


def _constant(dataset: Dataset) -> str | None:
    if dataset.n_groups() > 1:
        return None
    return (
        f"all {plural(len(dataset), 'image')} are in one group, {dataset.items[0].group!r} "
        f"({dataset.group_origin}), so that none can be kept apart: how well other groups are "
        "predicted cannot be measured; take what divides them, as patients or sites, or no groups"
    )


def _like_the_labels(dataset: Dataset) -> str | None:
    numbers = _numbers(dataset)
    if dataset.n_groups() < 2 or any(len(groups) > 1 for groups in numbers.values()):
        return None
    examples = ", ".join(
        f"{label!r} is {next(iter(groups))!r}" for label, groups in list(numbers.items())[:_SHOWN]
    )
    return (
        f"each class is one group ({dataset.group_origin}: {examples}), so that the groups say the "
        "same as the labels: how well other groups of a class are predicted cannot be measured; "
        "take groups inside the classes, as patients or videos, or no groups"
    )


def _nearly_the_labels(dataset: Dataset) -> list[str]:
    """Say that most images are in the largest group of their class, if that is so."""
    numbers = _numbers(dataset)
    largest = sum(max(groups.values()) for groups in numbers.values())
    is_exact = all(len(groups) == 1 for groups in numbers.values())
    if is_exact or len(numbers) < 2 or largest < _NEARLY * len(dataset):
        return []
    return [
        f"{largest:,} of {plural(len(dataset), 'image')} are in the largest group of their class, "
        "so that the groups nearly say the same as the labels, and figures rest on few groups."
    ]
