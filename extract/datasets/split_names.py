"""The words that name a split, in folders and in tables, and what becomes of a validation split."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from extract.datasets.dataset import Item
from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extract.datasets.dataset import Split

SplitWord = Literal["train", "test", "validation"]
"""A split as the data name it."""

_WORDS: dict[str, SplitWord] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(
        ("val", "valid", "validate", "validation", "dev", "devel", "development", "eval",
         "evaluation"),
        "validation",
    ),
}  # fmt: skip
_BESIDE = frozenset(
    {"set", "sets", "data", "dataset", "datasets", "split", "image", "images", "img", "imgs",
     "picture", "pictures", "pics", "photo", "photos", "seg", "sample", "samples", "folder"}
)  # fmt: skip
_JOINED = re.compile(rf"({'|'.join(sorted(_WORDS, key=len, reverse=True))})(sets?|data)?")

EXAMPLES = "train, training, test, testing, val, valid, validation, dev, eval"
"""Words to list in a message."""


def split_of(name: str) -> SplitWord | None:
    """Return the split that a word names, in any case and with the usual additions.

    Parameters
    ----------
    name : str
        The name of a folder or a cell of a table.

    Examples
    --------
    >>> split_of("Training"), split_of("seg_test"), split_of("val2017"), split_of("Test_Images ")
    ('train', 'test', 'validation', 'test')
    >>> split_of("trains"), split_of("steam-train"), split_of("cats")
    (None, None, None)
    """
    named = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())  # trainImages
    words = re.findall(r"[^\W\d_]+", named.casefold())
    found = [_JOINED.fullmatch(word) for word in words]
    splits = {_WORDS[match[1]] for match in found if match}
    others = {word for word, match in zip(words, found, strict=True) if not match}
    return splits.pop() if len(splits) == 1 and others <= _BESIDE else None


def settle_splits(
    labelled: Sequence[tuple[Path, str, SplitWord | None]], validation: str = "auto"
) -> tuple[list[Item], dict[str, int], list[str]]:
    """Turn the splits that the data name into a training and a test split.

    Parameters
    ----------
    labelled : sequence of (path, label, split)
        The split is None for images without one.
    validation : {"auto", "train", "test", "ignore"}, default="auto"
        What a validation split becomes. ``"auto"`` adds it to the training split, inside which
        everything is chosen by cross-validation; if there is no test split, it is the test split.

    Returns
    -------
    items : list of Item
        In the same order. None of them has a split if the data name only one.
    passed_over : dict of str to int
        Reason -> number of images that are left out.
    remarks : list of str
        What was decided, for people.

    Raises
    ------
    DataError
        If no image is left.
    """
    numbers = {word: sum(found == word for _, _, found in labelled) for word in _KINDS}
    becomes, remarks = _rule(numbers, validation)
    left_out = {word for word in _KINDS if numbers[word] and word not in becomes}
    items = [
        Item(path, label, becomes.get(word) if word else None)
        for path, label, word in labelled
        if word not in left_out
    ]
    if labelled and not items:
        raise DataError(
            "every image is in the validation split, which is to be left out; use it",
            setting="validation",
        )
    if len({item.split for item in items}) == 1:
        if items[0].split == "test":
            remarks.append("All images are in the test split of the data, so another one is drawn.")
        items = [Item(item.path, item.label, None) for item in items]
    passed_over = {f"images of the {word} split": numbers[word] for word in left_out}
    return items, passed_over, remarks


_KINDS: tuple[SplitWord, ...] = ("train", "validation", "test")


def _rule(
    numbers: dict[SplitWord, int], validation: str
) -> tuple[dict[SplitWord, Split], list[str]]:
    """Return what each split of the data becomes, and the sentence that says so."""
    becomes: dict[SplitWord, Split] = {"train": "train", "test": "test"}
    if not numbers["validation"]:
        return becomes, [] if validation == "auto" else ["The data have no validation split."]
    images = plural(numbers["validation"], "image")
    if validation == "ignore":
        return becomes, [f"The validation split ({images}) is left out."]
    if validation in ("train", "test"):
        chosen: Split = "test" if validation == "test" else "train"
        why = ""
    elif numbers["test"]:
        chosen, why = "train", ": everything is chosen inside it by cross-validation"
    elif numbers["train"]:
        chosen, why = "test", ": the data have no other"
    else:
        return {**becomes, "validation": "test"}, []
    becomes["validation"] = chosen
    name = "training" if chosen == "train" else "test"
    verb = "joins" if numbers[chosen] else "is used as"
    return becomes, [f"The validation split ({images}) {verb} the {name} split{why}."]
