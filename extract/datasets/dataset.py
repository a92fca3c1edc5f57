"""A data set: which image has which label, and whether it is for training or for the test."""

from __future__ import annotations

import dataclasses
import hashlib
import html
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from extract.errors import DataError
from toolkit.addresses import relative
from toolkit.wording import counted, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

Split = Literal["train", "test"]

MINIMUM: dict[Split, int] = {"train": 2, "test": 1}
"""Images of every class in each split."""
MINIMUM_WITHOUT_SPLIT = sum(MINIMUM.values())

_MOST_ROWS = 20
"""Classes that `Dataset._repr_html_` lists."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image file of a data set.

    Parameters
    ----------
    path : Path
        The file or address.
    label : str
        Name of its class.
    split : {"train", "test"} or None
        None if the data set has not been split yet.
    group : str or None, default=None
        What it shows, or where it is from: images of one patient, animal or site have one group,
        and are never on different sides of a split. None is a group of its own.
    """

    path: Path
    label: str
    split: Split | None
    group: str | None = None


@dataclass(frozen=True)
class Layout:
    """How the files of a data set were understood.

    Parameters
    ----------
    name : str, default="given"
        A word for programs, as ``"class-folders"``.
    description : str, default="labels as given"
        The same for people.
    passed_over : dict of str to int, default={}
        Reason -> number of files or folders that were not used for it.
    remarks : tuple of str, default=()
        What was guessed or looks odd, one sentence each.
    """

    name: str = "given"
    description: str = "labels as given"
    passed_over: dict[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subset:
    """The images of one split.

    Parameters
    ----------
    paths : list of Path, length n_images
        Files or addresses, sorted.
    labels : list of str, length n_images
        Their class names, in the same order.
    groups : list of str or None, length n_images
        Their groups, in the same order; None where an image is a group of its own.
    """

    paths: list[Path]
    labels: list[str]
    groups: list[str | None]

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        classes = plural(len(set(self.labels)), "class", "classes")
        return f"<Subset: {plural(len(self), 'image')} in {classes}>"


@dataclass(frozen=True, repr=False)
class Dataset:
    """Images with their labels and splits, sorted by path.

    `extract.load_dataset` returns one.

    Parameters
    ----------
    name : str
        A name for reports and messages.
    root : Path
        The folder of the images.
    items : tuple of Item
        Sorted by path.
    split_origin : str, default="as given"
        Where the split comes from, in words.
    layout : Layout, default=Layout()
        How its files were understood.
    relabelled : frozenset of Path, default=frozenset()
        Images whose label was changed after the files had been read.
    """

    name: str
    root: Path
    items: tuple[Item, ...]
    split_origin: str = "as given"
    layout: Layout = Layout()
    relabelled: frozenset[Path] = frozenset()

    @property
    def classes(self) -> list[str]:
        """Class names, sorted: class `i` is `classes[i]`."""
        return sorted({item.label for item in self.items})

    @property
    def train(self) -> Subset:
        """The images to train on and to choose by."""
        return self._subset("train")

    @property
    def test(self) -> Subset:
        """The images that only the final figures are measured on."""
        return self._subset("test")

    def _subset(self, split: Split) -> Subset:
        items = [item for item in self.items if item.split == split]
        return Subset(
            [item.path for item in items],
            [item.label for item in items],
            [item.group for item in items],
        )

    @property
    def has_groups(self) -> bool:
        """Whether any image has a group."""
        return any(item.group is not None for item in self.items)

    @property
    def has_split(self) -> bool:
        """Whether any image is in the test split."""
        return any(item.split == "test" for item in self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Dataset {self.name!r}: {self._summary()}>"

    def _repr_html_(self) -> str:
        splits: tuple[Split, ...] = ("train", "test")
        columns = [counts(self.items, self.classes, split) for split in splits]
        rows = list(zip(self.classes, *columns, strict=True))
        cells = "".join(
            f"<tr><th>{html.escape(label)}</th><td>{train:,}</td><td>{test:,}</td></tr>"
            for label, train, test in rows[:_MOST_ROWS]
        )
        more = len(rows) - _MOST_ROWS
        rest = f"<tr><td colspan='3'>and {more:,} more classes</td></tr>" if more > 0 else ""
        return (
            f"<p><b>{html.escape(self.name)}</b>: {html.escape(self._summary())}</p>"
            "<table><thead><tr><th>class</th><th>train</th><th>test</th></tr></thead>"
            f"<tbody>{cells}{rest}</tbody></table>"
        )

    def _summary(self) -> str:
        images = plural(len(self), "image")
        classes = plural(len(self.classes), "class", "classes")
        return (
            f"{images} in {classes}, {len(self.train):,} to train and {len(self.test):,} to test "
            f"({self.split_origin})"
        )

    def class_counts(self) -> dict[str, dict[str, int]]:
        """Return the number of images of each class in each split.

        Returns
        -------
        dict of str to dict
            As in ``{"cats": {"train": 60, "test": 15}, ...}``, sorted by class.
        """
        train, test = (counts(self.items, self.classes, split) for split in ("train", "test"))
        return {
            label: {"train": n_train, "test": n_test}
            for label, n_train, n_test in zip(self.classes, train, test, strict=True)
        }

    def lines_of_layout(self) -> list[str]:
        """Return how the files were understood, for people: one line, and one for each remark.

        It is empty for a data set whose labels were given.
        """
        layout = self.layout
        if layout == Layout():
            return []
        classes = plural(len(self.classes), "class", "classes")
        images = plural(len(self), "image")
        first = f"{self.name}: read as {layout.description}: {classes}, {images}"
        passed = ", ".join(counted(number, what) for what, number in layout.passed_over.items())
        return [f"{first}; passed over: {passed}" if passed else first, *layout.remarks]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each image.

        Returns
        -------
        pandas.DataFrame
            Columns ``path``, ``label``, ``split`` and ``group``, all of them text, or None.
        """
        import pandas as pd

        rows = [(str(item.path), item.label, item.split, item.group) for item in self.items]
        # Objects, because pandas' own type for text may not hold names that are not UTF-8.
        return pd.DataFrame(rows, columns=["path", "label", "split", "group"], dtype=object)

    def relative(self, path: Path) -> str:
        """Return an image's path below `root`, or its full path if it is elsewhere."""
        return relative(path, self.root)

    def with_hashed_split(self, digests: Sequence[str], test_size: float, seed: int) -> Dataset:
        """Put a share of every class into the test split, by the content of the images.

        Each image draws a number from its own bytes and the seed. In every class, those with the
        lowest numbers are for the test: the given share of the different images, at least one, and
        at least two are left for training. Adding or removing images therefore moves at most those
        at the border, and two copies of one image are always in the same split.

        Parameters
        ----------
        digests : sequence of str, length n_images
            SHA-256 of the bytes of each image file, as hexadecimal digits, in the order of `items`.
        test_size : float
            Share of the images in the test split, between 0 and 1.
        seed : int
            Another seed gives another split.

        Returns
        -------
        Dataset
            The same images, each with a split.

        Raises
        ------
        DataError
            If `test_size` is not between 0 and 1.
        """
        if not 0 < test_size < 1:
            raise DataError(
                f"the share of test images must be between 0 and 1, not {test_size}",
                setting="test_size",
            )
        draws = [_draw(digest, seed) for digest in digests]
        by_class: dict[str, list[float]] = {}
        for draw, item in zip(draws, self.items, strict=True):
            by_class.setdefault(item.label, []).append(draw)
        borders = {label: _border(drawn, test_size) for label, drawn in by_class.items()}
        items = tuple(
            dataclasses.replace(item, split="test" if draw < borders[item.label] else "train")
            for draw, item in zip(draws, self.items, strict=True)
        )
        n_test = sum(item.split == "test" for item in items)
        origin = (
            f"{n_test} of {len(items)} drawn for the test by their content, {test_size:.0%} "
            f"of every class, seed {seed}"
        )
        return dataclasses.replace(self, items=items, split_origin=origin)


def counts(items: Iterable[Item], classes: Sequence[str], split: Split) -> list[int]:
    """Return the number of items of each class in one split, in the order of `classes`."""
    tally = Counter(item.label for item in items if item.split == split)
    return [tally[label] for label in classes]


def _draw(digest: str, seed: int) -> float:
    """Return a number in [0, 1) that depends only on the content of an image and the seed."""
    mixed = hashlib.sha256(f"{seed}:{digest}".encode("ascii")).digest()
    return int.from_bytes(mixed[:8], "big") / 2**64


def _border(draws: Sequence[float], test_size: float) -> float:
    """Return the draw below which an image of this class is for the test.

    Copies of an image have the same draw and count once. Two images are divided; one is where its
    draw says.
    """
    distinct = sorted(set(draws))
    if len(distinct) == 1:
        return test_size
    most = max(MINIMUM["test"], len(distinct) - MINIMUM["train"])
    n_test = min(max(round(test_size * len(distinct)), MINIMUM["test"]), most)
    return distinct[n_test]
