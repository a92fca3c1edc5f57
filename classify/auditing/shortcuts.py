"""What else predicts the label: properties of the images other than what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.auditing.image_properties import Bins, ImageProperty, in_bins, properties_of, typical
from classify.evaluation.predictability import PermutedLabels, Predictability
from reports.records import Shortcut
from toolkit.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset, Item
    from extract.images.properties.record import ImageProperties

MOST_IMAGES, MOST_CLASSES = 2000, 10
"""Images of the training split that are examined, and classes: the largest ones."""
FEWEST_IMAGES = 20
"""Of a class; a smaller one is left out."""
BINS = 12
FEWEST_DRAWS, DRAWS_PER_TEST = 999, 40
"""Permutations of the labels; with fewer, no adjusted p-value could be below 0.025."""
SIGNIFICANT = 0.05
WORTH = {"file": 0.1, "path": 0.1, "column": 0.1, "picture": 0.2, "all": 0.3}
"""A property matters if it avoids more than this share of the errors of guessing. That of a picture
must avoid more, because pictures of different things differ a little in sharpness and colours; and
all together even more, because such differences add up."""
ALL = "all together"


def drawn_for_shortcuts(
    dataset: Dataset, digests: Mapping[Path, str], most: int = MOST_IMAGES
) -> list[Item]:
    """Return the training images that are examined: as many of each class as possible.

    Copies count once, and so do images of one group and class, because they are not independent.

    Parameters
    ----------
    dataset : Dataset
    digests : mapping from Path to str
        SHA-256 of every image; the lowest ones are drawn.
    most : int, default=2000
        Images of all classes together.
    """
    by_class: dict[str, dict[str, Item]] = {}
    for item in sorted(dataset.items, key=lambda item: digests[item.path]):
        if item.split == "train":
            unit = digests[item.path] if item.group is None else f"group {item.group}"
            by_class.setdefault(item.label, {}).setdefault(unit, item)
    large = [label for label, units in by_class.items() if len(units) >= FEWEST_IMAGES]
    largest = sorted(large, key=lambda label: (-len(by_class[label]), label))[:MOST_CLASSES]
    each = most // max(len(largest), 1)
    return [item for label in sorted(largest) for item in list(by_class[label].values())[:each]]


def find_shortcuts(
    dataset: Dataset,
    items: Sequence[Item],
    known: Sequence[ImageProperties | None],
    *,
    seed: int = 0,
) -> list[Shortcut]:
    """Measure how well each property of training images predicts their label, and all together.

    Parameters
    ----------
    dataset : Dataset
        What the images belong to.
    items : sequence of Item
        From `drawn_for_shortcuts`.
    known : sequence of ImageProperties or None, of the same length
        What is known of each.
    seed : int, default=0

    Returns
    -------
    list of Shortcut
        Those that are found first, then by their accuracy; empty with fewer than two classes.

    Notes
    -----
    A property is divided into about `BINS` bins, and predicts the class that is relatively most
    frequent in the bin of an image, in five folds. All together are a ridge regression on the bins.
    See `classify.evaluation.predictability.PermutedLabels` for the test.
    """
    classes, y = np.unique([item.label for item in items], return_inverse=True)
    properties = properties_of(dataset, items, known)
    if len(classes) < 2 or not properties:
        return []
    bins = [in_bins(each.values, BINS) for each in properties]
    properties, bins = _with_several_bins(properties, bins)
    n_draws = max(FEWEST_DRAWS, DRAWS_PER_TEST * (len(bins) + 1))
    labels = PermutedLabels(y, n_draws, seed)
    judged = [labels.told_from(each.codes, len(each.names)) for each in bins]
    names: list[tuple[str, str]] = [(each.name, each.origin) for each in properties]
    values = [_typical(each, y, classes) for each in properties]
    if len(bins) > 1:
        judged.append(labels.told_from_all([(each.codes, len(each.names)) for each in bins]))
        names.append((ALL, "all"))
        values.append({})
    adjusted = holm([each.p_value for each in judged])
    found = [
        _shortcut(name, each, p_adjusted, len(classes), len(items), values_of_classes)
        for name, each, p_adjusted, values_of_classes in zip(
            names, judged, adjusted, values, strict=True
        )
    ]
    return sorted(found, key=lambda shortcut: (not shortcut.found, -shortcut.accuracy))


def _with_several_bins(
    properties: Sequence[ImageProperty], bins: Sequence[Bins]
) -> tuple[list[ImageProperty], list[Bins]]:
    pairs = [pair for pair in zip(properties, bins, strict=True) if len(pair[1].names) > 1]
    return [each for each, _ in pairs], [each for _, each in pairs]


def _shortcut(
    name: tuple[str, str],
    judged: Predictability,
    p_adjusted: float,
    n_classes: int,
    n_images: int,
    values: dict[str, str],
) -> Shortcut:
    chance = 1 / n_classes
    matters = judged.low > chance + WORTH[name[1]] * (1 - chance)
    return Shortcut(
        *name,
        judged.accuracy,
        judged.low,
        judged.high,
        chance,
        judged.p_value,
        p_adjusted,
        found=p_adjusted < SIGNIFICANT and matters,
        n_images=n_images,
        typical=values,
    )


def _typical(
    each: ImageProperty, y: NDArray[np.int64], classes: NDArray[np.str_]
) -> dict[str, str]:
    return {
        str(label): typical(each.take(np.flatnonzero(y == code)).values)
        for code, label in enumerate(classes)
    }
