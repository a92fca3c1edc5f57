"""One spelling for each class, and enough images of every class."""

from __future__ import annotations

import dataclasses
import unicodedata
from pathlib import Path

import pytest

from extract.datasets.dataset import Dataset, Item, Split
from extract.datasets.labels import require_images, settle_labels
from extract.errors import DataError


def dataset(**numbers: int) -> Dataset:
    """Return unsplit classes with these numbers of images."""
    return Dataset("pets", Path("/d"), tuple(
        Item(Path(f"/d/{label}/{i}.jpg"), label, None)
        for label, number in numbers.items() for i in range(number)
    ))  # fmt: skip


def split(*items: tuple[str, Split]) -> Dataset:
    return Dataset("pets", Path("/d"), tuple(
        Item(Path(f"/d/{split}/{label}/1.jpg"), label, split) for label, split in items
    ))  # fmt: skip


def test_labels_of_two_unicode_forms_are_one_class() -> None:
    """A Mac writes the accent as a letter of its own."""
    decomposed = unicodedata.normalize("NFD", "café")
    settled = settle_labels(dataset(**{"café": 2, decomposed: 3, "bar": 1}))
    assert settled.classes == ["bar", "café"]
    assert settled.layout.remarks == (
        "1 class is written in several Unicode forms, which are read as one: 'café'.",
    )


@pytest.mark.parametrize(
    "other",
    [
        "Cats",
        "cats ",
        "CATS",
        "c ats",
        "cats - Copy",
        "Cats (2)",
        "cats - Kopie",
        "cats copy",
        "cats_copy",
        "cats Copie",
        "cats copy 2",
    ],
)
def test_labels_that_look_alike_are_named_and_not_merged(other: str) -> None:
    settled = settle_labels(dataset(cats=3, dogs=3, **{other: 3}))
    assert len(settled.classes) == 3
    assert "differ only by case, spaces, hyphens or the mark of a copy" in settled.layout.remarks[0]
    assert repr(other) in settled.layout.remarks[0]


def test_splits_that_spell_a_class_differently_are_refused() -> None:
    """Four classes, two of them without a training image, are not what anybody wants."""
    data = split(("Cats", "train"), ("Dogs", "train"), ("cats", "test"), ("dogs", "test"))
    with pytest.raises(DataError, match="'Cats' in train, 'cats' in test; 'Dogs' in train, "):
        settle_labels(data)
    in_one = split(("Cats", "train"), ("cats", "train"), ("cats", "test"), ("Cats", "test"))
    assert settle_labels(in_one).classes == ["Cats", "cats"]


def test_all_classes_that_are_too_small_are_listed() -> None:
    small = {f"c{i:02}": 1 + i % 2 for i in range(40)}
    with pytest.raises(DataError, match="40 classes have too few images") as raised:
        require_images(dataset(cats=5, **small))
    assert raised.value.setting == "min_images"
    assert all(f"{label!r} ({number})" in str(raised.value) for label, number in small.items())
    require_images(dataset(cats=3, dogs=4))
    require_images(dataset(cats=1))


def test_classes_below_the_minimum_are_left_out_and_named() -> None:
    settled = settle_labels(dataset(cats=5, dogs=4, fox=2, owl=1), min_images=3)
    assert settled.classes == ["cats", "dogs"]
    assert settled.layout.passed_over == {"images of classes with fewer than 3": 3}
    assert settled.layout.remarks == (
        "2 classes with fewer than 3 images are left out: 'fox' (2), 'owl' (1).",
    )
    with pytest.raises(DataError, match="no class of pets has 9 images; the largest has 5"):
        settle_labels(dataset(cats=5), min_images=9)


def test_a_layout_is_told_in_one_line_and_its_remarks() -> None:
    settled = settle_labels(dataset(cats=5, Cats=5, fox=1), min_images=2)
    layout = dataclasses.replace(settled.layout, description="one folder per class")
    first, alike, small = dataclasses.replace(settled, layout=layout).lines_of_layout()
    assert first == (
        "pets: read as one folder per class: 2 classes, 10 images; passed over: 1 image of "
        "classes with fewer than 2"
    )
    assert alike.startswith("The classes 'Cats' and 'cats'")
    assert small.startswith("1 class with fewer than 2 images is left out: 'fox' (1)")


def test_a_class_that_a_split_lacks_is_named() -> None:
    """Before anything is computed; a classifier refuses it."""
    data = split(("cats", "train"), ("cats", "test"), ("dogs", "train"))
    assert settle_labels(data).layout.remarks == (
        "2 classes have too few images in the train split to train a classifier, which takes 2: "
        "'cats' (1), 'dogs' (1).",
        "1 class has too few images in the test split to test a classifier on, which takes 1: "
        "'dogs' (0).",
    )


def test_labels_that_are_one_number_are_named() -> None:
    """A table that passed through floats."""
    remarks = settle_labels(dataset(**{"0": 3, "1": 3, "1.0": 3, "10": 3})).layout.remarks
    assert remarks == (
        "The classes '1' and '1.0' differ only by the way a number is written; if they are one "
        "class, give them one name.",
    )


@pytest.mark.parametrize("both", ["cat dog", "cat,dog", "cat | dog", "dog;cat"])
def test_labels_that_are_several_others_are_named(both: str) -> None:
    """Images with several labels, which make many small classes."""
    (remark,) = settle_labels(dataset(**{"cat": 3, "dog": 3, both: 3})).layout.remarks
    assert remark.startswith(f"1 class is several other classes together: {both!r}. An image has")
    assert not settle_labels(dataset(**{"cat": 3, "big cat": 3})).layout.remarks
