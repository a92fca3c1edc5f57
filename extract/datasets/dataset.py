"""A data set: which image has which label, and whether it is for training or for the test."""

from __future__ import annotations

import dataclasses
import html
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extract.datasets.drawing import Split as Split
from extract.datasets.drawing import Unit, border, cannot_be_divided, digest_of, draw, draw_units
from extract.errors import DataError
from toolkit.addresses import relative
from toolkit.wording import counted, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

    from extract.datasets.further import FurtherColumns

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
    group_origin : str or None, default=None
        Where the groups come from, in words, as ``"column patient_id"``; None without groups.
    group_setting : str or None, default=None
        Name of the setting that they come from, for errors; or that other groups would come from.
    columns : tuple of FurtherColumns, default=()
        What the tables of the data say about the images, beside label and split.
    """

    name: str
    root: Path
    items: tuple[Item, ...]
    split_origin: str = "as given"
    layout: Layout = Layout()
    relabelled: frozenset[Path] = frozenset()
    group_origin: str | None = None
    group_setting: str | None = None
    columns: tuple[FurtherColumns, ...] = field(default=(), compare=False)

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

    def n_groups(self, split: Split | None = None) -> int:
        """Return the number of groups, of one split or of all; an image without one is its own."""
        return count_groups(item.group for item in self.items if split in (None, item.split))

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
            f"{images} in {classes}{self._in_groups()}, {len(self.train):,} to train and "
            f"{len(self.test):,} to test ({self.split_origin})"
        )

    def _in_groups(self, origin: str | None = None) -> str:
        """Return how many groups the images are in, to append to their number."""
        if not self.has_groups:
            return ""
        return f" in {plural(self.n_groups(), 'group')}" + (f" ({origin})" if origin else "")

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
        images = f"{plural(len(self), 'image')}{self._in_groups(self.group_origin)}"
        first = f"{self.name}: read as {layout.description}: {classes}, {images}"
        passed = ", ".join(counted(number, what) for what, number in layout.passed_over.items())
        return [f"{first}; passed over: {passed}" if passed else first, *layout.remarks]

    def to_frame(self, embed: Any = None, model: Any = None) -> pd.DataFrame:
        """Return a table with one row for each image.

        Parameters
        ----------
        embed : Embedder, optional
            Adds the column ``embedding``. A copy of it is fitted on the training images first, as
            int8 and images of more than 8 bits need.
        model : Model, optional
            Adds what it predicts: a model from `classify.load_model`, or anything else with
            `predict`, `predict_proba` and `classes_` that takes paths.

        Returns
        -------
        pandas.DataFrame
            Columns ``path``, ``label``, ``split`` and ``group`` (text, or None); with a model
            ``predicted`` (text) and ``probabilities`` (in each row, a float32 array of shape
            (n_classes,)); with an embedder ``embedding`` (in each row, one of shape (n_features,)).

        Raises
        ------
        ImageError
            If an image cannot be used, and is to be embedded or classified.

        Examples
        --------
        >>> frame = data.to_frame(Embedder("vgg16"))  # doctest: +SKIP
        >>> X = np.stack(frame["embedding"])  # doctest: +SKIP
        """
        import pandas as pd

        from extract.datasets.frame import add_embeddings, add_predictions

        rows = [(str(item.path), item.label, item.split, item.group) for item in self.items]
        # Objects, because pandas' own type for text may not hold names that are not UTF-8.
        frame = pd.DataFrame(rows, columns=["path", "label", "split", "group"], dtype=object)
        paths = [item.path for item in self.items]
        if model is not None:
            add_predictions(frame, paths, model)
        if embed is not None:
            training = [item.path for item in self.items if item.split != "test"]
            add_embeddings(frame, paths, training, embed)
        return frame

    def with_remarks(self, remarks: Iterable[str]) -> Dataset:
        """Return the data set with further remarks in its layout."""
        layout = self.layout
        layout = dataclasses.replace(layout, remarks=(*layout.remarks, *remarks))
        return dataclasses.replace(self, layout=layout)

    def relative(self, path: Path) -> str:
        """Return an image's path below `root`, or its full path if it is elsewhere."""
        return relative(path, self.root)

    def with_hashed_split(self, digests: Sequence[str], test_size: float, seed: int) -> Dataset:
        """Put a share of every class into the test split, by the content of the images.

        Each image draws a number from its own bytes and the seed. In every class, those with the
        lowest numbers are for the test: the given share of the different images, at least one, and
        at least two are left for training. Adding or removing images therefore moves at most those
        at the border, and two copies of one image are always in the same split.

        Images of one group draw one number, from the name of the group, and stay together: the
        share is one of the groups of every class. Adding images to groups then moves none.

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
            If `test_size` is not between 0 and 1, or the groups of a class cannot be divided.
        """
        if not 0 < test_size < 1:
            raise DataError(
                f"the share of test images must be between 0 and 1, not {test_size}",
                setting="test_size",
            )
        if self.has_groups:
            return self._with_split_by_group(digests, test_size, seed)
        draws = [draw(digest, seed) for digest in digests]
        by_class: dict[str, list[float]] = {}
        for drawn, item in zip(draws, self.items, strict=True):
            by_class.setdefault(item.label, []).append(drawn)
        borders = {label: border(drawn, test_size, MINIMUM) for label, drawn in by_class.items()}
        items = tuple(
            dataclasses.replace(item, split="test" if drawn < borders[item.label] else "train")
            for drawn, item in zip(draws, self.items, strict=True)
        )
        n_test = sum(item.split == "test" for item in items)
        origin = (
            f"{n_test} of {len(items)} drawn for the test by their content, {test_size:.0%} "
            f"of every class, seed {seed}"
        )
        return dataclasses.replace(self, items=items, split_origin=origin)

    def _with_split_by_group(self, digests: Sequence[str], test_size: float, seed: int) -> Dataset:
        """Do what `with_hashed_split` does, with every group on one side."""
        keys = [
            digest if item.group is None else digest_of(item.group)
            for digest, item in zip(digests, self.items, strict=True)
        ]
        units: dict[str, Unit] = {}
        for key, item in zip(keys, self.items, strict=True):
            name = self.relative(item.path) if item.group is None else item.group
            unit = units.setdefault(key, Unit(name, draw(key, seed), Counter()))
            unit.numbers[item.label] += 1
        chosen, impossible = draw_units(list(units.values()), test_size, MINIMUM)
        if impossible and len(self.classes) > 1:
            raise cannot_be_divided(impossible, self.group_setting)
        is_test = dict(zip(units, chosen, strict=True))
        items = tuple(
            dataclasses.replace(item, split="test" if is_test[key] else "train")
            for key, item in zip(keys, self.items, strict=True)
        )
        n_test = sum(item.split == "test" for item in items)
        origin = (
            f"{n_test} of {len(items)} drawn for the test, {sum(chosen)} of {len(units)} groups by "
            f"their names, {test_size:.0%} of those of every class, seed {seed}"
        )
        return dataclasses.replace(self, items=items, split_origin=origin)


def count_groups(groups: Iterable[str | None]) -> int:
    """Return the number of groups; None is a group of its own.

    Examples
    --------
    >>> count_groups(["p1", "p1", "p2", None, None])
    4
    """
    numbers = Counter(groups)
    alone = numbers.pop(None, 0)
    return len(numbers) + alone


def counts(items: Iterable[Item], classes: Sequence[str], split: Split) -> list[int]:
    """Return the number of items of each class in one split, in the order of `classes`."""
    tally = Counter(item.label for item in items if item.split == split)
    return [tally[label] for label in classes]
