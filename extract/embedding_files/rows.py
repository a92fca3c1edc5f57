"""The rows of a file of embeddings, read from the cache a part at a time."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from extract.embedding_files.about import About

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.prepare import Prepared

BYTES_PER_PART = 2**24
"""Of embeddings that are in memory at a time."""
MOST_ROWS_PER_PART = 8192
OWN_COLUMNS = ("path", "label", "split", "group", "predicted", "probabilities", "embedding")


class Predictor(Protocol):
    """Classifies image files whose embeddings are in the cache, a part at a time."""

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the probabilities."""

    @property
    def about(self) -> dict[str, Any]:
        """What it is: ``run`` and ``classifier``."""

    def embed(self, files: Sequence[Path]) -> None:
        """Put what the classifier takes of all files into the cache."""

    def predict(self, files: Sequence[Path]) -> tuple[list[str | None], NDArray[np.float64]]:
        """Return class and probabilities of some files; None and NaN where one is unusable."""


class EmbeddingRows:
    """The usable images of a data set with their embeddings, in the order of the data set.

    Parameters
    ----------
    prepared : Prepared
        The data set, whose embeddings are in the cache.
    predictor : Predictor, optional
        Adds the predicted class and the probabilities.
    """

    def __init__(self, prepared: Prepared, predictor: Predictor | None = None) -> None:
        self._prepared, self.predictor = prepared, predictor
        self._items = prepared.dataset.items

    def __len__(self) -> int:
        return len(self._items)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one embedding."""
        return tuple(self._read(slice(0, 1)).shape[1:])

    @property
    def n_features(self) -> int:
        """Numbers in one embedding."""
        return int(np.prod(self.shape))

    @cached_property
    def about(self) -> About:
        """What all rows have in common."""
        dataset, recipe = self._prepared.dataset, self._prepared.base.recipe
        model = None
        if self.predictor is not None:
            classes = [as_utf8(label) for label in self.predictor.classes]
            model = {**self.predictor.about, "classes": classes}
        return About(
            data=as_utf8(dataset.name),
            root=as_utf8(str(dataset.root)),
            classes=[as_utf8(label) for label in dataset.classes],
            split=dataset.split_origin,
            groups=dataset.group_origin if dataset.has_groups else None,
            shape=list(self.shape),
            recipe=json.loads(recipe.canonical),
            fingerprint=recipe.fingerprint,
            columns=self.further,
            model=model,
        )

    @property
    def columns(self) -> list[str]:
        """Names of the columns of text, but for the predicted class."""
        return ["path", "label", "split", "group", *self.further]

    @property
    def further(self) -> list[str]:
        """Names of the further columns of the data."""
        return list(self._further)

    def parts(self) -> Iterator[slice]:
        """Yield the rows in parts whose embeddings take at most `BYTES_PER_PART`."""
        size = BYTES_PER_PART // (self.n_features * np.dtype(np.float32).itemsize)
        size = min(max(size, 1), MOST_ROWS_PER_PART)
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def texts(self, column: str, part: slice) -> list[str | None]:
        """Return the cells of a column of text; None where there is none."""
        items = self._items[part]
        if column == "path":
            cells: list[str | None] = [self._prepared.dataset.relative(item.path) for item in items]
        elif column in self._further:
            of_image = self._further[column]
            cells = [of_image.get(item.path) or None for item in items]
        else:
            cells = [getattr(item, column) for item in items]
        return [None if cell is None else as_utf8(cell) for cell in cells]

    def embeddings(self, part: slice) -> NDArray[np.float32]:
        """Return embeddings, float32 ``(n_rows, n_features)``.

        Raises
        ------
        CacheError
            If one is missing, or not as it was committed.
        """
        rows = self._read(part)
        return rows.reshape(len(rows), -1)

    def predictions(self, part: slice) -> tuple[list[str | None], NDArray[np.float32]]:
        """Return the predicted classes, and the probabilities ``(n_rows, n_classes)``."""
        assert self.predictor is not None
        labels, probabilities = self.predictor.predict([item.path for item in self._items[part]])
        texts = [None if label is None else as_utf8(label) for label in labels]
        return texts, probabilities.astype(np.float32)

    def _read(self, part: slice) -> NDArray[np.float32]:
        digests = self._prepared.extraction.digests
        base = self._prepared.base
        rows: NDArray[np.float32] = base.store.read(
            base.recipe.fingerprint, [digests[item.path] for item in self._items[part]]
        )
        return rows

    @cached_property
    def _further(self) -> dict[str, dict[Path, str]]:
        """The further columns of the tables of the data, but for the one that has the groups."""
        dataset = self._prepared.dataset
        found: dict[str, dict[Path, str]] = {}
        for table in dataset.columns:
            for name in table.columns:
                if dataset.group_origin != f"column {name}":
                    plain = as_utf8(name)
                    plain = f"{plain} of the table" if plain in OWN_COLUMNS else plain
                    found.setdefault(plain, {}).update(table.cells(name))
        return found


def as_utf8(text: str) -> str:
    r"""Return a text that can be encoded: bytes of file names that are not UTF-8 become escapes.

    Examples
    --------
    >>> print(as_utf8("caf\udce9.jpg"))
    caf\udce9.jpg
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
