"""The words that name a split, in folders and in tables, and what becomes of a validation split."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from extract.datasets.dataset import Item
from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extract.datasets.dataset import Split

SplitWord = Literal["train", "test", "validation", "evaluation"]
"""A split as the data name it; `settle_splits` decides what an evaluation split is."""

_WORDS: dict[str, SplitWord] = {
    **dict.fromkeys(
        ("train", "training", "trn", "learn", "learning", "lern", "entrenamiento", "entraînement",
         "entrainement", "apprentissage"),
        "train",
    ),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout", "prueba"), "test"),
    **dict.fromkeys(
        ("val", "valid", "validate", "validation", "validierung", "validación", "validacion",
         "dev", "devel", "development"),
        "validation",
    ),
    **dict.fromkeys(("eval", "evaluation"), "evaluation"),
}  # fmt: skip
_BESIDE = frozenset(
    {"set", "sets", "data", "dataset", "datasets", "split", "image", "images", "img", "imgs",
     "picture", "pictures", "pics", "photo", "photos", "seg", "sample", "samples", "folder"}
)  # fmt: skip
_JOINED = re.compile(
    rf"({'|'.join(sorted(_WORDS, key=len, reverse=True))})(sets?|data|s?daten|s?bilder|s?satz)?"
)

_SIMILAR = 0.75
"""So alike are "tset" and "test", by `difflib`."""

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


def similar_split(name: str) -> str | None:
    """Return the word for a split that a name is probably a misspelling of.

    Examples
    --------
    >>> similar_split("Tset"), similar_split("Trainig"), similar_split("cats")
    ('test', 'training', None)
    """
    if split_of(name):
        return None
    words = [word for word in _WORDS if len(word) > 3]
    close = get_close_matches(name.strip().casefold(), words, 1, _SIMILAR)
    return close[0] if close else None


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
    labelled, remarks = _with_evaluation(labelled)
    numbers = {word: sum(found == word for _, _, found in labelled) for word in _KINDS}
    becomes, of_rule = _rule(numbers, validation)
    remarks += of_rule
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


def _with_evaluation(
    labelled: Sequence[tuple[Path, str, SplitWord | None]],
) -> tuple[Sequence[tuple[Path, str, SplitWord | None]], list[str]]:
    """Decide what an evaluation split is: the test split of what was developed on another one.

    Beside a training split alone or a test split, it is another word for validation.
    """
    found = {word for _, _, word in labelled}
    if "evaluation" not in found:
        return labelled, []
    word: SplitWord = "test" if "validation" in found and "test" not in found else "validation"
    remarks = []
    if word == "test":
        number = sum(split == "evaluation" for _, _, split in labelled)
        remarks.append(f"The evaluation split ({plural(number, 'image')}) is the test split.")
    return [
        (path, label, word if split == "evaluation" else split) for path, label, split in labelled
    ], remarks


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
