"""The properties of the images of a data set, each as one list over the images."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from extract.datasets.further import Value, as_values, tells_images_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset, Item
    from extract.images.properties.record import ImageProperties

Origin = Literal["file", "picture", "path", "column"]

OF_FILES = {
    "width": "width",
    "height": "height",
    "n_bytes": "file size",
    "format": "format",
    "quality": "JPEG quality",
    "camera": "camera",
    "hour": "hour of the day",
}
OF_PICTURES = {
    "brightness": "brightness",
    "contrast": "contrast",
    "darkest": "darkest tone",
    "brightest": "brightest tone",
    "sharpness": "sharpness",
    "red": "red cast",
    "green": "green cast",
    "blue": "blue cast",
    "saturation": "saturation",
    "border": "brightness of the border",
    "border_contrast": "contrast of the border",
}
"""Field of `ImageProperties` -> name of the property."""

MISSING, OTHERS = "missing", "other values"
MOST_VALUES = 30
"""Of a property in words; the rest are taken together."""
_SHORTEST_NAME = 3
"""A shorter label occurs in other names by chance."""


@dataclass(frozen=True)
class ImageProperty:
    """One property of every image.

    Parameters
    ----------
    name : str
    origin : {"file", "picture", "path", "column"}
        How the file was stored, how the picture looks, how the file is called, or a column of the
        table of images.
    values : list of float, str or None, length n_images
        All numbers, or all words; None is missing.
    """

    name: str
    origin: Origin
    values: list[Value]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> ImageProperty:
        """Return the property of some of the images."""
        return ImageProperty(self.name, self.origin, [self.values[i] for i in rows])


@dataclass(frozen=True)
class Bins:
    """A property in bins.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_images,)
        The bin of each image.
    names : list of str, length n_bins
    """

    codes: NDArray[np.int64]
    names: list[str]


def properties_of(
    dataset: Dataset, items: Sequence[Item], known: Sequence[ImageProperties | None]
) -> list[ImageProperty]:
    """Return the properties of images that are known and differ between them.

    Parameters
    ----------
    dataset : Dataset
        What the items belong to.
    items : sequence of Item
        Some of its images.
    known : sequence of ImageProperties or None, of the same length
        What is known of each file.
    """
    found: list[ImageProperty] = []
    for fields, origin in ((OF_FILES, "file"), (OF_PICTURES, "picture")):
        for field, name in fields.items():
            values = [None if p is None else getattr(p, field) for p in known]
            found.append(ImageProperty(name, origin, values))  # type: ignore[arg-type]
        if origin == "file":
            found += _shapes(known)
    found += _names(dataset, items)
    found += _columns(dataset, items)
    return [each for each in found if len(set(each.values)) > 1]


def _shapes(known: Sequence[ImageProperties | None]) -> list[ImageProperty]:
    """Return the properties that width and height have together."""
    sides = [(p.width, p.height) if p is not None else (None, None) for p in known]
    both = [f"{w} x {h}" if w and h else None for w, h in sides]
    aspects = [w / h if w and h else None for w, h in sides]
    return [
        ImageProperty("width and height", "file", list(both)),
        ImageProperty("aspect", "file", list(aspects)),
    ]


def _names(dataset: Dataset, items: Sequence[Item]) -> list[ImageProperty]:
    """Return the parts of the paths that do not name the label.

    Folders name it if every class has one of its own. So does the start of the names if no two
    classes have one in common: it may be an abbreviation, or a finer class.
    """
    labels = [item.label for item in items]
    folders: list[str | None] = []
    starts: list[str | None] = []
    digits: list[float | None] = []
    for item in items:
        *above, name = dataset.relative(item.path).replace("\\", "/").split("/")
        kept = [part for part in above if not _names_class(part, item.label)]
        folders.append("/".join(kept) or None)
        stem = name.rpartition(".")[0] or name
        start = re.split(r"\d", stem, maxsplit=1)[0]
        starts.append(None if _names_class(start, item.label) else start)
        digits.append(sum(character.isdigit() for character in stem))
    found: list[ImageProperty] = []
    pairs = set(zip(folders, labels, strict=True))
    if not len(pairs) == len(set(folders)) == len(set(labels)):
        found.append(ImageProperty("folder", "path", list(folders)))
    if len(set(zip(starts, labels, strict=True))) > len(set(starts)):
        found.append(ImageProperty("start of the name", "path", list(starts)))
    return [*found, ImageProperty("digits in the name", "path", list(digits))]


def _columns(dataset: Dataset, items: Sequence[Item]) -> list[ImageProperty]:
    """Return the further columns of the tables, but for those that number or name each image."""
    cells: dict[str, dict[Path, str]] = {}
    for table in dataset.columns:
        for name in table.columns:
            cells.setdefault(name, {}).update(table.cells(name))
    found = []
    for name, of_image in cells.items():
        values = as_values([of_image.get(item.path) for item in items])
        if tells_images_apart(values):
            found.append(ImageProperty(name, "column", values))
    return found


def _names_class(part: str, label: str) -> bool:
    """Return whether a part of a path has the name of a class in it, or is a part of that name."""
    plain, word = (re.sub(r"[\W_]+", "", text).casefold() for text in (part, label))
    if plain == word:
        return True
    shorter, longer = sorted((plain, word), key=len)
    return len(shorter) >= _SHORTEST_NAME and shorter in longer


def in_bins(values: Sequence[Value], n_bins: int) -> Bins:
    """Return values in bins; where some are missing, these are a bin of their own.

    Parameters
    ----------
    values : sequence of float, str or None
    n_bins : int
        Numbers are divided at their quantiles into about so many bins; frequent ones have a bin of
        their own. Words are bins themselves: the most frequent ones that occur twice or more, and
        the others together.

    Examples
    --------
    >>> bins = in_bins([1.0, 2.0, 3.0, 4.0, None], 2)
    >>> bins.codes, bins.names
    (array([0, 0, 1, 1, 2]), ['up to 2', 'above 2', 'missing'])
    """
    present = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in present):
        return _words(values)
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    is_missing = np.isnan(numbers)
    known = numbers[~is_missing]
    borders = _borders(known, n_bins)
    codes = np.searchsorted(borders, numbers)
    names = _between(borders) if len(known) else []
    if is_missing.any():
        codes[is_missing] = len(names)
        names.append(MISSING)
    return Bins(codes.astype(np.int64), names)


def _borders(numbers: NDArray[np.float64], n_bins: int) -> NDArray[np.float64]:
    """Return the largest number of each bin but the last."""
    different, counts = np.unique(numbers, return_counts=True)
    if len(different) <= n_bins:
        return different[:-1]
    steps = np.linspace(0, 1, n_bins + 1)[1:-1]
    quantiles = np.quantile(numbers, steps, method="inverted_cdf")
    # A number that would fill a bin is a bin of its own, as the quality of most files.
    frequent = np.flatnonzero(counts > len(numbers) / n_bins)
    before = different[frequent[frequent > 0] - 1]
    borders = np.unique(np.concatenate([quantiles, different[frequent], before]))
    inner: NDArray[np.float64] = borders[borders < different[-1]]
    return inner


def _between(borders: NDArray[np.float64]) -> list[str]:
    """Return the names of the intervals that borders divide the numbers into."""
    words = [_short(border) for border in borders]
    if not words:
        return ["all"]
    middle = [f"{low} to {high}" for low, high in itertools.pairwise(words)]
    return [f"up to {words[0]}", *middle, f"above {words[-1]}"]


def _words(values: Sequence[Value]) -> Bins:
    counts = Counter(str(value) for value in values if value is not None)
    # In an order that does not depend on that of the values, which may be sorted by label.
    often = sorted((-count, word) for word, count in counts.items() if count > 1)
    names = [word for _, word in often[:MOST_VALUES]]
    numbers = {word: i for i, word in enumerate(names)}
    has_others, has_missing = len(counts) > len(names), None in values
    names += [OTHERS] * has_others
    others, missing = len(names) - 1, len(names)
    names += [MISSING] * has_missing
    codes = [missing if v is None else numbers.get(str(v), others) for v in values]
    return Bins(np.array(codes, dtype=np.int64), names)


def typical(values: Sequence[Value]) -> str:
    """Return the most frequent word, or the median of numbers.

    Examples
    --------
    >>> typical(["a", "b", "a"]), typical([1.0, None, 9.0, 2.0])
    ('a', '2')
    """
    present = [value for value in values if value is not None]
    if len(present) * 2 < len(values):
        return MISSING
    if any(isinstance(value, str) for value in present):
        return Counter(map(str, present)).most_common(1)[0][0]
    median = float(np.quantile(np.array(present, dtype=np.float64), 0.5, method="inverted_cdf"))
    return _short(median)


def _short(number: float) -> str:
    return f"{number:.4g}" if abs(number) < 1e4 else f"{number:,.0f}"
