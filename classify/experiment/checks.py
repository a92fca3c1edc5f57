"""Checks that classifiers can be trained and tested on a data set, before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classify.errors import ClassifierError
from extract.datasets.dataset import counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extract.datasets.dataset import Dataset, Split
    from extract.prepare import Prepared

MINIMUM_WITHOUT_SPLIT = 3
MINIMUM: dict[Split, int] = {"train": 2, "test": 1}
"""Images of every class, in all or in each split."""


def check_dataset(dataset: Dataset) -> None:
    """Check that there are several classes, each with enough images.

    Raises
    ------
    ClassifierError
        If there are fewer than two classes, or a class has too few images in a split.
    """
    classes = dataset.classes
    if len(classes) < 2:
        raise ClassifierError(
            f"a classifier needs at least two classes to tell apart, found one: {classes[0]!r}; "
            "add a folder with images of another class"
        )
    if not dataset.has_split:
        small = [
            name
            for name in classes
            if sum(item.label == name for item in dataset.items) < MINIMUM_WITHOUT_SPLIT
        ]
        if small:
            raise ClassifierError(
                f"class {small[0]!r} has too few images to train and to test on: expected at "
                f"least {MINIMUM_WITHOUT_SPLIT}; add images or leave the class out"
            )
        return
    for split, minimum in MINIMUM.items():
        for name, count in zip(classes, counts(dataset.items, classes, split), strict=True):
            if count < minimum:
                images = "1 image" if count == 1 else f"{count} images"
                raise ClassifierError(
                    f"class {name!r} has {images} in the {split} split, expected at least "
                    f"{minimum}; add images, leave the class out, or correct the label if it is a "
                    "typing error"
                )


def check_same_images(bases: Sequence[Prepared]) -> None:
    """Check that all bases have embedded the same usable images, and enough of them.

    Raises
    ------
    ClassifierError
        If they have not.
    """
    check_dataset(bases[0].dataset)
    for other in bases[1:]:
        if other.dataset != bases[0].dataset:
            raise ClassifierError(
                "some files changed while they were read, so that the backbones do not have the "
                "same images; run the command again"
            )
